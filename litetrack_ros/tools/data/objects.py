"""``litetrack data objects``: outline the main objects of photos, for synthetic pairs."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


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
    from litetrack_ros.files import make_folder
    from litetrack_ros.media.writers import write_image
    from litetrack_ros.pairs.material_making import find_object
    from litetrack_ros.pairs.materials import read_materials
    from litetrack_ros.tools.arguments import Progress

    photos = read_materials(request.data).photos
    make_folder(request.output)
    found = 0
    with Progress(len(photos), "photos") as progress:
        for photo in photos:
            mask = find_object(photo.rgb)
            if mask is not None:
                write_image(request.output / f"{photo.name}.png", mask)
                found += 1
            progress.step()
    print(f"{found} of {len(photos)} photos have a clear object; masks in {request.output}")
    return 0
