"""Is this the target that was selected? What it looked like then, compared with boxes now.

The network finds what looks most like its template, and one car looks much like the next. Here the
colours and the edges in a box are compared, part by part, with those of the first image. In doubt
the answer is no: a change of view is a no too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from litetrack_ros.geometry import BoxLike, FloatArray
from litetrack_ros.images import ColorOrder, Image, Uint8Image, to_bgr8
from litetrack_ros.opencv import cv2

SIDE_PX = 32  # of a box's content, made square
MARGIN = 0.1  # of the box's size around it that is cut out, for the shifts
_LARGEST_PX = 48  # of what is cut out before that
_SHIFTS = ((0.0, 0.0), (-0.08, 0.0), (0.08, 0.0), (0.0, -0.08), (0.0, 0.08))  # of a box's size
_CELLS = 6  # along a side, whose colours are compared
_BINS = (6, 12, 12)  # of lightness and of the two colour axes
_COLOR_STEP = 6  # of a colour axis
_EDGES = cv2.HOGDescriptor((SIDE_PX, SIDE_PX), (16, 16), (8, 8), (8, 8), 9)
_AT = (np.arange(SIDE_PX) - (SIDE_PX - 1) / 2) / 12
_MIDDLE = np.exp(-(_AT[:, None] ** 2 + _AT**2)).reshape(-1)

# Log odds of being the same: fitted on 14 sequences (frame 0 and 15 to 100 frames later) and on
# neighbours of one class in photos. In 463 photos, three looks at up to three neighbours each: one
# was taken for the target in none where they had been seen beside it before, else in 1.1 %. Of the
# targets in the sequences' later frames a half is recognised where others are unlike it.
_WEIGHTS = np.array([3.396, -1.062, -2.567, -1.545, -0.951])
_BIAS = 7.175
ENOUGH = 1.5
UNKNOWN_OTHERS = 3.0  # enough where no other was ever seen
CLEARLY = 1.5  # how much more than any other


class Appearance(NamedTuple):
    """What a box holds.

    Attributes:
        grey: ``(32, 32)`` around 0, of length 1.
        edges: histograms of gradients, of length 1.
        colors: ``(6, 6, 3)`` Lab, the mean lightness taken away.
        histogram: of Lab colours, most of all in the middle, of sum 1.
        log_aspect: of the box.
    """

    grey: FloatArray
    edges: FloatArray
    colors: FloatArray
    histogram: FloatArray
    log_aspect: float

    @classmethod
    def at(cls, image: Image, box_xywh: BoxLike, color_order: ColorOrder = "bgr") -> "Appearance":
        """Look at a box.

        Args:
            image: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``, uint8 or uint16.
            box_xywh: image pixels, of a positive size; some of it inside the image.
            color_order: of images with colour.
        """
        return _appearances(image, box_xywh, color_order, _SHIFTS[:1])[0]

    def likeness(self, image: Image, box_xywh: BoxLike, color_order: ColorOrder = "bgr") -> float:
        """The log odds that a box shows the same; arguments as :meth:`at`."""
        looks = _appearances(image, box_xywh, color_order, _SHIFTS)
        features = np.array(
            [
                max(float((self.grey * look.grey).sum()) for look in looks),
                max(float(self.edges @ look.edges) for look in looks),
                np.log(
                    1e-3 + min(float(np.abs(self.colors - look.colors).mean()) for look in looks)
                ),
                max(float(np.sqrt(self.histogram * look.histogram).sum()) for look in looks),
                abs(self.log_aspect - looks[0].log_aspect),
            ]
        )
        return float(features @ _WEIGHTS + _BIAS)


class Recogniser:
    """Tells a target from others of its kind, by its first look and by theirs.

    Args:
        look: of the target where it was selected.
    """

    def __init__(self, look: Appearance) -> None:
        self._look = look
        self._nearest_other: float | None = None

    def learn(
        self, image: Image, boxes_xywh: Sequence[BoxLike], color_order: ColorOrder = "bgr"
    ) -> None:
        """See boxes that do not show the target; arguments as :meth:`Appearance.at`."""
        odds = [self._look.likeness(image, box, color_order) for box in boxes_xywh]
        known = [] if self._nearest_other is None else [self._nearest_other]
        self._nearest_other = max([*odds, *known], default=None)

    def recognise(
        self, image: Image, boxes_xywh: Sequence[BoxLike], color_order: ColorOrder = "bgr"
    ) -> int | None:
        """Which of the boxes shows the target; None where none does, or two might."""
        if self._nearest_other is None:
            enough = UNKNOWN_OTHERS
        else:
            enough = max(ENOUGH, self._nearest_other + CLEARLY)
        odds = [self._look.likeness(image, box, color_order) for box in boxes_xywh]
        if not odds or max(odds) < enough:
            return None
        best = int(np.argmax(odds))
        others = odds[:best] + odds[best + 1 :]
        return best if not others or odds[best] - max(others) >= CLEARLY else None


def _appearances(
    image: Image,
    box_xywh: BoxLike,
    color_order: ColorOrder,
    shifts: Sequence[tuple[float, float]],
) -> list[Appearance]:
    """What a box holds, and the same box moved a little."""
    x, y, width, height = (float(v) for v in np.asarray(box_xywh, dtype=np.float64))
    left, top = int(max(x - MARGIN * width, 0)), int(max(y - MARGIN * height, 0))
    right, bottom = int(x + (1 + MARGIN) * width) + 1, int(y + (1 + MARGIN) * height) + 1
    part = to_bgr8(np.ascontiguousarray(image[top:bottom, left:right]), color_order)
    factor = min(1.0, _LARGEST_PX / max(part.shape[:2]))
    if factor < 1:
        size = (max(1, round(part.shape[1] * factor)), max(1, round(part.shape[0] * factor)))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    log_aspect = float(np.log(width / height))
    across, down = factor * width / SIDE_PX, factor * height / SIDE_PX
    found = []
    for shift_x, shift_y in shifts:
        start_x = factor * (x + shift_x * width - left)
        start_y = factor * (y + shift_y * height - top)
        content = cv2.warpAffine(
            part,
            np.array([[across, 0.0, start_x], [0.0, down, start_y]]),
            (SIDE_PX, SIDE_PX),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        found.append(_look(np.asarray(content, dtype=np.uint8), log_aspect))
    return found


def _look(content_bgr: Uint8Image, log_aspect: float) -> Appearance:
    """``(32, 32, 3)`` as a look."""
    lab = cv2.cvtColor(content_bgr, cv2.COLOR_BGR2LAB)
    flat = lab.reshape(-1, 3).astype(np.int64)
    a, b = ((flat[:, k] - 128) // _COLOR_STEP + _BINS[k] // 2 for k in (1, 2))
    cell = flat[:, 0] * _BINS[0] // 256 * _BINS[1] + a.clip(0, _BINS[1] - 1)
    cell = cell * _BINS[2] + b.clip(0, _BINS[2] - 1)
    histogram = np.bincount(cell, _MIDDLE, int(np.prod(_BINS)))
    grey = cv2.cvtColor(content_bgr, cv2.COLOR_BGR2GRAY).astype(np.float64)
    grey -= grey.mean()
    edges = np.asarray(_EDGES.compute(content_bgr), dtype=np.float64).reshape(-1)
    cells = cv2.resize(lab.astype(np.float64), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    colors = np.asarray(cells, dtype=np.float64)
    colors[..., 0] -= colors[..., 0].mean()
    return Appearance(
        grey / (np.linalg.norm(grey) + 1.0),
        edges / (np.linalg.norm(edges) + 1e-6),
        colors,
        histogram / histogram.sum(),
        log_aspect,
    )
