"""``litetrack dev-set``: write the sequences that models are chosen on."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write made sequences and held-out clips to choose models on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="the folders given to `litetrack train`; only what it holds out is used",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="for `litetrack evaluate`"
    )
    parser.add_argument("--made", type=int, default=24, help="made sequences (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the made ones (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Write the sequences and say how many there are."""
    from litetrack_ros.datasets.development_set import write_development_set
    from litetrack_ros.datasets.materials import read_materials

    materials = read_materials(args.data).split("validation")
    names = write_development_set(materials, args.seed, args.made, args.output)
    print(f"{len(names)} sequences in {args.output}: {', '.join(names)}")
    return 0
