"""Made videos in which a target leaves and comes back elsewhere, or never does.

An outlined object of a photo moves before a ground of other photos, among other objects and beside
one of its own class from another photo, which stays. It goes over the border or is gone at once.
After a while it is somewhere else, in another size; or only its look-alike is left. Frames are
drawn when asked for and are functions of the seed and the number of the case alone.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from litetrack_ros.datasets.coco import PhotoObject
from litetrack_ros.datasets.containers import Containers
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Uint8Image, decode_bgr
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs.materials import Split, Sprite, cut_out, held_out
from litetrack_ros.pairs.poses import draw_log

Rng = np.random.Generator

FRAME_RATE_HZ = 30
AWAY_S = (2.0, 10.0)  # of a target that returns
GONE_S = 20.0  # how long one is watched for that never does
SOON_S, SOON_SMALL_S = 1.0, 3.0  # within what it should be found, and where it is small
SMALL = 1 / 10  # of the picture's height
_SIZES_PX = ((640, 480), (1280, 720), (1920, 1080))
_SIDE = (1 / 20, 1 / 4)  # of the picture's height, root of the box's area
_GROWN = 1.5  # sizes change up to this
_LIKE_SIZE = (0.8, 1.25)  # of the look-alike, over the target's
_LEAST_OBJECT_PX = 48.0  # root of the area, in its photo
_MOST_ENLARGED = 3.0
_SHOWN_S = 1.0  # before the target goes
_LEAVES_S = (0.4, 0.8)
_AT_ONCE = 0.5  # share of the targets that are gone from one frame to the next
_LEAST_SEEN = 0.2  # of its area; a target with less in the picture is absent
_TILE_PX = 560  # of a ground, made of as many photos as it takes
_SHAKE = 0.012  # of the height: how far the camera moves
_WANDER = (0.03, 0.1)  # of the height: how far objects move
_PERIOD_S = (3.0, 8.0)
_CLUTTER = (3, 8)  # objects of other classes that stand about
_NOISE = (1.0, 5.0)  # deviation of the camera's, grey values
_TURN_DEG = 12.0
_GAIN = 0.15  # of the light, between going and coming
_TRIES = 50
_SHAKE_S = np.array([4.0, 4.0 / 1.3])  # periods of the shake, across and down
_SEEDS, _SPARE_PX, _OPAQUE = 2**31, 64, 127  # the noise of a frame is a part of a larger field


class Object(NamedTuple):
    """A cut-out of an outlined object."""

    sprite: Sprite
    size_px: float


class Stay(NamedTuple):
    """How an object is shown for a while: around a point, on a slow path.

    Attributes:
        rgba: the object, turned and scaled, ``(H, W, 4)`` straight alpha.
        center_xy: px, of the path.
        reach_xy: how far it goes from there, px.
        period_s, phase: of both motions, ``(2,)``.
    """

    rgba: Uint8Image
    center_xy: FloatArray
    reach_xy: FloatArray
    period_s: FloatArray
    phase: FloatArray

    def center(self, frame: int) -> FloatArray:
        """Where its middle is, px, ``(2,)``."""
        time_s = frame / FRAME_RATE_HZ
        turn = 2 * math.pi * time_s / self.period_s + self.phase
        return np.asarray(self.center_xy + self.reach_xy * np.sin(turn))

    def box_xywh(self, frame: int) -> FloatArray:
        """Its tight box, px, not clipped."""
        size = np.array(self.rgba.shape[1::-1], dtype=np.float64) - 2
        return np.concatenate([self.center(frame) - 0.5 * size, size])


class ReturnCase:
    """One video.

    Attributes:
        name: with its number and the class of its target.
        size_px: width and height.
        boxes_xywh: of the target, px, clipped, ``(T, 4)``; NaN where it is absent.
        look_alike_xywh: of the other of its class, ``(T, 4)``.
        gone_frame: the first without the target.
        return_frame: the first with it again; None where it stays away.
        soon_frames: within how many it should be found.
        is_small: whether it is small when it returns.
    """

    def __init__(
        self,
        name: str,
        rng: Rng,
        ground: Uint8Image,
        size_px: tuple[int, int],
        target: tuple[Stay, Stay | None],
        look_alike: Stay,
        away_frames: int,
    ) -> None:
        self.name, self.size_px = name, size_px
        self._ground, self._target, self._look_alike = ground, target, look_alike
        self._noise_seed = int(rng.integers(_SEEDS))
        self._noise = float(rng.uniform(*_NOISE))
        self._gain = 1.0 + float(rng.uniform(-_GAIN, _GAIN))
        shown = round(_SHOWN_S * FRAME_RATE_HZ)
        at_once = bool(rng.random() < _AT_ONCE)
        leaves = 0 if at_once else round(rng.uniform(*_LEAVES_S) * FRAME_RATE_HZ)
        centers = [target[0].center(k) for k in range(shown + leaves)]
        if leaves:  # over the nearer side, faster and faster
            x = centers[shown - 1][0]
            half = 0.5 * target[0].rgba.shape[1]
            way = -(x + half) if x < 0.5 * size_px[0] else size_px[0] + half - x
            for k in range(leaves):
                centers[shown + k][0] += way * ((k + 1) / leaves) ** 2
        self._centers = centers
        self._leaving = len(centers)
        self.return_frame: int | None = None
        self.soon_frames, self.is_small = 0, False
        again = target[1]
        if again is not None:
            self.return_frame = self._leaving + away_frames
            self.is_small = math.sqrt(again.box_xywh(0)[2:].prod()) < SMALL * size_px[1]
            self.soon_frames = round((SOON_SMALL_S if self.is_small else SOON_S) * FRAME_RATE_HZ)
        count = self._leaving + away_frames + self.soon_frames
        boxes = [self._clipped(self._box(k)) for k in range(count)]
        self.boxes_xywh = np.array(boxes)
        self.gone_frame = int(np.flatnonzero(np.isnan(self.boxes_xywh[:, 0]))[0])
        self.look_alike_xywh = np.array([look_alike.box_xywh(k) for k in range(count)])

    def __len__(self) -> int:
        return len(self.boxes_xywh)

    def frames(self) -> Iterator[Uint8Image]:
        """All frames in order, ``(H, W, 3)`` BGR."""
        width, height = self.size_px
        rng = np.random.default_rng(self._noise_seed)
        field = rng.normal(0.0, self._noise, (height + _SPARE_PX, width + _SPARE_PX, 1))
        noise = np.repeat(field, 3, axis=2).round().astype(np.int16)
        margin = (np.array(self._ground.shape[1::-1]) - (width, height)) // 2
        for index in range(len(self)):
            turns = 2 * math.pi * index / FRAME_RATE_HZ / _SHAKE_S
            shake = _SHAKE * height * np.array([math.sin(turns[0]), math.cos(turns[1])])
            x0, y0 = (margin + shake.round().astype(int)).clip(0, 2 * margin).tolist()
            picture = self._ground[y0 : y0 + height, x0 : x0 + width].copy()
            paste(picture, self._look_alike.rgba, self._look_alike.center(index))
            if index < self._leaving:
                paste(picture, self._target[0].rgba, self._centers[index])
            elif self._target[1] is not None and index >= (self.return_frame or 0):
                paste(picture, self._target[1].rgba, self._target[1].center(index))
            if index >= self._leaving:
                lit = cv2.convertScaleAbs(picture, alpha=self._gain)
                picture = np.asarray(lit, dtype=np.uint8)
            left, top = rng.integers(_SPARE_PX, size=2)
            part = noise[top : top + height, left : left + width]
            yield np.asarray(cv2.add(picture, part, dtype=cv2.CV_8U), dtype=np.uint8)

    def _box(self, index: int) -> FloatArray:
        """The target's whole box; NaN while it is away."""
        if index < self._leaving:
            box = self._target[0].box_xywh(index)
            box[:2] += self._centers[index] - self._target[0].center(index)
            return box
        again = self._target[1]
        if again is None or index < (self.return_frame or 0):
            return np.full(4, np.nan)
        return again.box_xywh(index)

    def _clipped(self, box_xywh: FloatArray) -> FloatArray:
        limits = np.array(self.size_px, dtype=np.float64)
        low = box_xywh[:2].clip(0, limits)
        high = (box_xywh[:2] + box_xywh[2:]).clip(0, limits)
        seen = np.concatenate([low, high - low])
        if not seen[2:].prod() >= _LEAST_SEEN * box_xywh[2:].prod():
            return np.full(4, np.nan)
        return seen


