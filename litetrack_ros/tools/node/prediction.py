"""``litetrack node prediction``: what prediction is worth on sequences, or on the drawn scene."""

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.errors import ConfigError
from litetrack_ros.evaluation.prediction import PredictedRun, closed_share, coverage, predict_run
from litetrack_ros.evaluation.results import SequenceRun, read_run
from litetrack_ros.geometry import FloatArray
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.report.plots import write_lines
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import Progress, add_json_argument, add_model_arguments
from litetrack_ros.tracker.following import follow
from litetrack_ros.tracker.tracker import Tracker

_DEMO = "demo scene"


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    sequences: tuple[Path, ...]
    results: Path | None
    rate: tuple[float, ...]
    transport_ms: float
    frames: int
    figure: Path | None
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    parser.add_argument(
        "sequences",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="sequences that were tracked; without them, the drawn scene is tracked now",
    )
    parser.add_argument(
        "--results", type=Path, metavar="RUNS", help="what `litetrack evaluate --out RUNS` wrote"
    )
    parser.add_argument(
        "--rate", nargs="+", type=float, default=(30.0, 10.0), metavar="HZ", help="of the frames"
    )
    parser.add_argument(
        "--transport-ms",
        type=float,
        default=15.0,
        help="the way of an image and its box, beside the recorded call (%(default)s)",
    )
    parser.add_argument("--frames", type=int, default=300, help="of the drawn scene (%(default)s)")
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="draw the first sequence's overlaps at the first rate, as FILE.png and FILE.pdf",
    )
    add_model_arguments(parser)
    add_json_argument(parser)


def run(request: Request) -> int:
    """Score, and print a table a rate."""
    if min(request.rate) <= 0 or request.transport_ms < 0 or request.frames < 2:
        raise ConfigError("--rate must be above 0, --transport-ms at least 0, --frames at least 2")
    tracked = _tracked(request)
    figures: dict[str, object] = {}
    for rate in request.rate:
        runs = [predict_run(r, truth, rate, 1e-3 * request.transport_ms) for r, truth in tracked]
        if request.figure is not None and not figures:
            _draw(request.figure, rate, runs[0])
        figures[f"{rate:g}"] = _report(rate, runs)
    write_json(request.json, {"transport_ms": request.transport_ms, "rates_hz": figures})
    return 0


def _tracked(request: Request) -> list[tuple[SequenceRun, FloatArray]]:
    if not request.sequences:
        return [_track_scene(request)]
    if request.results is None:
        raise ConfigError(
            "give the boxes of the sequences with --results RUNS; "
            "`litetrack evaluate DIR --out RUNS` makes them"
        )
    found = find_sequences(request.sequences)
    return [(read_run(request.results, one.name), one.boxes_xywh) for one in found]


def _track_scene(request: Request) -> tuple[SequenceRun, FloatArray]:
    scene = DrawnScene(frames=request.frames)
    truth = np.array([scene.box_xywh(index) for index in range(len(scene))])
    steps = []
    with Progress(len(scene), "tracking") as progress:
        tracker = Tracker(open_backend(request.model))
        for step in follow(tracker, (image for image, _ in scene), truth[0]):
            steps.append(step)
            progress.step()
    results = [step.result for step in steps]
    run = SequenceRun(
        _DEMO,
        np.array([result.box_xywh for result in results]),
        np.array([result.score for result in results]),
        np.array([result.candidate_box_xywh for result in results]),
        np.array([result.candidate_score for result in results]),
        np.array([int(result.state) for result in results]),
        np.array([step.call_s for step in steps]),
    )
    return run, truth


def _report(rate: float, runs: list[PredictedRun]) -> dict[str, object]:
    rows = [[r.name, *(f"{v:.3f}" for v in r.means), f"{_gain(r):+.3f}"] for r in runs]
    title = f"at {rate:g} Hz"
    print(format_table([title, "lockstep", "streaming", "predicted", "gain"], rows))
    share = closed_share(runs)
    print(
        f"closed: {100 * share.share:.0f} % of the gap "
        f"(95 % interval {100 * share.low:.0f} to {100 * share.high:.0f} %), "
        f"{len(runs)} sequences; least gain {min(_gain(r) for r in runs):+.3f}\n"
    )
    parts = {name: coverage(runs, hits) for name, hits in (("all", False), ("on target", True))}
    print(
        format_table(
            ["within 2 sigma, x y", "frames", "part", "covered", "sigma/RMS"],
            [
                [
                    name,
                    str(row.frames),
                    row.part,
                    " ".join(f"{v:.2f}" for v in row.covered),
                    " ".join(f"{v:.2f}" for v in row.sigma_over_rms),
                ]
                for name, part in parts.items()
                for row in part
            ],
        )
    )
    return {
        "share": dataclasses.asdict(share),
        "sequences": {r.name: r.means for r in runs},
        "coverage": {k: [dataclasses.asdict(row) for row in v] for k, v in parts.items()},
    }


def _draw(path: Path, rate: float, run: PredictedRun) -> None:
    seconds = np.arange(len(run.lockstep)) / rate
    lines = {name: (seconds, getattr(run, name)) for name in ("lockstep", "streaming", "predicted")}
    note = f"{run.name} at {rate:g} Hz: overlap of the box that is there with the target"
    write_lines(path, lines, "s", "overlap", note=note)


def _gain(run: PredictedRun) -> float:
    return run.means[2] - run.means[1]
