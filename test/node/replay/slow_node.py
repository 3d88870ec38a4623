"""A tracker node in which one stage takes longer by a known delay. Only tests start it.

DELAY_STAGE is ``conversion``, ``crop``, ``model``, ``decode`` or ``die``; DELAY_S its delay. With
``die`` the process ends itself in the search step number DIE_AT.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "helpers"))

from delaying_backend import DelayingBackend

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.node import inputs
from litetrack_ros.node.main import main
from litetrack_ros.tracker import tracker

STAGE, DELAY_S = os.environ["DELAY_STAGE"], float(os.environ.get("DELAY_S", "0"))


def _late(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        time.sleep(DELAY_S)
        return result

    return wrapped


class DyingBackend(DelayingBackend):
    """Ends the process without a word."""

    def search(self, crops: Any, templates: Any) -> Any:
        if self.searches == int(os.environ["DIE_AT"]):
            os._exit(9)
        return super().search(crops, templates)


def _open(*args: Any, **kwargs: Any) -> Any:
    if STAGE == "die":
        return DyingBackend(open_backend(*args, **kwargs), 0.0)
    return DelayingBackend(open_backend(*args, **kwargs), DELAY_S if STAGE == "model" else 0.0)


if STAGE == "conversion":
    inputs.convert_image = _late(inputs.convert_image)  # type: ignore[attr-defined]
elif STAGE == "crop":
    tracker.extract_crop = _late(tracker.extract_crop)  # type: ignore[attr-defined]
elif STAGE == "decode":
    tracker.map_box_back = _late(tracker.map_box_back)  # type: ignore[attr-defined]
sys.exit(main(opener=_open))
