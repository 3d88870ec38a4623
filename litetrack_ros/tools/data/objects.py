"""``litetrack data objects``: outline the main objects of photos, for synthetic pairs."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.pairs.material_making import write_object_masks
from litetrack_ros.pairs.materials import read_materials
from litetrack_ros.tools.arguments import Progress


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    data: tuple[Path, ...]
    output: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, metavar="DIR", help="folders with photos"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the masks, each named like its photo; give it to --data too, then",
    )


def run(request: Request) -> int:
    """Write a mask for every photo whose object is clear."""
    photos = read_materials(request.data).photos
    with Progress(len(photos), "photos") as progress:
        found = write_object_masks(photos, request.output, progress.step)
    print(f"{found} of {len(photos)} photos have a clear object; masks in {request.output}")
    return 0
