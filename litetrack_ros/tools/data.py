"""``litetrack data``: verify a training set and print its statistics."""

from __future__ import annotations

import argparse
from pathlib import Path

from litetrack_ros.tools.arguments import Progress
from litetrack_ros.tools.tables import add_json_argument, format_table, write_json

HELP = "verify training data in their published layouts (litetrack data check DIR)"
EXIT_INCOMPLETE = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("action", choices=["check"], help="check: report what is missing")
    parser.add_argument("dir", type=Path, metavar="DIR", help="the data set's folder")
    parser.add_argument(
        "--set",
        dest="name",
        metavar="NAME",
        help="which data set and split, such as got10k_vottrain or lasot_train (a wrong name lists "
        "them all); by default what the folder looks like",
    )
    add_json_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Check; ends with status 1 where something is missing."""
    from litetrack_ros.datasets.catalogue import guess_set, open_set
    from litetrack_ros.datasets.checking import check_set

    training_set = open_set(args.name or guess_set(args.dir), args.dir, refresh=True)
    with Progress(len(training_set), "check") as progress:
        report = check_set(training_set, progress.step)
    rows = [[name, str(value)] for name, value in report.statistics.items()]
    print(format_table((report.name, ""), rows))
    for problem in report.problems:
        print(f"- {problem}")
    print("complete" if not report.problems else f"{len(report.problems)} problems")
    write_json(
        args.json,
        {"set": report.name, "statistics": report.statistics, "problems": report.problems},
    )
    return EXIT_INCOMPLETE if report.problems else 0
