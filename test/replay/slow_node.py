"""A tracker node in which one stage takes a known time. Only tests start it.

DELAY_STAGE is ``conversion``, ``crop``, ``model`` or ``decode``, which takes DELAY_S seconds; what
it really took, on a machine that may be busy, goes to the file DELAY_LOG, in ms. With
``truth`` the model does, and the box is where the bright square of made_bags is. With ``die`` the
process ends itself in the search step number DIE_AT.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

import numpy as np
from delaying_backend import DelayingBackend

from litetrack_ros import crop
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.node import inputs
from litetrack_ros.node.program import main
from litetrack_ros.tracker import tracker
from litetrack_ros.tracker.result import StageTiming, TrackResult
from litetrack_ros.tracker.state import State

STAGE, DELAY_S = os.environ["DELAY_STAGE"], float(os.environ.get("DELAY_S", "0"))


def _late(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        start_s = time.perf_counter()
        result = function(*args, **kwargs)
        time.sleep(max(0.0, start_s + DELAY_S - time.perf_counter()))
        with Path(os.environ["DELAY_LOG"]).open("a") as log:
            log.write(f"{1e3 * (time.perf_counter() - start_s)}\n")
        return result

    return wrapped


class DyingBackend(DelayingBackend):
    """Ends the process without a word."""

    def search(self, crops: Any, templates: Any) -> Any:
        if self.searches == int(os.environ["DIE_AT"]):
            os._exit(9)
        return super().search(crops, templates)


class SlowBackend(DelayingBackend):
    """Its search takes a known time altogether."""

    def search(self, crops: Any, templates: Any) -> Any:
        return _late(super().search)(crops, templates)


def _find_square(self: tracker.MultiTracker, image: Any, color_order: str = "bgr") -> list[Any]:
    """In place of the tracker's update: without error, but slow."""
    if not self.target_ids:
        return []
    time.sleep(DELAY_S)
    rows, columns = np.nonzero(np.asarray(image)[..., 2] > 200)
    if not rows.size:
        return []  # the black picture that the node warms up with
    left, top = float(columns.min()), float(rows.min())
    box = np.array([left, top, columns.max() + 1 - left, rows.max() + 1 - top])
    timing = StageTiming(0.0, 1e3 * DELAY_S, 0.0)
    result = TrackResult(self.target_ids[0], box, box, 0.9, 0.9, False, 0.9, State.TRACKING, timing)
    return [result]


def _open(choice: ModelChoice) -> Any:
    backend = open_backend(choice)
    if STAGE == "die":
        return DyingBackend(backend, 0.0)
    return SlowBackend(backend, 0.0) if STAGE == "model" else backend


if STAGE == "conversion":
    inputs.convert_image = _late(inputs.convert_image)  # type: ignore[attr-defined]
elif STAGE == "crop":
    crop.extract_crop = _late(crop.extract_crop)
elif STAGE == "truth":
    tracker.MultiTracker.update = _find_square  # type: ignore[method-assign]
elif STAGE == "decode":
    tracker.map_box_back = _late(tracker.map_box_back)  # type: ignore[attr-defined]
sys.exit(main(opener=_open))
