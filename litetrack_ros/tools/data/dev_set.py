"""``litetrack data dev-set``: write the sequences that models are chosen on."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.pairs.development_set import write_development_set
from litetrack_ros.pairs.materials import read_materials


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    data: tuple[Path, ...]
    output: Path
    made: int
    seed: int


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


def run(request: Request) -> int:
    """Write the sequences and say how many there are."""
    materials = read_materials(request.data).split("validation")
    names = write_development_set(materials, request.seed, request.made, request.output)
    print(f"{len(names)} sequences in {request.output}: {', '.join(names)}")
    return 0
