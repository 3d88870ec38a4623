"""From a point to boxes: what may have been meant by a tap on an image.

Squares of several sizes are cut out around the point. In each, a small network says how far the
object under the point reaches to all four sides, and how well that box will fit
(``litetrack model points --train`` made it). Boxes of different squares that agree support each
other; the best that differ are the candidates. OpenCV runs the network: no torch, no onnxruntime.
"""

import functools
import math
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from litetrack_ros.errors import BoxError
from litetrack_ros.geometry import FloatArray, overlap, xyxy_to_xywh
from litetrack_ros.images import ColorOrder, Image, Uint8Image, check_image, to_bgr8
from litetrack_ros.opencv import cv2
from litetrack_ros.resources import model_path

MODEL_NAME = "point_boxes.onnx"
MAX_CANDIDATES = 3
SMALLEST_SIDE_PX = 20  # of the squares around the point
SIDE_STEP = 1.6
LARGEST_SIDE = 1.6  # of the image's longer side
CROP_PX = 128
HYPOTHESES = 2  # boxes a square
PIXEL_MEAN = 127.0
GREY = 127  # what is seen outside the image

# How boxes are merged and told apart (overlaps), and when there is nothing to point at.
MERGE_OVERLAP = 0.6
DISTINCT_OVERLAP = 0.6
VOTE_WEIGHT = 0.8
PLAIN_REACH = 1 / 32  # of the longer side: how far around the point it must be plain
PLAIN_REACH_PX = 6
PLAIN_CONFIDENCE = 0.6
PLAIN_DEVIATION = 5.0

# A tap within this part of the image's diagonal is at the same place as the last one.
SAME_PLACE = 0.02


class Candidate(NamedTuple):
    """A box that may have been meant.

    Attributes:
        box_xywh: image pixels, float64 ``(4,)``, within the image.
        confidence: the overlap with the object that is to be expected, in [0, 1].
    """

    box_xywh: FloatArray
    confidence: float


def propose_boxes(
    image: Image, point_xy: Sequence[float], color_order: ColorOrder = "bgr"
) -> list[Candidate]:
    """The boxes that a point may mean, the likeliest first.

    Args:
        image: ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)``, uint8 or uint16.
        point_xy: image pixels; the centre of the top-left pixel is (0.5, 0.5).
        color_order: of images with colour.

    Returns:
        One to three candidates, each another size or another part.

    Raises:
        ImageError: not an image.
        BoxError: the point lies outside the image, is given in parts of the image's size, or lies
            on plain ground.

    Examples:
        >>> from litetrack_ros.geometry import overlap
        >>> from litetrack_ros.media.scene import DrawnScene
        >>> from litetrack_ros.tracker.point_boxes import propose_boxes
        >>> scene = DrawnScene(frames=1)
        >>> x, y, width, height = scene.box_xywh(0)
        >>> candidates = propose_boxes(scene.frame(0), (x + width / 2, y + height / 2))
        >>> bool(overlap(candidates[0].box_xywh, scene.box_xywh(0)) > 0.5)
        True
    """
    image = check_image(image)
    height, width = image.shape[:2]
    x, y = check_point(point_xy, width, height)
    picture = to_bgr8(image, color_order)
    boxes, confidences = _ask_network(picture, x, y)
    boxes = _within(boxes, width, height)
    candidates = _choose(boxes, confidences)
    if not candidates or (
        candidates[0].confidence < PLAIN_CONFIDENCE and _deviation(picture, x, y) < PLAIN_DEVIATION
    ):
        raise BoxError(
            f"there is nothing to tell from its surroundings at ({x:g}, {y:g}): point at an "
            "object, or drag a box around it"
        )
    return candidates


