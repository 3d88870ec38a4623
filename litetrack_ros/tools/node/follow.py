"""``litetrack node follow``: a made pan-tilt camera follows a target by the node's bearings."""

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from litetrack_ros.config import ModelChoice
from litetrack_ros.dependencies import require
from litetrack_ros.errors import ConfigError
from litetrack_ros.report.plots import write_lines
from litetrack_ros.report.tables import format_table, write_json
from litetrack_ros.tools.arguments import Progress, add_json_argument, add_model_arguments

if TYPE_CHECKING:
    from litetrack_ros.replay.pan_tilt_camera import Followed


@dataclass(frozen=True)
class Request:
    """What the command line asks for; ``add_arguments`` says what each is."""

    model: ModelChoice
    latency_ms: float
    tune_s: float
    follow_s: float
    figure: Path | None
    json: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Fill the verb's parser."""
    add_model_arguments(parser)
    parser.add_argument(
        "--latency-ms",
        type=float,
        default=80.0,
        help="from a picture's stamp until its bearing is there, of the scene's time (%(default)s)",
    )
    parser.add_argument(
        "--tune-s", type=float, default=3.0, help="each controller is tried so long (%(default)s)"
    )
    parser.add_argument(
        "--follow-s", type=float, default=7.0, help="each path is followed so long (%(default)s)"
    )
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="draw the errors on the random path, as FILE.png and FILE.pdf",
    )
    add_json_argument(parser)


def run(request: Request) -> int:
    """Choose a controller for each way by the same grid, follow, and print."""
    require("rclpy")
    require("litetrack_ros.msg")
    from litetrack_ros.replay.pan_tilt import SETTLE_S, rms
    from litetrack_ros.replay.pan_tilt_camera import FOLLOWED, WAYS, tune_and_follow

    if min(request.tune_s, request.follow_s) <= SETTLE_S:
        raise ConfigError(
            f"--tune-s and --follow-s must be above {SETTLE_S:g}: the start does not count"
        )
    if not 0.0 <= request.latency_ms <= 200.0:
        raise ConfigError("--latency-ms must be from 0 to 200")
    with Progress(len(WAYS) * FOLLOWED, "following") as progress:
        found = {
            way: tune_and_follow(
                request.model,
                parameters,
                1e-3 * request.latency_ms,
                request.tune_s,
                request.follow_s,
                progress.step,
            )
            for way, parameters in WAYS.items()
        }
    degrees = {
        way: {path: math.degrees(rms(history)) for path, history in followed.histories.items()}
        for way, followed in found.items()
    }
    _print(found, degrees)
    if request.figure is not None:
        lines = {
            way: (history[:, 0], history[:, 1] * (180 / math.pi))
            for way, followed in found.items()
            for history in [followed.histories["random"]]
        }
        note = f"random path, bearings {request.latency_ms:g} ms after their image"
        write_lines(request.figure, lines, "s", "error, degree", note=note)
    figures = {
        way: {
            "gain": followed.controller.gain,
            "rate_share": followed.controller.rate_share,
            "tuned_rms_degree": math.degrees(followed.tuned_rms),
            "rms_degree": degrees[way],
        }
        for way, followed in found.items()
    }
    write_json(request.json, {"latency_ms": request.latency_ms, "ways": figures})
    return 0


def _print(found: "Mapping[str, Followed]", degrees: Mapping[str, Mapping[str, float]]) -> None:
    rows = [
        [
            way,
            f"{followed.controller.gain:g}",
            f"{followed.controller.rate_share:g}",
            *(f"{v:.2f}" for v in degrees[way].values()),
        ]
        for way, followed in found.items()
    ]
    without, predicted = degrees.values()
    rows.append(["ratio", "", "", *(f"{predicted[p] / without[p]:.2f}" for p in without)])
    print(format_table(["RMS error, degree", "gain", "rate share", *without], rows))
