"""``litetrack model tune``: choose a trained model's window, smoothing and thresholds."""

import argparse
import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.dependencies import require
from litetrack_ros.tools.arguments import Progress


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
    require("torch")
    require("safetensors")
    from litetrack_ros.model.checkpoint import load_weights, save_weights
    from litetrack_ros.training import derived

    sequences = find_sequences(request.dirs)
    weights = load_weights(request.model)
    tried = list(itertools.product(request.window_power, request.size_smoothing))
    frames = sum(len(sequence) for sequence in sequences)
    trials = []
    with Progress(frames * (len(tried) + 1), "tune") as progress:
        settings = itertools.starmap(derived.Setting, tried)
        for trial in derived.try_settings(weights, settings, sequences, on_frame=progress.step):
            trials.append(trial)
            setting, ao, report = trial
            print(
                f"window power {setting.window_power:g}, size smoothing "
                f"{setting.size_smoothing:g}: mean AO {ao:.3f}, ROC area {report.roc_area:.3f} "
                f"({report.right} right, {report.wrong} wrong frames)",
                flush=True,
            )
        best = max(trials, key=lambda trial: trial.ao)
        setting, config = best.setting, derived.thresholds_of(best)
        tuned = dataclasses.replace(derived.with_setting(weights, setting), tracker_config=config)
        check = derived.track_all(tuned, sequences, on_frame=progress.step)
    print(
        f"lost below {config.lost_threshold:g}, found from {config.found_threshold:g} on: "
        f"mean AO {derived.mean_ao(check):.3f} (convention {check.convention})"
    )
    extra = {k: v for k, v in weights.metadata.items() if k not in ("format", "model", "tracker")}
    save_weights(request.output, tuned.model, config, extra)
    print(f"written to {request.output}")
    return 0
