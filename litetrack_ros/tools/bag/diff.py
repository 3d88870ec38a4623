"""``litetrack bag diff``: the figures of two replays side by side."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.replay.measures import comparison, read_figures
from litetrack_ros.report.tables import format_table


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    first: Path
    second: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument("first", type=Path, metavar="A.json", help="a report.json or a --json file")
    parser.add_argument("second", type=Path, metavar="B.json", help="another")


def run(request: Request) -> int:
    """Print the table."""
    header = ("figure", request.first.stem, request.second.stem, "difference", "%")
    rows = comparison(read_figures(request.first), read_figures(request.second))
    print(format_table(header, rows))
    return 0
