"""``litetrack data dev-set``: write the sequences that models are chosen on."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.errors import ConfigError
from litetrack_ros.pairs.development_set import write_development_set
from litetrack_ros.pairs.materials import read_materials
from litetrack_ros.pairs.spliced import draw_splices, read_scenes, write_splices
from litetrack_ros.resources import config_path


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    data: tuple[Path, ...] | None
    splice: tuple[Path, ...] | None
    scenes: Path | None
    output: Path
    made: int
    spliced: int
    seed: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="the folders given to `litetrack train`; only what it holds out is used",
    )
    parser.add_argument(
        "--splice",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="real sequences, of which sequences with absences are made: one, another, the first",
    )
    parser.add_argument(
        "--scenes",
        type=Path,
        metavar="FILE",
        help="YAML that tells the classes these show (config/datasets/scenes.yaml)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="for `litetrack evaluate`"
    )
    parser.add_argument("--made", type=int, default=24, help="made sequences (%(default)s)")
    parser.add_argument("--spliced", type=int, default=40, help="spliced ones (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of both kinds (%(default)s)")


def run(request: Request) -> int:
    """Write the sequences and say how many there are."""
    if request.data is None and request.splice is None:
        raise ConfigError("give --data to make sequences, --splice to splice real ones, or both")
    names = []
    if request.data is not None:
        materials = read_materials(request.data).split("validation")
        names += write_development_set(materials, request.seed, request.made, request.output)
    if request.splice is not None:
        scenes = read_scenes(request.scenes or config_path("datasets/scenes"))
        sequences = find_sequences(request.splice)
        splices = draw_splices(sequences, scenes, request.seed, request.spliced)
        write_splices(splices, request.output)
        names += [splice.name for splice in splices]
    print(f"{len(names)} sequences in {request.output}: {', '.join(names)}")
    return 0
