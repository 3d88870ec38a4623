"""``litetrack model tune``: choose a trained model's window, smoothing and thresholds."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: Path
    dirs: tuple[Path, ...]
    window_power: tuple[float, ...]
    size_smoothing: tuple[float, ...]
    output: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="a .safetensors file")
    parser.add_argument(
        "dirs",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="sequences, as of `litetrack data dev-set`",
    )
    parser.add_argument(
        "--window-power", type=float, nargs="+", default=[1.0], help="to try (%(default)s)"
    )
    parser.add_argument(
        "--size-smoothing", type=float, nargs="+", default=[1.0], help="to try (%(default)s)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="the model with settings"
    )


def run(request: Request) -> int:
    """Try every combination, then set the thresholds and write the model."""
    from litetrack_ros.dependencies import require

    require("torch")
    require("safetensors")
    import dataclasses
    import itertools

    from litetrack_ros.config import TrackerConfig
    from litetrack_ros.datasets.sequences import find_sequences
    from litetrack_ros.model.checkpoint import load_weights, save_weights
    from litetrack_ros.tools.arguments import Progress
    from litetrack_ros.training import tuning

    sequences = find_sequences(request.dirs)
    weights = load_weights(request.model)
    settings = itertools.starmap(
        tuning.Setting, itertools.product(request.window_power, request.size_smoothing)
    )
    best, best_ao = None, -1.0
    frames = sum(len(sequence) for sequence in sequences)
    for setting in settings:
        with Progress(frames, "tune") as progress:
            tried = tuning.with_setting(weights, setting)
            tracks = tuning.run_tracks(tried, sequences, progress.step)
        ao = tuning.mean_ao(tracks)
        report = tuning.score_report(tracks)
        print(
            f"window power {setting.window_power:g}, size smoothing {setting.size_smoothing:g}: "
            f"mean AO {ao:.3f}, ROC area {report.roc_area:.3f} "
            f"({report.right} right, {report.wrong} wrong frames)",
            flush=True,
        )
        if ao > best_ao:
            best, best_ao = (setting, report), ao
    assert best is not None
    setting, report = best
    config = TrackerConfig(
        size_smoothing=setting.size_smoothing,
        lost_threshold=round(report.lost_threshold, 3),
        found_threshold=round(report.found_threshold, 3),
    )
    tuned = dataclasses.replace(tuning.with_setting(weights, setting), tracker_config=config)
    with Progress(frames, "check") as progress:
        ao = tuning.mean_ao(tuning.run_tracks(tuned, sequences, progress.step))
    print(
        f"lost below {config.lost_threshold:g}, found from {config.found_threshold:g} on: "
        f"mean AO {ao:.3f}"
    )
    extra = {k: v for k, v in weights.metadata.items() if k not in ("format", "model", "tracker")}
    save_weights(request.output, tuned.model, config, extra)
    print(f"written to {request.output}")
    return 0
