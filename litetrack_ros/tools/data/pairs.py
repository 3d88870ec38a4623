"""``litetrack data pairs``: look at synthetic training pairs, or time how fast they are made."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from litetrack_ros.pairs.synthetic import SyntheticPairs


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    data: tuple[Path, ...]
    output: Path | None
    time: int | None
    split: Literal["train", "validation", "all"]
    seed: int
    first: int
    count: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="folders with photos, cut-outs with alpha and clips (frames/ and masks/)",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("-o", "--output", type=Path, help="contact sheet to write (.png, .jpg)")
    what.add_argument(
        "--time", type=int, metavar="N", help="make N pairs on one core and report the rate"
    )
    parser.add_argument(
        "--split",
        default="train",
        choices=("train", "validation", "all"),
        help="which of the pictures (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the pairs (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="index to start at (%(default)s)")
    parser.add_argument("--count", type=int, default=24, help="pairs on the sheet (%(default)s)")


def run(request: Request) -> int:
    """Write the sheet, or print the rate."""
    from litetrack_ros.config import ModelConfig
    from litetrack_ros.media.writers import write_image
    from litetrack_ros.pairs.pair import contact_sheet
    from litetrack_ros.pairs.synthetic import SyntheticPairs

    pairs = SyntheticPairs(request.data, ModelConfig(), request.seed, split=request.split)
    materials = pairs.materials
    print(
        f"{len(materials.photos)} photos, {len(materials.cutouts)} cut-outs and "
        f"{len(materials.clips)} clips"
    )
    if request.time is not None:
        print(_rate(pairs, request.first, request.time))
    if request.output is not None:
        shown = [pairs.pair(index) for index in range(request.first, request.first + request.count)]
        write_image(request.output, contact_sheet(shown))
    return 0


def _rate(pairs: SyntheticPairs, first: int, count: int) -> str:
    """Processor time, so that what else the machine does hardly counts."""
    from litetrack_ros.opencv import cv2

    cv2.setNumThreads(1)
    pairs.pair(first)  # fills the tables that are made once a process
    wall, busy = time.perf_counter(), time.process_time()
    for index in range(first, first + count):
        pairs.pair(index)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    return (
        f"{count} pairs: {count / busy:.1f} pairs/s of processor time on one core, "
        f"{count / wall:.1f} pairs/s of wall time"
    )
