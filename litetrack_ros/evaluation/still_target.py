"""Does a tracker stay with a target that stands still, and let go of one that is gone?

Nothing moves in these runs, so that whatever a state does is the score's doing. Of a picture and a
box in it: one picture is shown for many updates, degraded anew for each as by a camera; it is shown
moved by eighths of a cell of the score map, in which the score must not change; and it is shown
with the target covered by the texture beside it, after which the state must be LOST soon.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Image, Uint8Image, decode_bgr, to_bgr8
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

UPDATES = 100  # of a picture that stays
SOON = 10  # frames within which a target that is gone must be LOST
PLACES = 8  # in a cell


class Degradation(NamedTuple):
    """What a camera does to a picture that stays the same: noise, sigma in grey levels, or JPEG."""

    kind: str
    amount: int

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"


DEGRADATIONS = (
    Degradation("noise", 3),
    Degradation("noise", 10),
    Degradation("jpeg", 95),
    Degradation("jpeg", 40),
)


@dataclass(frozen=True)
class StillPicture:
    """A picture with a target.

    Attributes:
        name: of the sequence that it begins.
        image: ``(H, W, 3)`` uint8 BGR.
        box_xywh: px, ``(4,)``.
    """

    name: str
    image: Uint8Image
    box_xywh: FloatArray


class StillRow(NamedTuple):
    """What became of a picture under a degradation.

    Attributes:
        name, degradation: which.
        lost: updates of :data:`UPDATES` after which the target, still there, was LOST.
        gone_lost_after: frames until it was LOST when covered; NaN where it was not in
            :data:`SOON`.
        scores: the candidate's at each of :data:`PLACES` in a cell, ``(8,)``.
    """

    name: str
    degradation: Degradation
    lost: int
    gone_lost_after: float
    scores: FloatArray


@dataclass(frozen=True)
class StillReport:
    """What became of all pictures.

    Attributes:
        rows: of every picture under every degradation.
    """

    rows: Sequence[StillRow]

    def figures(self) -> dict[str, float]:
        """Over all rows; ``score_spread`` is that of the mean scores of the places in a cell."""
        means = np.mean([row.scores for row in self.rows], axis=0)
        gone = np.array([row.gone_lost_after for row in self.rows])
        return {
            "rows": len(self.rows),
            "lost_rows": sum(row.lost > 0 for row in self.rows),
            "lost_updates": sum(row.lost for row in self.rows),
            "gone_lost_soon": float(np.isfinite(gone).mean()),
            "score_mean": float(means.mean()),
            "score_spread": float(np.ptp(means)),
        }

    def table(self) -> tuple[list[str], list[list[str]]]:
        """A title a column, and a row for every picture and degradation."""
        header = ["picture", "degradation", f"LOST of {UPDATES}", "gone: LOST after", "score"]
        header.append("its spread in a cell")
        return header, [
            [
                row.name,
                str(row.degradation),
                str(row.lost),
                f"{row.gone_lost_after:.0f}" if math.isfinite(row.gone_lost_after) else "never",
                f"{row.scores.mean():.3f}",
                f"{np.ptp(row.scores):.3f}",
            ]
            for row in self.rows
        ]

    def as_json(self) -> dict[str, Any]:
        """Figures and rows, JSON's types."""
        return {
            **self.figures(),
            "pictures": [
                {
                    "name": row.name,
                    "degradation": str(row.degradation),
                    "lost": row.lost,
                    "gone_lost_after": (
                        row.gone_lost_after if math.isfinite(row.gone_lost_after) else None
                    ),
                    "scores": row.scores.tolist(),
                }
                for row in self.rows
            ],
        }


def first_pictures(sequences: Sequence[AnnotatedSequence]) -> list[StillPicture]:
    """The first frame of every sequence.

    Raises:
        MediaError: a frame cannot be read.
    """
    found = []
    for sequence in sequences:
        image = to_bgr8(next(iter(sequence.frames())).image)
        found.append(StillPicture(sequence.name, image, sequence.boxes_xywh[0]))
    return found


