"""``litetrack compare``: score result files of one or more trackers on a benchmark."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.datasets.benchmarks import BENCHMARKS, read_benchmark
from litetrack_ros.errors import ConfigError
from litetrack_ros.evaluation.bootstrap import DRAWS
from litetrack_ros.evaluation.comparison import compare_results, paper_figures
from litetrack_ros.evaluation.conventions import CONVENTIONS
from litetrack_ros.evaluation.html_report import html_report
from litetrack_ros.evaluation.long_term_report import long_term_of_results
from litetrack_ros.evaluation.paper_files import (
    differences_table,
    sequences_table,
    warnings,
    write_paper_files,
)
from litetrack_ros.files import write_text
from litetrack_ros.report.tables import figures_table, format_table, write_json
from litetrack_ros.tools.arguments import (
    add_json_argument,
    add_long_term_arguments,
    check_frame_rate,
)


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    benchmark: str
    dir: Path
    results: tuple[str, ...]
    convention: str | None
    per_sequence: bool
    html: Path | None
    out: Path | None
    long_term: bool
    frame_rate: float
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("benchmark", choices=list(BENCHMARKS), help="which benchmark")
    parser.add_argument("dir", type=Path, metavar="DIR", help="the benchmark's folder")
    parser.add_argument(
        "results",
        nargs="+",
        metavar="[NAME=]DIR",
        help="a tracker's result files, x y w h a line; the first is compared with the others",
    )
    parser.add_argument(
        "--convention", choices=list(CONVENTIONS), help="how to score (the benchmark's own)"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report with plots")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write tables (CSV, LaTeX) and plots (PNG, PDF)"
    )
    parser.add_argument(
        "--per-sequence", action="store_true", help="print the main figure of every sequence too"
    )
    add_long_term_arguments(parser)
    add_json_argument(parser)


def run(request: Request) -> int:
    """Score, print the table, write what was asked for."""
    check_frame_rate(request.frame_rate)
    named = [_named(text) for text in request.results]
    names = [name for name, _ in named]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two trackers are called '{name}': give each a name of its own, NAME=DIR"
            )
    trackers = dict(named)
    sequences = read_benchmark(request.benchmark, request.dir)
    comparison = compare_results(request.benchmark, sequences, trackers, request.convention)
    about = CONVENTIONS[comparison.convention].about
    print(f"per cent, convention {comparison.convention}: {about}")
    print(figures_table(comparison.benchmark, comparison.columns, comparison.figures))
    header, rows = differences_table(comparison)
    if rows:
        print(f"differences in {comparison.columns[0]}, {DRAWS} paired draws over sequences:")
        print(format_table(header, rows))
    for warning in warnings(comparison):
        print(f"warning: {warning}")
    if request.per_sequence:
        print(format_table(*sequences_table(comparison)))
    columns, paper = paper_figures(request.benchmark)
    if paper:
        print(figures_table("the paper", columns, paper))
    figures, long_term = comparison.as_json(), {}
    if request.long_term:
        long_term = {
            name: long_term_of_results(sequences, folder, request.frame_rate)
            for name, folder in trackers.items()
        }
        for name, report in long_term.items():
            print(f"\n{name}\n{format_table(*report.table())}")
        figures["long_term"] = {name: report.as_json() for name, report in long_term.items()}
    write_json(request.json, figures)
    if request.html is not None:
        write_text(request.html, html_report(comparison, trackers, long_term=long_term))
    if request.out is not None:
        for path in write_paper_files(comparison, request.out):
            print(path)
    return 0


def _named(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    return (name, Path(folder)) if equals else (Path(text).name, Path(text))