class ReturnCases:
    """Draws cases from the outlined objects of photos.

    Args:
        sets: where the photos are, and their objects.
        split: which photos are used, by their names as in training; ``validation`` are in none.
        seed: another seed gives other cases; at least 0.
        away: of the full lengths of absences; below 1 they are shorter, for a quick look.

    Raises:
        DatasetError: no class has two objects of two photos.
    """

    def __init__(
        self,
        sets: Sequence[tuple[Containers, Sequence[PhotoObject]]],
        seed: int,
        split: Split = "validation",
        away: float = 1.0,
    ) -> None:
        self.seed, self.away = seed, away
        self._classes: dict[str, list[tuple[Containers, PhotoObject]]] = defaultdict(list)
        shown: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._containers: dict[tuple[str, str], tuple[Containers, PhotoObject]] = {}
        for containers, objects in sets:
            for item in objects:
                name = item.photo.rpartition("/")[2].rpartition(".")[0]
                if split != "all" and held_out(name) != (split == "validation"):
                    continue
                key = str(containers.root), item.photo
                # "person or group" of one source is what others call a person.
                category = item.category.partition(" or ")[0]
                shown[key].add(category)
                self._containers[key] = containers, item
                size = math.sqrt(item.box_xywh[2:].prod())
                if item.polygons and size >= _LEAST_OBJECT_PX:
                    self._classes[category].append((containers, item))
        self._shown = dict(shown)
        self._names = sorted(
            name
            for name, members in self._classes.items()
            if len({item.photo for _, item in members}) > 1
        )
        if not self._names:
            raise DatasetError(f"no class has two outlined objects in photos for {split}")

    def case(self, index: int, returns: bool) -> ReturnCase:
        """A case by its number, the same in every process.

        Args:
            index: at least 0.
            returns: whether the target does.

        Raises:
            DatasetError: a photo cannot be read.
        """
        rng = np.random.default_rng([self.seed, int(returns), index])
        counts = np.sqrt([len(self._classes[name]) for name in self._names])
        category = self._names[int(rng.choice(len(counts), p=counts / counts.sum()))]
        size_px = _SIZES_PX[int(rng.integers(len(_SIZES_PX)))]
        height = size_px[1]
        side = height * draw_log(rng, _SIDE)
        grown = draw_log(rng, (1 / _GROWN, _GROWN))
        again_side = float(np.clip(side * grown, height * _SIDE[0], height * _SIDE[1]))
        target, look_alike = self._two(rng, category, max(side, again_side))
        ground = self._ground(rng, category, size_px)
        first = self._stay(rng, target, side, size_px, [])
        other = self._stay(
            rng, look_alike, side * draw_log(rng, _LIKE_SIZE), size_px, [first.box_xywh(0)]
        )
        seconds = float(rng.uniform(*AWAY_S)) if returns else GONE_S
        away_frames = max(1, round(self.away * seconds * FRAME_RATE_HZ))
        again = None
        if returns:
            again = self._stay(rng, target, again_side, size_px, [other.box_xywh(0)])
        kind = "returns" if returns else "stays_away"
        name = f"{kind}_{index:03d}_{category.replace(' ', '_')}"
        return ReturnCase(name, rng, ground, size_px, (first, again), other, away_frames)

    def _two(self, rng: Rng, category: str, side_px: float) -> tuple[Object, Object]:
        """Two objects of a class from two photos, not too small where others are to be had."""
        members = self._classes[category]
        order = [members[k] for k in rng.permutation(len(members))]
        fits = [
            one
            for one in order
            if math.sqrt(one[1].box_xywh[2:].prod()) * _MOST_ENLARGED >= side_px
        ]
        first = (fits or order)[0]
        others = [one for one in (*fits, *order) if one[1].photo != first[1].photo]
        return self._object(*first), self._object(*others[0])

    def _object(self, containers: Containers, item: PhotoObject) -> Object:
        photo = decode_bgr(containers.get(item.archive).read(item.photo))
        mask = np.zeros(photo.shape[:2], dtype=np.uint8)
        for polygon in item.polygons:
            cv2.fillPoly(mask, [np.rint(polygon).astype(np.int32)], 255)
        if not mask.any():
            raise DatasetError(f"the outline of an object of {item.photo} is empty")
        sprite = cut_out(photo, mask)
        return Object(sprite, math.sqrt(sprite.rgba.shape[0] * sprite.rgba.shape[1]))

    def _stay(
        self,
        rng: Rng,
        thing: Object,
        side_px: float,
        size_px: tuple[int, int],
        apart_from: Sequence[FloatArray],
    ) -> Stay:
        """An object somewhere in the picture, wholly inside all the time."""
        rgba = turned(thing.sprite.rgba, side_px, float(rng.uniform(-_TURN_DEG, _TURN_DEG)))
        half = 0.5 * np.array(rgba.shape[1::-1], dtype=np.float64)
        reach = size_px[1] * rng.uniform(*_WANDER, 2)
        room = np.array(size_px) - 2 * half - 2 * reach
        reach += np.minimum(0.0, 0.5 * room)
        period, phase = rng.uniform(*_PERIOD_S, 2), rng.uniform(0, 2 * math.pi, 2)
        low, high = half + np.maximum(reach, 0), np.array(size_px) - half - np.maximum(reach, 0)
        stay = Stay(rgba, 0.5 * (low + high), np.maximum(reach, 0), period, phase)
        for _ in range(_TRIES):
            center = low + (np.maximum(high, low) - low) * rng.random(2)
            stay = stay._replace(center_xy=center)
            box = np.concatenate([center - half - stay.reach_xy, 2 * (half + stay.reach_xy)])
            if all(overlap(box, other) <= 0.0 for other in apart_from):
                break
        return stay

    def _ground(self, rng: Rng, category: str, size_px: tuple[int, int]) -> Uint8Image:
        """Photos without an object of the class beside one another, and objects on them."""
        keys = sorted(key for key, classes in self._shown.items() if category not in classes)
        keys = keys or sorted(self._shown)
        width, height = (round(v + 2 * (_SHAKE * size_px[1] + 2)) for v in size_px)
        columns, rows = math.ceil(width / _TILE_PX), math.ceil(height / _TILE_PX)
        ground = np.empty((height, width, 3), np.uint8)
        xs = np.linspace(0, width, columns + 1).astype(int)
        ys = np.linspace(0, height, rows + 1).astype(int)
        for row in range(rows):
            for column in range(columns):
                containers, item = self._containers[keys[int(rng.integers(len(keys)))]]
                photo = decode_bgr(containers.get(item.archive).read(item.photo))
                x0, x1, y0, y1 = xs[column], xs[column + 1], ys[row], ys[row + 1]
                ground[y0:y1, x0:x1] = filled(photo, int(x1 - x0), int(y1 - y0))
        others = [name for name in sorted(self._classes) if name != category]
        for _ in range(int(rng.integers(_CLUTTER[0], _CLUTTER[1] + 1)) if others else 0):
            members = self._classes[others[int(rng.integers(len(others)))]]
            thing = self._object(*members[int(rng.integers(len(members)))])
            rgba = turned(thing.sprite.rgba, size_px[1] * draw_log(rng, _SIDE), 0.0)
            paste(ground, rgba, rng.random(2) * (width, height))
        return ground


