"""From a point that an operator touched to a box, by what the tracker has for it."""

import importlib
from collections.abc import Callable
from typing import Any

from litetrack_ros.errors import BoxError
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.requests import Box

_MODULE = "litetrack_ros.tracker.points"

Picker = Callable[[ConvertedImage, tuple[float, float]], Box]


def point_picker() -> Picker:
    """A function from an image and a point to a box; it raises BoxError, with the reason.

    A second touch at the same place means the next candidate.
    """
    try:
        taps: Any = importlib.import_module(_MODULE).Taps()
    except ImportError:
        return _refuse

    def pick(image: ConvertedImage, point_xy: tuple[float, float]) -> Box:
        candidate = taps.candidate(image.image, point_xy, image.color_order)
        x, y, width, height = (float(v) for v in candidate.box_xywh)
        return x, y, width, height

    return pick


def _refuse(image: ConvertedImage, point_xy: tuple[float, float]) -> Box:
    raise BoxError("selecting by a point is not supported yet: draw a box")
