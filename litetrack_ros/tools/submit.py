"""``litetrack submit``: pack results for a benchmark's server."""

from __future__ import annotations

import argparse
from pathlib import Path

from litetrack_ros.tools.tables import figures_table

HELP = "pack result files for GOT-10k's or TrackingNet's server, or GOT-10k's toolkit"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    from litetrack_ros.evaluation.submissions import PACKED

    parser.add_argument("benchmark", choices=list(PACKED), help="which benchmark")
    parser.add_argument("dir", type=Path, metavar="DIR", help="the benchmark's folder")
    parser.add_argument("results", type=Path, metavar="RESULTS", help="what litetrack ope wrote")
    parser.add_argument("archive", type=Path, metavar="ZIP", help="the archive to write")


def run(args: argparse.Namespace) -> int:
    """Pack, and print the paper's figures; a missing result is an error."""
    from litetrack_ros.evaluation.benchmarks import read_benchmark
    from litetrack_ros.evaluation.comparison import paper_figures
    from litetrack_ros.evaluation.submissions import write_submission

    sequences = read_benchmark(args.benchmark, args.dir)
    count = write_submission(args.benchmark, sequences, args.results, args.archive)
    print(f"{args.archive}: {count} sequences")
    columns, paper = paper_figures(args.benchmark)
    if paper:  # to stand beside the server's answer
        print(figures_table("the paper", columns, paper))
    return 0
