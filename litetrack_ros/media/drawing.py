"""Boxes, labels and legends on images, all drawn in place on ``(H, W, 3)`` uint8 BGR."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.geometry import BoxLike
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2

Color = tuple[int, int, int]

GREEN: Color = (60, 200, 60)
RED: Color = (50, 50, 230)
# The paper's Fig. 7: ground truth green, ours blue, others yellow and red; then further ones.
GROUND_TRUTH_COLOR: Color = GREEN
TRACKER_COLORS: tuple[Color, ...] = (
    (255, 120, 30),
    (0, 215, 255),
    (50, 50, 230),
    (230, 80, 230),
    (220, 220, 60),
    (0, 130, 255),
)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_GAP_PX = 4  # between panels


class LegendEntry(NamedTuple):
    """A name and the colour it is drawn in, BGR."""

    name: str
    color: Color


def draw_box(image_bgr: Uint8Image, box_xywh: BoxLike, color: Color) -> None:
    """Draw a box's outline; a box with NaN draws nothing."""
    if not np.isfinite(box_xywh).all():
        return
    # Far outside the image OpenCV's integers would overflow.
    limit = 4 * max(image_bgr.shape[:2])
    x, y, w, h = (float(v) for v in box_xywh)
    corners = np.clip([x, y, x + w, y + h], -limit, limit)
    left, top, right, bottom = (round(float(v)) for v in corners)
    cv2.rectangle(image_bgr, (left, top), (right, bottom), color, _thickness(image_bgr))


def draw_text(image_bgr: Uint8Image, text: str, line: int = 0, color: Color = GREEN) -> None:
    """Write a line of text into the top left corner, on a dark ground; lines count from 0."""
    scale = _text_scale(image_bgr)
    (width, height), baseline = cv2.getTextSize(text, _FONT, scale, 1)
    step = height + baseline + round(6 * scale)
    top = line * step
    image_bgr[top : top + step, : width + 8] //= 4
    origin = (4, top + height + round(3 * scale))
    cv2.putText(image_bgr, text, origin, _FONT, scale, color, 1, cv2.LINE_AA)


def draw_legend(image_bgr: Uint8Image, entries: Sequence[LegendEntry]) -> None:
    """Write every name in its colour, one below the other."""
    for line, entry in enumerate(entries):
        draw_text(image_bgr, entry.name, line, entry.color)


def heat_map(image_bgr: Uint8Image, values: npt.NDArray[np.floating]) -> Uint8Image:
    """A copy of an image under a colour map: blue for 0, red for the greatest value.

    Args:
        image_bgr: ``(H, W, 3)``.
        values: ``(h, w)``, not negative; stretched over the image.
    """
    height, width = image_bgr.shape[:2]
    scaled = np.asarray(values, np.float32) / max(float(values.max()), 1e-12)
    stretched = cv2.resize(scaled, (width, height), interpolation=cv2.INTER_CUBIC)
    levels = np.asarray(255 * np.clip(stretched, 0, 1), dtype=np.uint8)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_JET)
    return np.asarray(cv2.addWeighted(image_bgr, 0.5, colors, 0.5, 0), dtype=np.uint8)


def tile(panels: Sequence[Uint8Image], columns: int) -> Uint8Image:
    """Panels of one size in rows of up to ``columns``, parted by 4 px; missing ones are black."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    height, width = panels[0].shape[:2]
    down, right = height + _GAP_PX, width + _GAP_PX
    sheet = np.zeros((rows * down - _GAP_PX, columns * right - _GAP_PX, 3), dtype=np.uint8)
    for number, panel in enumerate(panels):
        top, left = number // columns * down, number % columns * right
        sheet[top : top + height, left : left + width] = panel
    return sheet


def _thickness(image: Uint8Image) -> int:
    return max(1, round(min(image.shape[:2]) / 240))


def _text_scale(image: Uint8Image) -> float:
    return float(np.clip(image.shape[1] / 1000, 0.35, 1.2))