def check_point(point_xy: Sequence[float], width_px: int, height_px: int) -> tuple[float, float]:
    """A point as two floats, or why it points at nothing in the image.

    Raises:
        BoxError: not two numbers, not finite, outside the image, or between 0 and 1 as if it were
            given in parts of the image's size.
    """
    try:
        point = np.asarray(point_xy, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise BoxError(f"a point must be two numbers x y, not {point_xy!r}") from error
    if point.shape != (2,):
        raise BoxError(f"a point must be two numbers x y, got {point.size}")
    x, y = float(point[0]), float(point[1])
    size = f"{width_px}x{height_px}"
    if not math.isfinite(x) or not math.isfinite(y):
        raise BoxError(f"the point ({x:g}, {y:g}) holds a value that is not finite")
    if not (0 <= x < width_px and 0 <= y < height_px):
        raise BoxError(f"the point ({x:g}, {y:g}) lies outside the {size} image")
    if x <= 1 and y <= 1 and min(width_px, height_px) > 1 and (x, y) != (0.0, 0.0):
        raise BoxError(
            f"the point ({x:g}, {y:g}) looks like parts of the image's size; give pixels of the "
            f"{size} image"
        )
    return x, y


class Taps:
    """Points one after the other: a second one at the same place means the next candidate.

    Examples:
        >>> from litetrack_ros.media.scene import DrawnScene
        >>> from litetrack_ros.tracker.point_boxes import Taps
        >>> scene, taps = DrawnScene(frames=1), Taps()
        >>> x, y, width, height = scene.box_xywh(0)
        >>> first = taps.candidate(scene.frame(0), (x + width / 2, y + height / 2))
        >>> second = taps.candidate(scene.frame(0), (x + width / 2, y + height / 2))
        >>> bool((first.box_xywh != second.box_xywh).any())
        True
    """

    def __init__(self) -> None:
        self._last_xy: tuple[float, float] | None = None
        self._taken = 0

    def candidate(
        self, image: Image, point_xy: Sequence[float], color_order: ColorOrder = "bgr"
    ) -> Candidate:
        """The best candidate for a point, or the next one if the last point was there too.

        After the last candidate the first one comes again. Arguments and errors are those of
        :func:`propose_boxes`.
        """
        candidates = propose_boxes(image, point_xy, color_order)
        x, y = (float(v) for v in point_xy)
        reach = SAME_PLACE * math.hypot(*image.shape[:2])
        last = self._last_xy
        again = last is not None and math.hypot(x - last[0], y - last[1]) <= reach
        self._taken = self._taken + 1 if again else 0
        self._last_xy = x, y
        return candidates[self._taken % len(candidates)]

    def forget(self) -> None:
        """The next point is a first one wherever it lies."""
        self._last_xy = None


def square_sides(width_px: int, height_px: int) -> list[int]:
    """Sides of the squares looked at in an image, even numbers of pixels, from small to large."""
    longest = LARGEST_SIDE * max(width_px, height_px)
    count = max(1, math.ceil(math.log(max(longest / SMALLEST_SIDE_PX, 1.0), SIDE_STEP)) + 1)
    return [2 * round(SMALLEST_SIDE_PX * SIDE_STEP**k / 2) for k in range(count)]


def cut_square(picture_bgr: Uint8Image, center_xy: tuple[int, int], side_px: int) -> Uint8Image:
    """A square around a pixel's corner at :data:`CROP_PX`, grey outside the picture.

    Args:
        picture_bgr: ``(H, W, 3)``; the centre lies within it.
        center_xy: px, whole numbers.
        side_px: even.

    Returns:
        ``(CROP_PX, CROP_PX, 3)`` BGR.
    """
    height, width = picture_bgr.shape[:2]
    x0, y0 = center_xy[0] - side_px // 2, center_xy[1] - side_px // 2
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x0 + side_px, width), min(y0 + side_px, height)
    scale = CROP_PX / side_px
    to_left, to_top = round((left - x0) * scale), round((top - y0) * scale)
    to_left, to_top = min(to_left, CROP_PX - 1), min(to_top, CROP_PX - 1)
    to_right = max(round((right - x0) * scale), to_left + 1)
    to_bottom = max(round((bottom - y0) * scale), to_top + 1)
    inside = picture_bgr[top:bottom, left:right]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.full((CROP_PX, CROP_PX, 3), GREY, dtype=np.uint8)
    if inside.shape[:2] != (1, 1):  # OpenCV before 4.5.5 refuses an array of one pixel
        size = (to_right - to_left, to_bottom - to_top)
        inside = np.asarray(cv2.resize(inside, size, interpolation=way), dtype=np.uint8)
    square[to_top:to_bottom, to_left:to_right] = inside
    return square


