"""``litetrack model calibrate``: fit a model's probabilities, and choose its thresholds on them."""

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import PROVENANCE_KEY, ModelChoice
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.dependencies import require
from litetrack_ros.errors import DatasetError
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import Progress


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: Path
    dirs: tuple[Path, ...]
    lost_threshold: tuple[float, ...]
    lost_after_frames: tuple[int, ...]
    found_threshold: tuple[float, ...]
    found_after_frames: tuple[int, ...]
    search_crops: int
    json: Path | None
    output: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="a .safetensors file")
    parser.add_argument(
        "dirs", nargs="+", type=Path, metavar="DIR", help="sequences kept for choosing, two or more"
    )
    tried = (
        ("--lost-threshold", float, [0.2, 0.3, 0.4]),
        ("--lost-after-frames", int, [3, 5]),
        ("--found-threshold", float, [0.5]),
        ("--found-after-frames", int, [2]),
    )
    for name, kind, default in tried:
        parser.add_argument(
            name, type=kind, nargs="+", default=default, help="to try (%(default)s)"
        )
    parser.add_argument(
        "--search-crops",
        type=int,
        default=1,
        help="regions searched elsewhere while LOST, by the model written and in the figures"
        " (%(default)s); the calibration is fitted without",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures too")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="the calibrated model"
    )


def run(request: Request) -> int:
    """Fit, choose, print the figures of sequences unseen, and write the model."""
    require("torch")
    require("safetensors")
    from litetrack_ros.model.checkpoint import load_weights, save_weights
    from litetrack_ros.training.calibration import Thresholds, calibrate
    from litetrack_ros.training.certainty import Pair, as_json, certainty, table

    sequences = find_sequences(request.dirs)
    if len(sequences) < 2:
        raise DatasetError("a calibration is judged on sequences left out: give two or more")
    weights = load_weights(request.model)
    chosen_by = json.loads(weights.metadata.get(PROVENANCE_KEY, "{}")).get("tracked") or {}
    known = set(chosen_by.get("sequences", ())) & {sequence.name for sequence in sequences}
    if known:
        print(
            f"the model was chosen among others by {len(known)} of these sequences "
            f"({', '.join(sorted(known))}): the figures below are better than on sequences unseen"
        )
    settings = list(
        itertools.starmap(
            Thresholds,
            itertools.product(
                request.lost_threshold,
                request.lost_after_frames,
                request.found_threshold,
                request.found_after_frames,
            ),
        )
    )
    with Progress(len(sequences) * (3 + len(settings)), "calibrate") as progress:
        found = calibrate(
            open_backend(ModelChoice(str(request.model))),
            sequences,
            settings,
            request.search_crops,
            progress.step,
        )
    for setting, value in found.tried.items():
        chosen = " (chosen)" if setting._asdict().items() <= vars(found.config).items() else ""
        shown = ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in setting._asdict().items())
        print(f"{shown}: right less false TRACKING {value:.3f} of the frames{chosen}")
    figures = certainty([Pair(found.unseen[s.name], found.off[s.name]) for s in sequences])
    print("\neach sequence with what was fitted and chosen on the others:")
    print(format_table(*table(figures)))
    write_json(request.json, as_json(figures))
    extra = {k: v for k, v in weights.metadata.items() if k not in ("format", "model", "tracker")}
    save_weights(request.output, weights.model, found.config, extra)
    print(f"written to {request.output}")
    return 0
