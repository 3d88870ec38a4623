"""``litetrack data label``: a clip to train on, from a video and one box; or many of them."""

import argparse
import csv
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.errors import ConfigError, DatasetError
from litetrack_ros.evaluation.trackers import open_same_on
from litetrack_ros.tools.arguments import Progress, add_clip_arguments, add_model_arguments
from litetrack_ros.tools.workers import WorkerChoice, add_worker_arguments
from litetrack_ros.training.agreed_tracks import LabelJob


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    video: str
    init_box: tuple[float, ...] | None
    output: Path
    height: int
    longest: int
    workers: WorkerChoice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "video",
        metavar="VIDEO",
        help="a video file or a folder of images; or a .csv of VIDEO,X,Y,W,H lines, each of which "
        "becomes a clip of the video's name in the folder of --output",
    )
    parser.add_argument(
        "--init-box",
        nargs=4,
        type=float,
        metavar=("X", "Y", "W", "H"),
        help="the object in the first frame, px",
    )
    add_clip_arguments(
        parser, "the clip's folder; give it, or the one that holds several, to --data, then"
    )
    add_model_arguments(parser)
    add_worker_arguments(parser)


def run(request: Request) -> int:
    """Track both ways, write the frames on which both agree."""
    todo = [job for job in _jobs(request) if not _is_done(request, job)]
    if not todo:
        return 0
    backend = open_backend(request.model)
    with Progress(sum(job.frames for job in todo), "label") as progress:
        executor = request.workers.executor(
            backend,
            partial(open_same_on, request.model, backend.info.model_sha256),
            (request.model.device,),
            progress.step,
        )
        for index, clip in executor.run(todo):
            todo[index].keep(clip)
            print(
                f"{todo[index].video}: both directions agree in {clip.agreed} of {clip.of} frames, "
                f"mean overlap {clip.agreement:.2f}",
                flush=True,
            )
    return 0


def _jobs(request: Request) -> list[LabelJob]:
    size = (request.height, request.longest)
    if not _is_list(request):
        if request.init_box is None:
            raise ConfigError("give the object's box in the first frame: --init-box X Y W H")
        return [LabelJob(request.video, request.init_box, request.output, *size)]
    if request.init_box is not None:
        raise ConfigError(f"{request.video} has a box for each video: leave --init-box away")
    listed = Path(request.video)
    jobs = []
    for place, box_xywh in _read_list(listed):
        jobs.append(LabelJob(str(place), box_xywh, request.output / place.stem, *size))
    outputs = [job.output for job in jobs]
    for output in outputs:
        if outputs.count(output) > 1:
            raise DatasetError(f"two videos in {listed} would be written to {output}: rename one")
    return jobs


def _read_list(listed: Path) -> list[tuple[Path, tuple[float, ...]]]:
    """The videos of a list, and the object's box in each."""
    try:
        with listed.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {listed}: {error}") from error
    found: list[tuple[Path, tuple[float, ...]]] = []
    for number, row in enumerate(rows, start=1):
        if not row:
            continue
        try:
            video, *box = row
            x, y, w, h = map(float, box)
        except ValueError:
            raise DatasetError(
                f"{listed}, line {number}: expected VIDEO,X,Y,W,H, found '{','.join(row)}'"
            ) from None
        found.append((listed.parent / video, (x, y, w, h)))
    return found


def _is_list(request: Request) -> bool:
    return request.video.lower().endswith(".csv")


def _is_done(request: Request, job: LabelJob) -> bool:
    """Clips of a list appear whole or not at all, so that the command goes on where it ended."""
    return _is_list(request) and job.output.is_dir()
