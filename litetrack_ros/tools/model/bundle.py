"""``litetrack model bundle``: all that ``litetrack model bench`` needs, as one archive."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.resources import share_dir
from litetrack_ros.speed.bundle import write_bundle


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    sequences: tuple[Path, ...]
    materials: Path | None
    out: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "--sequences",
        nargs="+",
        type=Path,
        required=True,
        metavar="DIR",
        help="sequences, or folders of them; the first frames of the six smallest are packed",
    )
    parser.add_argument(
        "--materials",
        type=Path,
        metavar="DIR",
        help="pack so much of these training materials that all is at most 40 MB (without: 12 MB)",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.tar.gz")


def run(request: Request) -> int:
    """Write it, and say how to use it."""
    sequences = [sequence.folder for sequence in find_sequences(request.sequences)]
    sizes = write_bundle(request.out, share_dir(), sequences, request.materials)
    print(", ".join(f"{part} {size / 1e6:.1f} MB" for part, size in sizes.items()))
    data = " --train-data materials" if request.materials is not None else ""
    print(
        f"there: tar xf {request.out.name} && cd litetrack && python3 -m litetrack_ros.tools.main "
        f"model bench --sequences sequences/*{data}"
    )
    return 0
