"""``litetrack model light``: track targets whose template is dark, with one and two templates."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.light_changes import CLIPS, clips, compare_templates
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools import arguments


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    dirs: tuple[Path, ...]
    model: ModelChoice
    clips: int
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "dirs", nargs="+", type=Path, metavar="DIR", help="sequences, or folders of them"
    )
    arguments.add_model_arguments(parser)
    parser.add_argument(
        "--clips", type=int, default=CLIPS, metavar="N", help="how many at most (%(default)s)"
    )
    arguments.add_json_argument(parser)


def run(request: Request) -> int:
    """Track the clips each way, and print the mean overlaps."""
    found = clips(find_sequences(request.dirs), request.clips)
    if not found:
        raise DatasetError("no sequence is long enough: give some of 30 frames or more")
    backend = open_backend(request.model)
    frames = sum(len(clip.boxes_xywh) for clip in found) * (2 * backend.model_config.templates - 1)
    with arguments.Progress(frames, "light") as progress:
        outcomes = compare_templates(backend, found, progress.step)
    rows = [
        [each.name, f"{each.overlaps.mean():.3f}", "{:.3f} to {:.3f}".format(*each.interval)]
        for each in outcomes
    ]
    print(f"{len(found)} clips in rising light, {outcomes[0].frames} frames scored")
    print(format_table(["", "AO", "95 % over clips"], rows))
    clip_names = [f"{clip.sequence.name} from {clip.start}" for clip in found]
    figures = {
        each.name: {
            "AO": each.overlaps.mean(),
            "interval": each.interval if len(found) > 1 else None,
            "clips": dict(zip(clip_names, each.overlaps.tolist(), strict=True)),
        }
        for each in outcomes
    }
    write_json(request.json, {"frames": outcomes[0].frames, "ways": figures})
    return 0
