"""``litetrack data check-overlap``: find copies of test pictures among those to train on."""

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.datasets.overlap import MAX_DISTANCE, Copy, find_copies, find_pictures
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import Progress, add_json_argument

EXIT_FOUND = 1


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    data: tuple[Path, ...]
    against: tuple[Path, ...]
    distance: int
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    for name, what in (("--data", "to train on"), ("--against", "to test or choose on")):
        parser.add_argument(
            name,
            type=Path,
            nargs="+",
            required=True,
            metavar="DIR",
            help=f"folders with pictures {what}",
        )
    parser.add_argument(
        "--distance",
        type=int,
        default=MAX_DISTANCE,
        metavar="N",
        help="of 64 bits, in how many the hashes of a copy may differ (%(default)s)",
    )
    add_json_argument(parser)


def run(request: Request) -> int:
    """Print the folders that share pictures; ends with status 1 where there are any."""
    pictures, references = find_pictures(request.data), find_pictures(request.against)
    with Progress(len(pictures) + len(references), "check") as progress:
        report = find_copies(pictures, references, request.distance, progress.step)
    print(
        f"{report.compared} pictures compared with {report.references}; "
        f"{report.plain} of all are too plain to be compared"
    )
    by_folders: dict[tuple[Path, Path], list[Copy]] = defaultdict(list)
    for copy in report.copies:
        by_folders[copy.picture.parent, copy.reference.parent].append(copy)
    rows = []
    for copies in by_folders.values():
        best = min(copies, key=lambda copy: copy.distance)
        row = [
            str(len(copies)),
            str(best.picture),
            str(best.reference),
            str(best.distance),
            f"{best.correlation:.2f}",
        ]
        rows.append(row)
    if rows:
        print(format_table(("pictures", "most similar", "to", "bits", "correlation"), rows))
    print(f"{len(report.copies)} copies" if report.copies else "no copies")
    found = [
        {
            "picture": str(c.picture),
            "reference": str(c.reference),
            "bits": c.distance,
            "correlation": c.correlation,
        }
        for c in report.copies
    ]
    write_json(
        request.json,
        {
            "pictures": report.compared,
            "references": report.references,
            "plain": report.plain,
            "copies": found,
        },
    )
    return EXIT_FOUND if report.copies else 0
