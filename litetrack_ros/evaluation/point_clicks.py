"""How often a point becomes the box that was meant: clicks on annotated objects, and their score.

Clicks are drawn by the name of the picture, so that they are the same in every run. A picture may
hold many clicks; intervals come from resampling pictures, not clicks.
"""

import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from litetrack_ros.datasets.photos import Photo
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import BoxError
from litetrack_ros.evaluation.runner import MakeTracker, run_sequence
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.point_boxes import Candidate

Kind = Literal["centre", "anywhere", "plain"]
Propose = Callable[[Uint8Image, tuple[float, float]], list[Candidate]]

OBJECTS_A_PICTURE = 4
CLICKS_ANYWHERE = 2
CLICKS_PLAIN = 2
SMALLEST_SIDE_PX = 6.0  # of an annotated object that is clicked on
SMALLEST_SIZE_PX = 10.0  # the root of its area
PLAIN_WINDOW = 0.1  # of the longer side: this much around a click on plain ground is plain
PLAIN_DEVIATION = 3.0  # grey values
RIGHT = 0.5  # overlap


class Click(NamedTuple):
    """A point, and what was meant.

    Attributes:
        point_xy: px.
        kind: at the middle of the box, anywhere on the mask, or on plain ground.
        box_xywh: of the object; NaN on plain ground.
    """

    point_xy: tuple[float, float]
    kind: Kind
    box_xywh: FloatArray


class Judged(NamedTuple):
    """What came of a click.

    Attributes:
        picture: its name.
        source: where the picture comes from.
        kind: of the click.
        size: root of the object's area over that of the picture's; NaN on plain ground.
        size_px: root of the object's area.
        overlaps: of the candidates with the object, best first; empty where the click was refused.
        confidence: of the first candidate, 0 where refused.
        seconds: it took.
    """

    picture: str
    source: str
    kind: Kind
    size: float
    size_px: float
    overlaps: tuple[float, ...]
    confidence: float
    seconds: float


@dataclass(frozen=True)
class Share:
    """A part of the clicks, with its 95 % interval from resampling pictures."""

    clicks: int
    pictures: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"{100 * self.value:5.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f}; "
            f"{self.clicks} clicks in {self.pictures} pictures)"
        )


def photo_clicks(photo: Photo, picture: Uint8Image) -> Iterator[Click]:
    """Clicks on a photo's objects, and on its plain ground where it has some."""
    rng = np.random.default_rng(zlib.crc32(photo.path.name.encode()))
    height, width = picture.shape[:2]
    clear = [o for o in photo.objects if not o.is_crowd and _is_large(o.box_xywh)]
    for index in rng.permutation(len(clear))[:OBJECTS_A_PICTURE]:
        thing = clear[index]
        yield Click(_centre(thing.box_xywh, width, height), "centre", thing.box_xywh)
        rows, columns = np.nonzero(thing.mask(width, height))
        for k in rng.integers(0, max(len(rows), 1), CLICKS_ANYWHERE if len(rows) else 0):
            point = (float(columns[k]) + 0.5, float(rows[k]) + 0.5)
            yield Click(point, "anywhere", thing.box_xywh)
    boxes = np.array([o.box_xywh for o in photo.objects]).reshape(-1, 4)
    yield from _plain_clicks(picture, boxes, rng)


def first_frame_clicks(sequence: AnnotatedSequence, picture: Uint8Image) -> Iterator[Click]:
    """Clicks on a sequence's first frame; for a mask stands the ellipse of half the box's size."""
    rng = np.random.default_rng(zlib.crc32(sequence.name.encode()))
    height, width = picture.shape[:2]
    box = sequence.boxes_xywh[0]
    yield Click(_centre(box, width, height), "centre", box)
    for _ in range(5 * CLICKS_ANYWHERE):
        angle, reach = rng.uniform(0, 2 * np.pi), 0.25 * np.sqrt(rng.uniform())
        x = box[0] + box[2] * (0.5 + reach * np.cos(angle))
        y = box[1] + box[3] * (0.5 + reach * np.sin(angle))
        x, y = min(max(float(x), 0.0), width - 0.5), min(max(float(y), 0.0), height - 0.5)
        yield Click((x, y), "anywhere", box)


def judge(
    picture: Uint8Image, name: str, source: str, clicks: Iterable[Click], propose: Propose
) -> Iterator[Judged]:
    """Ask for each click, and compare the candidates with what was meant."""
    area = picture.shape[0] * picture.shape[1]
    for click in clicks:
        start_s = time.perf_counter()
        candidates = candidates_or_none(propose, picture, click.point_xy)
        seconds = time.perf_counter() - start_s
        overlaps = tuple(float(overlap(c.box_xywh, click.box_xywh)) for c in candidates)
        size_px = float(np.sqrt(np.prod(click.box_xywh[2:])))
        confidence = candidates[0].confidence if candidates else 0.0
        size = size_px / float(np.sqrt(area))
        yield Judged(name, source, click.kind, size, size_px, overlaps, confidence, seconds)


