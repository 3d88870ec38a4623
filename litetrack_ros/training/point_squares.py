"""Squares around points on annotated photos, to train what finds boxes from points."""

import math
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from litetrack_ros.datasets.photos import Photo, PhotoObject
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.point_boxes import SMALLEST_SIDE_PX, cut_square

# How often each set of photos is drawn from; COCO's hold the most kinds of objects.
SOURCE_WEIGHTS = {"coco": 0.62, "ccp": 0.08, "pets": 0.13, "human": 0.07, "pennfudan": 0.10}
SMALLEST_OBJECT_PX = 6.0
GROUND_SHARE = 0.18  # of points that lie on no object
CENTRE_SHARE = 0.35  # of points on objects that lie near the middle
FITTING_SHARE = 0.85  # of squares in which the object has a size that can be judged
FITTING = (0.1, 1.25)  # the object's longer side over the square's
SHRUNK_SHARE = 0.45
SHRUNK_PX = (10.0, 60.0)  # the object's longer side after shrinking
VALIDATION_ONE_IN = 10
SQUARES_A_DRAW = 3  # around other points of the same object: a picture takes time to read


class Square(NamedTuple):
    """One example.

    Attributes:
        picture_bgr: as :func:`~litetrack_ros.tracker.point_boxes.cut_square` returns it.
        reach: how far the object reaches left, up, right and down; the square's side is 1.
        on_object: whether there is an object under the point.
    """

    picture_bgr: Uint8Image
    reach: FloatArray
    on_object: bool


def is_for_validation(photo: Photo) -> bool:
    """Whether a photo is for watching the training; none of those is held out."""
    return zlib.crc32(photo.path.name.encode()) % VALIDATION_ONE_IN == 0


def squares(photos: Sequence[Photo], seed: int) -> Iterator[Square]:
    """Examples without end, the same for the same seed; held-out photos give none.

    Raises:
        DatasetError: no photo to train on.
    """
    rng = np.random.default_rng(seed)
    by_source: dict[str, list[tuple[Photo, PhotoObject]]] = {}
    for photo in photos:
        for thing in photo.objects:
            large = thing.box_xywh[2:].min() >= SMALLEST_OBJECT_PX and not thing.is_crowd
            if large and not photo.is_held_out and photo.source in SOURCE_WEIGHTS:
                by_source.setdefault(photo.source, []).append((photo, thing))
    if not by_source:
        raise DatasetError(
            f"no photo to train on: their names begin with {', '.join(SOURCE_WEIGHTS)}"
        )
    sources = list(by_source)
    weights = np.array([SOURCE_WEIGHTS[source] for source in sources])
    while True:
        choices = by_source[sources[rng.choice(len(sources), p=weights / weights.sum())]]
        photo, thing = choices[rng.integers(len(choices))]
        picture = photo.read()
        for _ in range(SQUARES_A_DRAW):
            square = _square(photo, picture, thing, rng)
            if square is not None:
                yield square


def _square(
    photo: Photo, picture: Uint8Image, thing: PhotoObject, rng: np.random.Generator
) -> Square | None:
    height, width = picture.shape[:2]
    on_object = rng.random() >= GROUND_SHARE
    if on_object:
        point = _point_on(thing, width, height, rng)
        box = thing.box_xywh
        reach = np.array([*(point - box[:2]), *(box[:2] + box[2:] - point)])
        longest = float(box[2:].max())
        side = longest / _ratio(rng)
    else:
        found = _point_beside(photo, width, height, rng)
        if found is None:
            return None
        point, reach, longest = found, np.zeros(4), 100.0
        side = math.exp(rng.uniform(math.log(SMALLEST_SIDE_PX), math.log(1.5 * max(width, height))))
    if rng.random() < SHRUNK_SHARE:
        scale = math.exp(rng.uniform(*np.log(SHRUNK_PX))) / longest
        if 0.04 < scale < 1:
            picture, point = _shrink(picture, point, side, scale, rng)
            side, reach = side * scale, reach * scale
    even = max(2 * round(side / 2), 8)
    center = round(float(point[0])), round(float(point[1]))
    if not (0 <= center[0] < picture.shape[1] and 0 <= center[1] < picture.shape[0]):
        return None
    if on_object:
        moved = np.array(center) - point
        reach = np.maximum(reach + np.concatenate([moved, -moved]), 0.0)
    cut, reach = cut_square(picture, center, even), reach / even
    if rng.random() < 0.5:
        cut, reach = cut[:, ::-1], reach[[2, 1, 0, 3]]
    return Square(_recolour(cut, rng), reach, on_object)


def _ratio(rng: np.random.Generator) -> float:
    """The object's longer side over the square's."""
    if rng.random() < FITTING_SHARE:
        return math.exp(rng.uniform(*np.log(FITTING)))
    span = (FITTING[0] / 5, FITTING[0]) if rng.random() < 0.5 else (FITTING[1], 4 * FITTING[1])
    return math.exp(rng.uniform(*np.log(span)))


def _point_on(thing: PhotoObject, width: int, height: int, rng: np.random.Generator) -> FloatArray:
    """Near the middle of the box, or anywhere on the mask; within box and picture."""
    low, high = thing.box_xywh[:2], thing.box_xywh[:2] + thing.box_xywh[2:]
    rows, columns = np.nonzero(thing.mask(width, height))
    if len(rows) == 0 or rng.random() < CENTRE_SHARE:
        point = 0.5 * (low + high) + 0.08 * thing.box_xywh[2:] * rng.normal(size=2)
    else:
        k = rng.integers(len(rows))
        point = np.array([columns[k] + 0.5, rows[k] + 0.5])
    return np.asarray(point.clip(low + 0.5, high - 0.5).clip(0.5, (width - 0.5, height - 0.5)))


def _point_beside(
    photo: Photo, width: int, height: int, rng: np.random.Generator
) -> FloatArray | None:
    """A point on no annotated object; None where none was found."""
    boxes = np.array([thing.box_xywh for thing in photo.objects])
    low, high = boxes[:, :2] - 2, boxes[:, :2] + boxes[:, 2:] + 2
    for _ in range(10):
        point = rng.uniform(size=2) * (width, height)
        if not ((point > low) & (point < high)).all(axis=1).any():
            return point
    return None


def _shrink(
    picture: Uint8Image, point: FloatArray, side: float, scale: float, rng: np.random.Generator
) -> tuple[Uint8Image, FloatArray]:
    """The part of a picture that a square needs, made smaller, and the point in it."""
    height, width = picture.shape[:2]
    spare = int(0.6 * side) + 4
    x0, y0 = (max(0, int(v) - spare) for v in point)
    part = picture[y0 : min(height, int(point[1]) + spare + 1)]
    part = part[:, x0 : min(width, int(point[0]) + spare + 1)]
    size = max(2, round(part.shape[1] * scale)), max(2, round(part.shape[0] * scale))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        small = cv2.GaussianBlur(small, (3, 3), rng.uniform(0.3, 0.8))
    factor = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
    return np.asarray(small, dtype=np.uint8), (point - (x0, y0)) * factor


def _recolour(picture: Uint8Image, rng: np.random.Generator) -> Uint8Image:
    """Other light, and now and then no colour."""
    values = picture.astype(np.float32)
    if rng.random() < 0.5:
        values = values * rng.uniform(0.75, 1.25) + rng.uniform(-25, 25)
    if rng.random() < 0.12:
        values = np.repeat(values.mean(axis=2, keepdims=True), 3, axis=2)
    return np.asarray(values.clip(0, 255), dtype=np.uint8)