def filled(photo: Uint8Image, width_px: int, height_px: int) -> Uint8Image:
    """The middle of a photo as large as asked for."""
    scale = max(width_px / photo.shape[1], height_px / photo.shape[0])
    size = (
        max(width_px, round(photo.shape[1] * scale)),
        max(height_px, round(photo.shape[0] * scale)),
    )
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(photo, size, interpolation=way)
    left, top = (size[0] - width_px) // 2, (size[1] - height_px) // 2
    return np.asarray(large[top : top + height_px, left : left + width_px], dtype=np.uint8)


def turned(rgba: Uint8Image, side_px: float, degrees: float) -> Uint8Image:
    """An object turned, cut to its tight box, and scaled to a root of that box's area.

    Returns:
        ``(H, W, 4)``, with a border of one transparent pixel.
    """
    height, width = rgba.shape[:2]
    diagonal = math.ceil(math.hypot(height, width))
    turn = cv2.getRotationMatrix2D((0.5 * width, 0.5 * height), degrees, 1.0)
    matrix = np.asarray(turn, dtype=np.float64)
    matrix[:, 2] += 0.5 * diagonal - np.array([0.5 * width, 0.5 * height])
    whole = cv2.warpAffine(rgba, matrix, (diagonal, diagonal), borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(rgba[..., 3], matrix, (diagonal, diagonal))
    whole = np.dstack([whole[..., :3], alpha])
    x, y, w, h = cv2.boundingRect((whole[..., 3] > _OPAQUE).astype(np.uint8))
    tight = whole[y : y + h, x : x + w]
    scale = side_px / math.sqrt(w * h)
    size = max(2, round(w * scale)), max(2, round(h * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(tight, size, interpolation=way)
    framed = cv2.copyMakeBorder(scaled, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    framed[[0, -1], :, 3] = 0
    framed[:, [0, -1], 3] = 0
    return np.asarray(framed, dtype=np.uint8)


def paste(picture: Uint8Image, rgba: Uint8Image, center_xy: FloatArray) -> None:
    """Lay an object on a picture in place, its middle at a point between pixels."""
    height, width = rgba.shape[:2]
    corner = center_xy - 0.5 * np.array([width, height])
    whole = np.floor(corner).astype(int)
    shift = corner - whole
    matrix = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
    moved = cv2.warpAffine(rgba, matrix, (width + 1, height + 1), borderMode=cv2.BORDER_REPLICATE)
    left, top = np.maximum(whole, 0)
    right = min(picture.shape[1], int(whole[0]) + width + 1)
    bottom = min(picture.shape[0], int(whole[1]) + height + 1)
    if right <= left or bottom <= top:
        return
    x0, y0 = int(left - whole[0]), int(top - whole[1])
    part = moved[y0 : y0 + bottom - top, x0 : x0 + right - left]
    alpha = part[..., 3].astype(np.float32) / np.float32(255.0)
    below = np.ascontiguousarray(picture[top:bottom, left:right])
    above = np.ascontiguousarray(part[..., :3])
    picture[top:bottom, left:right] = cv2.blendLinear(below, above, 1.0 - alpha, alpha)
