"""``litetrack data shard``: training data as indexed tar files that are read by offset."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.datasets.catalogue import guess_set, open_set
from litetrack_ros.datasets.shards import SHARD_MB, write_shards
from litetrack_ros.errors import ConfigError
from litetrack_ros.tools.arguments import Progress, add_set_arguments


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    dir: Path
    name: str | None
    output: Path
    shard_mb: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_set_arguments(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the tar files and their index; give it to --data as NAME=DIR, then",
    )
    parser.add_argument(
        "--shard-mb",
        type=float,
        default=SHARD_MB,
        metavar="MB",
        help="size of a tar file, about (%(default)s)",
    )


def run(request: Request) -> int:
    """Write the shards and say how many there are."""
    if not request.shard_mb > 0:
        raise ConfigError(f"--shard-mb is {request.shard_mb:g}, but must be above 0")
    training_set = open_set(request.name or guess_set(request.dir), request.dir)
    with Progress(len(training_set), "shard") as progress:
        shards = write_shards(training_set, request.output, request.shard_mb, progress.step)
    size = sum(path.stat().st_size for path in shards)
    print(
        f"{training_set.name}: {len(training_set)} sequences in {len(shards)} tar files of "
        f"{size / 1e6:.1f} MB together; train with --data {training_set.name}={request.output}"
    )
    return 0