def candidates_or_none(
    propose: Propose, picture: Uint8Image, point_xy: tuple[float, float]
) -> list[Candidate]:
    """The candidates; none where the point was refused."""
    try:
        return propose(picture, point_xy)
    except BoxError:
        return []


class FollowedClick(NamedTuple):
    """A sequence tracked from its true box, and from the first candidate of a click.

    Attributes:
        name: of the sequence.
        first_overlap: of the candidate with the true box; 0 where the click was refused.
        true_ao, click_ao: mean overlap of the later frames; NaN where the candidate was wrong.
    """

    name: str
    first_overlap: float
    true_ao: float
    click_ao: float


def follow_click(
    sequence: AnnotatedSequence, make_tracker: MakeTracker, propose: Propose
) -> FollowedClick:
    """Click at the middle of the true box, and track from what came of it where it was right."""
    picture = to_bgr8(next(iter(sequence.frames())).image)
    truth = sequence.boxes_xywh
    point = _centre(truth[0], picture.shape[1], picture.shape[0])
    candidates = candidates_or_none(propose, picture, point)
    reached = float(overlap(candidates[0].box_xywh, truth[0])) if candidates else 0.0
    if reached < RIGHT:
        return FollowedClick(sequence.name, reached, float("nan"), float("nan"))
    aos = []
    for box in (truth[0], candidates[0].box_xywh):
        run = run_sequence(sequence, make_tracker(), box)
        aos.append(float(np.nanmean(overlap(run.boxes_xywh, truth)[1:])))
    return FollowedClick(sequence.name, reached, *aos)


def share(judged: Sequence[Judged], test: Callable[[Judged], bool], resamples: int = 2000) -> Share:
    """The part of clicks that pass a test, every click counting the same."""
    names = sorted({one.picture for one in judged})
    place = {name: index for index, name in enumerate(names)}
    passed, total = np.zeros(len(names)), np.zeros(len(names))
    for one in judged:
        total[place[one.picture]] += 1
        passed[place[one.picture]] += test(one)
    if not names:
        return Share(0, 0, float("nan"), float("nan"), float("nan"))
    picks = np.random.default_rng(0).integers(0, len(names), (resamples, len(names)))
    values = passed[picks].sum(axis=1) / total[picks].sum(axis=1)
    low, high = np.quantile(values, [0.025, 0.975])
    value = float(passed.sum() / total.sum())
    return Share(len(judged), len(names), value, float(low), float(high))


def first_is_right(one: Judged) -> bool:
    """Whether the first candidate is the object."""
    return bool(one.overlaps) and one.overlaps[0] >= RIGHT


def one_is_right(one: Judged) -> bool:
    """Whether one of the candidates is the object."""
    return any(value >= RIGHT for value in one.overlaps)


def is_refused(one: Judged) -> bool:
    """Whether there was no candidate."""
    return not one.overlaps


def _is_large(box_xywh: FloatArray) -> bool:
    size = float(np.sqrt(np.prod(box_xywh[2:])))
    return bool(box_xywh[2:].min() >= SMALLEST_SIDE_PX and size >= SMALLEST_SIZE_PX)


def _centre(box_xywh: FloatArray, width: int, height: int) -> tuple[float, float]:
    x, y = box_xywh[:2] + 0.5 * box_xywh[2:]
    return min(max(float(x), 0.0), width - 0.5), min(max(float(y), 0.0), height - 0.5)


def _plain_clicks(
    picture: Uint8Image,
    boxes_xywh: FloatArray,
    rng: np.random.Generator,
) -> Iterator[Click]:
    """Clicks in the middle of plain windows that no annotated box touches."""
    height, width = picture.shape[:2]
    half = round(0.5 * PLAIN_WINDOW * max(height, width))
    side = 2 * half + 1
    if min(height, width) <= side:
        return
    grey = cv2.cvtColor(to_bgr8(picture), cv2.COLOR_BGR2GRAY).astype(np.float64)
    mean = cv2.blur(grey, (side, side))
    deviation = np.sqrt(np.maximum(cv2.blur(grey * grey, (side, side)) - mean * mean, 0.0))
    plain = deviation < PLAIN_DEVIATION
    plain[:half], plain[-half:], plain[:, :half], plain[:, -half:] = False, False, False, False
    for x, y, w, h in boxes_xywh:
        top, left = max(0, int(y) - half), max(0, int(x) - half)
        plain[top : int(y + h) + half + 1, left : int(x + w) + half + 1] = False
    rows, columns = np.nonzero(plain)
    nothing = np.full(4, np.nan)
    for k in rng.integers(0, max(len(rows), 1), CLICKS_PLAIN if len(rows) else 0):
        yield Click((float(columns[k]) + 0.5, float(rows[k]) + 0.5), "plain", nothing)
