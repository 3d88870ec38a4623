"""``litetrack compare``: score result files of one or more trackers on a benchmark."""

from __future__ import annotations

import argparse
from pathlib import Path

from litetrack_ros.tools.tables import add_json_argument, figures_table, write_json

HELP = "score raw result files of trackers on a benchmark, with plots and an HTML report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    from litetrack_ros.evaluation.benchmarks import BENCHMARKS

    parser.add_argument("benchmark", choices=list(BENCHMARKS), help="which benchmark")
    parser.add_argument("dir", type=Path, metavar="DIR", help="the benchmark's folder")
    parser.add_argument(
        "results",
        nargs="+",
        metavar="[NAME=]DIR",
        help="a tracker's result files, x y w h a line; the first is compared with the others",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report with plots")
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Score, print the table, write what was asked for."""
    from litetrack_ros.evaluation.benchmarks import read_benchmark
    from litetrack_ros.evaluation.comparison import compare, paper_figures
    from litetrack_ros.evaluation.html_report import html_report
    from litetrack_ros.files import write_text

    trackers = dict(_named(text) for text in args.results)
    comparison = compare(args.benchmark, read_benchmark(args.benchmark, args.dir), trackers)
    print(figures_table(comparison.benchmark, comparison.columns, comparison.figures))
    for first, other, difference in comparison.differences():
        print(
            f"{first} - {other}: {comparison.columns[0]} {difference.mean:+.2f}, 95 % interval "
            f"{difference.low:+.2f} to {difference.high:+.2f}"
        )
    columns, paper = paper_figures(args.benchmark)
    if paper:
        print(figures_table("the paper", columns, paper))
    write_json(args.json, comparison.as_json())
    if args.html is not None:
        write_text(args.html, html_report(comparison, trackers))
    return 0


def _named(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    return (name, Path(folder)) if equals else (Path(text).name, Path(text))