def examine_still(
    backend: Backend,
    pictures: Sequence[StillPicture],
    on_row: Callable[[], None] = lambda: None,
) -> StillReport:
    """Run a tracker over pictures that stand still.

    Args:
        backend: runs the network; its tracker's settings hold.
        pictures: with their targets.
        on_row: called after every picture and degradation, for a progress bar.

    Raises:
        BoxError: no track can start from a box.
    """
    model = backend.model_config
    cells = model.search_grid / model.search_factor  # of the score map, across a target
    rows = []
    for picture in pictures:
        gone = without_target(picture)
        places = [_moved(picture, place / PLACES / cells) for place in range(PLACES)]
        for degradation in DEGRADATIONS:
            degrade = _Degrade(degradation, picture.image.shape)

            still = _updates(backend, picture, map(degrade, [picture.image] * UPDATES))
            lost = sum(result.state is not State.TRACKING for result in still)
            later = _updates(backend, picture, map(degrade, [gone] * SOON))
            kept = [result.state is State.TRACKING for result in later]
            after = 1 + kept.index(False) if False in kept else math.nan
            scores = [
                next(_updates(backend, picture, [degrade(image)])).candidate_score
                for image in places
            ]
            rows.append(StillRow(picture.name, degradation, lost, after, np.array(scores)))
            on_row()
    return StillReport(rows)


def without_target(picture: StillPicture) -> Uint8Image:
    """The picture with the target, and a margin, covered by the texture at its roomiest side."""
    height, width = picture.image.shape[:2]
    w, h = picture.box_xywh[2:]
    x, y = picture.box_xywh[:2] - 0.1 * picture.box_xywh[2:]
    x1, y1 = max(int(x), 0), max(int(y), 0)
    x2, y2 = min(math.ceil(x + 1.2 * w), width), min(math.ceil(y + 1.2 * h), height)
    room = {(-1, 0): x1, (1, 0): width - x2, (0, -1): y1, (0, 1): height - y2}
    right, down = max(room, key=lambda side: room[side])
    rows = np.arange(y1, y2) + down * (y2 - y1)
    columns = np.arange(x1, x2) + right * (x2 - x1)
    covered = picture.image.copy()
    beside = np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))
    covered[y1:y2, x1:x2] = picture.image[beside]
    return covered


def _moved(picture: StillPicture, part: float) -> Uint8Image:
    """The picture moved to the right and down by a part of its target's size."""
    shift = part * math.sqrt(float(picture.box_xywh[2] * picture.box_xywh[3]))
    move = np.array([[1.0, 0.0, shift], [0.0, 1.0, shift]])
    size = picture.image.shape[1], picture.image.shape[0]
    moved = cv2.warpAffine(picture.image, move, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.uint8)


def _updates(
    backend: Backend, picture: StillPicture, later: Iterable[Image]
) -> Iterator[TrackResult]:
    """Start on a picture as it is, and update with others."""
    tracker = Tracker(backend)
    tracker.init(picture.image, picture.box_xywh)
    for image in later:
        result = tracker.update(image)
        if result is None:  # given up: LOST for ever
            return
        yield result


class _Degrade:
    """Degrades pictures of a size, each anew; the same ones in the same order alike.

    The noise of a picture is a window at random in a field larger than it, as noise costs much to
    draw.
    """

    _MARGIN_PX = 61

    def __init__(self, degradation: Degradation, shape: tuple[int, ...]) -> None:
        self._rng = np.random.default_rng(0)
        # The same picture would be compressed to the same: a camera's is never quite the same.
        sigma = degradation.amount if degradation.kind == "noise" else 1
        self._quality = degradation.amount if degradation.kind == "jpeg" else None
        field = (shape[0] + self._MARGIN_PX, shape[1] + self._MARGIN_PX, *shape[2:])
        noise = self._rng.standard_normal(field, dtype=np.float32)
        self._noise: npt.NDArray[np.int16] = np.rint(sigma * noise).astype(np.int16)

    def __call__(self, image: Image) -> Uint8Image:
        y, x = self._rng.integers(0, self._MARGIN_PX + 1, 2)
        noise = self._noise[y : y + image.shape[0], x : x + image.shape[1]]
        noisy = cv2.add(image, np.ascontiguousarray(noise), dtype=cv2.CV_8U)
        if self._quality is not None:
            _, content = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
            return decode_bgr(content.tobytes())
        return np.asarray(noisy, dtype=np.uint8)