def network_input(squares_bgr: Sequence[Uint8Image]) -> FloatArray:
    """Squares as the network takes them: float32 ``(N, 3, CROP_PX, CROP_PX)``, RGB around 0."""
    stacked = np.stack(squares_bgr)[..., ::-1].astype(np.float32) - np.float32(PIXEL_MEAN)
    return np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))


class _Network:
    """The network on OpenCV; one call at a time, as OpenCV keeps a call's arrays in the network."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._net: Any = cv2.dnn.readNetFromONNX(str(model_path(MODEL_NAME)))

    def __call__(self, crops: FloatArray) -> FloatArray:
        """``(N, 3, S, S)`` to ``(N, K, 5)``: how far left, up, right, down; expected overlap."""
        with self._lock:
            self._net.setInput(crops)
            raw = np.array(self._net.forward(), dtype=np.float64).reshape(-1, HYPOTHESES, 5)
        reach, quality = np.logaddexp(raw[..., :4], 0.0), 1.0 / (1.0 + np.exp(-raw[..., 4:]))
        return np.concatenate([reach, quality], axis=-1)


@functools.lru_cache(maxsize=1)
def _network() -> _Network:
    return _Network()


def _ask_network(picture: Uint8Image, x: float, y: float) -> tuple[FloatArray, FloatArray]:
    """Boxes xyxy in pixels ``(N, 4)`` and their confidences ``(N,)``, all squares together."""
    height, width = picture.shape[:2]
    sides = square_sides(width, height)
    center = min(round(x), width - 1), min(round(y), height - 1)
    answer = _network()(network_input([cut_square(picture, center, side) for side in sides]))
    reach = answer[..., :4] * np.array(sides, dtype=np.float64)[:, None, None]
    corners = np.array([*center, *center], dtype=np.float64) + reach * (-1, -1, 1, 1)
    return corners.reshape(-1, 4), answer[..., 4].reshape(-1)


def _choose(boxes_xyxy: FloatArray, confidences: FloatArray) -> list[Candidate]:
    """The best boxes that differ: each is the mean of the boxes that agree with it."""
    boxes = xyxy_to_xywh(boxes_xyxy)
    alike = overlap(boxes[:, None], boxes[None])
    support = np.where(alike >= MERGE_OVERLAP, alike, 0.0) * confidences**2
    votes = support.sum(axis=1)
    scores = confidences + VOTE_WEIGHT * votes / (votes + 1.0)
    merged = xyxy_to_xywh(support @ boxes_xyxy / (votes[:, None] + 1e-9))
    chosen: list[Candidate] = []
    for index in np.argsort(-scores):
        box = merged[index]
        distinct = all(overlap(box, c.box_xywh) < DISTINCT_OVERLAP for c in chosen)
        if distinct and box[2:].min() >= 1.0:
            chosen.append(Candidate(box, float(confidences[index])))
        if len(chosen) == MAX_CANDIDATES:
            break
    return chosen


def _within(boxes_xyxy: FloatArray, width_px: int, height_px: int) -> FloatArray:
    """Corners moved into the image."""
    limits = np.array([width_px, height_px, width_px, height_px], dtype=np.float64)
    return np.asarray(boxes_xyxy.clip(0.0, limits), dtype=np.float64)


def _deviation(picture: Uint8Image, x: float, y: float) -> float:
    """The standard deviation of the grey values around a point."""
    height, width = picture.shape[:2]
    reach = max(PLAIN_REACH_PX, round(PLAIN_REACH * max(width, height)))
    part = picture[max(int(y) - reach, 0) : int(y) + reach + 1]
    part = part[:, max(int(x) - reach, 0) : int(x) + reach + 1]
    return float(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY).std())
