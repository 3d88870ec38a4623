"""Where in the whole picture to look for a target: by the colours of its first template.

The picture is reduced, each pixel weighted by how much more frequent its colour is on the target
than in the picture, and the weights are summed over boxes of the target's size. Windows as large as
a search region lie in a raster over the picture: each is visited once before any is again, the one
with the best box first. Beside them the best box itself may be looked at at any time.
"""

import numpy as np
import numpy.typing as npt

from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import ColorOrder, Image, to_rgb8
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.looks import Float32Array, colour_shares, weighted

_REDUCED_PX = 120  # short side ...
_LONGEST_PX = 1200  # ... but the long one at most this, of pictures that are nearly lines
_STEP = 0.65  # of a window's side, between two of the raster
_LEAST_SIDE_PX = 16.0  # of a window: of smaller ones there would be too many
_LEAST_SHARE = 1e-4  # of a colour in the picture
_RESTS_FRAMES = 12  # before a box is proposed again
_REST_REACH = 0.5  # of the search region's side, around it


class Proposals:
    """What to look at next for one target.

    Args:
        colours: shares of the target's colours, ``(Y, Cr, Cb)``.
        box_xywh: its last box, px, whose size is looked for.
        side_px: of a window.
    """

    def __init__(self, colours: Float32Array, box_xywh: FloatArray, side_px: float) -> None:
        self._colours, self._side_px = colours, max(side_px, _LEAST_SIDE_PX)
        self._box_size = np.array(box_xywh[2:], dtype=np.float64)
        self._visited: npt.NDArray[np.bool_] | None = None
        self._shape = (0, 0)
        self._looked_at: list[tuple[int, FloatArray]] = []
        self._frame = 0
        self._map: Float32Array = np.zeros((1, 1), np.float32)
        self._scale = 1.0

    def look(self, image: Image, color_order: ColorOrder) -> None:
        """Take the next picture."""
        height, width = image.shape[:2]
        self._frame += 1
        self._scale = min(1.0, _REDUCED_PX / min(height, width), _LONGEST_PX / max(height, width))
        size = max(1, round(width * self._scale)), max(1, round(height * self._scale))
        small = to_rgb8(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), color_order)
        ratio = self._colours / np.maximum(colour_shares(small), _LEAST_SHARE)
        weights = weighted(small, np.minimum(ratio / max(float(ratio.max()), 1e-6), 1.0))
        box = [max(1, round(float(v) * self._scale)) for v in self._box_size]
        # A box that was selected in a larger picture may be larger than this one.
        box = [min(one, length) for one, length in zip(box, size, strict=True)]
        self._map = np.asarray(cv2.blur(weights, box), dtype=np.float32)
        if self._shape != (height, width):
            self._shape, self._visited = (height, width), None

    def best(self) -> FloatArray:
        """The middle of the best box not looked at lately, px, ``(2,)``."""
        self._looked_at = [one for one in self._looked_at if self._frame - one[0] < _RESTS_FRAMES]
        left = self._map.copy()
        reach = _REST_REACH * self._side_px * self._scale
        for _, (x, y) in self._looked_at:
            x0, x1 = (max(0, round(x * self._scale + sign * reach)) for sign in (-1, 1))
            y0, y1 = (max(0, round(y * self._scale + sign * reach)) for sign in (-1, 1))
            left[y0 : y1 + 1, x0 : x1 + 1] = -1.0
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        center = (np.array([column, row], dtype=np.float64) + 0.5) / self._scale
        center = np.minimum(center, self._shape[::-1])  # a line is less than a pixel wide, reduced
        self.visit(center)
        return center

    def visit(self, center_xy: FloatArray) -> None:
        """Remember that a place was looked at in this picture."""
        self._looked_at.append((self._frame, center_xy))

    def next_window(self) -> FloatArray:
        """The middle of the raster's best window of those not visited yet, px, ``(2,)``."""
        height, width = self._shape
        xs, ys = _centers(width, self._side_px), _centers(height, self._side_px)
        if self._visited is None or self._visited.all():
            self._visited = np.zeros((len(ys), len(xs)), dtype=np.bool_)
        reach = max(1, round(_STEP * self._side_px * self._scale))
        high, wide = (min(reach, 2 * length) for length in self._map.shape)
        spread = cv2.dilate(self._map, np.ones((high, wide), np.uint8))
        rows = (ys * self._scale).astype(int).clip(0, len(spread) - 1)
        columns = (xs * self._scale).astype(int).clip(0, spread.shape[1] - 1)
        scores = np.where(self._visited, -1.0, spread[rows[:, None], columns[None, :]])
        row, column = np.unravel_index(int(scores.argmax()), scores.shape)
        self._visited[row, column] = True
        return np.array([xs[column], ys[row]])


def _centers(length_px: int, side_px: float) -> FloatArray:
    """Middles of windows that cover a length, px; a border needs no more than half a step."""
    count = max(1, int(np.ceil(length_px / (_STEP * side_px) - 0.25)))
    return np.asarray((np.arange(count) + 0.5) * length_px / count, dtype=np.float64)
