"""``litetrack submit``: pack results for a benchmark's server."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.evaluation.comparison import paper_figures
from litetrack_ros.evaluation.submissions import PACKED, write_submission
from litetrack_ros.report.tables import figures_table


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    benchmark: str
    dir: Path
    results: Path
    archive: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("benchmark", choices=list(PACKED), help="which benchmark")
    parser.add_argument("dir", type=Path, metavar="DIR", help="the benchmark's folder")
    parser.add_argument(
        "results", type=Path, metavar="RESULTS", help="what litetrack evaluate --out wrote"
    )
    parser.add_argument("archive", type=Path, metavar="ZIP", help="the archive to write")


def run(request: Request) -> int:
    """Pack, and print the paper's figures; a missing result is an error."""
    sequences = read_benchmark(request.benchmark, request.dir)
    count = write_submission(request.benchmark, sequences, request.results, request.archive)
    print(f"{request.archive}: {count} sequences")
    columns, paper = paper_figures(request.benchmark)
    if paper:  # to stand beside the server's answer
        print(figures_table("the paper", columns, paper))
    return 0
