"""``litetrack data check``: verify a training set and print its statistics."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.datasets.catalogue import guess_set, open_set
from litetrack_ros.datasets.training_set import check_set
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import Progress, add_json_argument, add_set_arguments

EXIT_INCOMPLETE = 1


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    dir: Path
    name: str | None
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_set_arguments(parser)
    add_json_argument(parser)


def run(request: Request) -> int:
    """Check; ends with status 1 where something is missing."""
    training_set = open_set(request.name or guess_set(request.dir), request.dir, refresh=True)
    with Progress(len(training_set), "check") as progress:
        report = check_set(training_set, progress.step)
    rows = [[name, str(value)] for name, value in report.statistics.items()]
    print(format_table((report.name, ""), rows))
    for problem in report.problems:
        print(f"- {problem}")
    print("complete" if not report.problems else f"{len(report.problems)} problems")
    write_json(
        request.json,
        {"set": report.name, "statistics": report.statistics, "problems": report.problems},
    )
    return EXIT_INCOMPLETE if report.problems else 0
