"""``litetrack model still``: does a model keep a still target, and let go of one that is gone?"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.evaluation.still_target import (
    DEGRADATIONS,
    PLACES,
    SOON,
    examine_still,
    first_pictures,
)
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools import arguments


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    dirs: tuple[Path, ...]
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "dirs",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="a sequence, or a folder of sequences; of each the first frame is taken",
    )
    arguments.add_model_arguments(parser)
    arguments.add_json_argument(parser)


def run(request: Request) -> int:
    """Show every first frame again and again, print the table."""
    pictures = first_pictures(find_sequences(request.dirs))
    backend = open_backend(request.model)
    print(f"tracker: {arguments.describe_backend(backend.info)}", flush=True)
    with arguments.Progress(len(pictures) * len(DEGRADATIONS), "still") as progress:
        report = examine_still(backend, pictures, progress.step)
    figures = report.figures()
    print(format_table(*report.table()))
    lost, rows = round(figures["lost_rows"]), round(figures["rows"])
    print(
        f"\n{lost} of {rows} still targets were LOST at some time; "
        f"{figures['gone_lost_soon']:.0%} of those that went were LOST within {SOON} frames\n"
        f"mean score {figures['score_mean']:.3f}, over {PLACES} places in a cell it changes by "
        f"{figures['score_spread']:.3f}"
    )
    write_json(request.json, report.as_json())
    return 0
