"""``litetrack data dev-set``: write the sequences that models are chosen on."""

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.errors import ConfigError
from litetrack_ros.pairs.development_set import VideoJob, write_clips, write_made
from litetrack_ros.pairs.materials import Materials, read_materials
from litetrack_ros.pairs.spliced import draw_splices, read_scenes, write_splices
from litetrack_ros.resources import config_path
from litetrack_ros.tools.arguments import Progress
from litetrack_ros.tools.workers import WorkerChoice, add_worker_arguments


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
    workers: WorkerChoice


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
    add_worker_arguments(parser)


def run(request: Request) -> int:
    """Write the sequences and say how many there are."""
    if request.data is None and request.splice is None:
        raise ConfigError("give --data to make sequences, --splice to splice real ones, or both")
    names = []
    if request.data is not None:
        names += _made(request, read_materials(request.data).split("validation"))
    if request.splice is not None:
        scenes = read_scenes(request.scenes or config_path("datasets/scenes"))
        sequences = find_sequences(request.splice)
        splices = draw_splices(sequences, scenes, request.seed, request.spliced)
        write_splices(splices, request.output)
        names += [splice.name for splice in splices]
    print(f"{len(names)} sequences in {request.output}: {', '.join(names)}")
    return 0


def _made(request: Request, materials: Materials) -> list[str]:
    """Write the made sequences and the clips; their names."""
    jobs = [VideoJob(request.seed, index) for index in range(request.made)]
    names = {}
    with Progress(sum(job.frames for job in jobs), "dev-set") as progress:
        executor = request.workers.executor(
            materials,
            partial(_given, materials),
            ("cpu",),
            progress.step,
        )
        for index, made in executor.run(jobs) if jobs else ():
            write_made(request.output, made)
            names[index] = made.name
    return [names[index] for index in sorted(names)] + write_clips(materials, request.output)


def _given(materials: Materials, device: str) -> Materials:
    """What a worker opens: the pictures were sent to it."""
    return materials
