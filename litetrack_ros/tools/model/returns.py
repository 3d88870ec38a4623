"""``litetrack model returns``: let targets leave and come back, and count which are found again."""

import argparse
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice, TrackerConfig
from litetrack_ros.datasets.coco import ANNOTATIONS, read_objects
from litetrack_ros.datasets.containers import Containers
from litetrack_ros.errors import ConfigError
from litetrack_ros.evaluation import returns as scoring
from litetrack_ros.pairs.returns import ReturnCases
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools import arguments
from litetrack_ros.tracker.tracker import Tracker

SEED = 12  # of the cases that figures are published for; settings are chosen with others


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    photos: Path
    model: ModelChoice
    cases: int
    seed: int
    away: float
    search_crops: int | None
    found_likeness: float | None
    found_after_frames: int | None
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "photos",
        type=Path,
        metavar="PHOTOS",
        help=f"photos with outlines in {ANNOTATIONS} (COCO); those held out from training are used",
    )
    arguments.add_model_arguments(parser)
    parser.add_argument(
        "--cases",
        type=int,
        default=300,
        help="videos; the target returns in every second one (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of the videos (%(default)s)")
    parser.add_argument(
        "--away",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="of the full lengths of absences, for a quick look (%(default)s)",
    )
    parser.add_argument("--search-crops", type=int, help="in place of the model's own setting")
    parser.add_argument("--found-likeness", type=float, help="in place of the model's own")
    parser.add_argument("--found-after-frames", type=int, help="in place of the model's own")
    arguments.add_json_argument(parser)


def run(request: Request) -> int:
    """Track all videos and print the shares."""
    if request.cases < 2 or not 0 < request.away <= 1:
        raise ConfigError(
            f"--cases is {request.cases} and --away {request.away:g}, but must be at least 2, and "
            "above 0 and at most 1"
        )
    outcomes = []
    with arguments.Progress(request.cases, "videos") as progress:
        for outcome in _outcomes(request):
            outcomes.append(outcome)
            progress.step()
    print(format_table(*scoring.table(outcomes)))
    times = scoring.times(outcomes)
    print(
        f"found after {times['frames_to_find']:.0f} frames (median); a step takes "
        f"{times['step_ms']:.1f} ms, {times['lost_over_step']:.2f} times that while LOST"
    )
    write_json(request.json, scoring.as_json(outcomes))
    return 0


def _outcomes(request: Request) -> Iterator[scoring.Outcome]:
    backend = open_backend(request.model)
    config = _config(request, backend.tracker_config)
    containers = Containers(request.photos)
    cases = ReturnCases(
        [(containers, read_objects(containers, ""))], request.seed, "validation", request.away
    )
    for number in range(request.cases):
        case = cases.case(number // 2, returns=number % 2 == 0)
        yield scoring.judge(
            case.name,
            case.frames(),
            case.boxes_xywh,
            case.look_alike_xywh,
            case.gone_frame,
            case.return_frame,
            case.soon_frames,
            case.is_small,
            Tracker(backend, config),
        )


def _config(request: Request, config: TrackerConfig) -> TrackerConfig:
    given = {
        name: value
        for name in ("search_crops", "found_likeness", "found_after_frames")
        if (value := getattr(request, name)) is not None
    }
    return dataclasses.replace(config, **given)
