"""``litetrack synth``: look at synthetic training pairs, or time how fast they are made."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from litetrack_ros.datasets.synthetic import SyntheticPairs

HELP = "show synthetic training pairs, or time how fast they are made"


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
        "--benchmark", type=int, metavar="N", help="make N pairs on one core and report the rate"
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


def run(args: argparse.Namespace) -> int:
    """Write the sheet, or print the rate."""
    from litetrack_ros.config import ModelConfig
    from litetrack_ros.datasets.contact_sheet import contact_sheet
    from litetrack_ros.datasets.synthetic import SyntheticPairs
    from litetrack_ros.media.writers import write_image

    pairs = SyntheticPairs(args.data, ModelConfig(), args.seed, split=args.split)
    materials = pairs.materials
    print(
        f"{len(materials.photos)} photos, {len(materials.cutouts)} cut-outs and "
        f"{len(materials.clips)} clips"
    )
    if args.benchmark is not None:
        print(_rate(pairs, args.first, args.benchmark))
    else:
        shown = [pairs.pair(index) for index in range(args.first, args.first + args.count)]
        write_image(args.output, contact_sheet(shown))
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
