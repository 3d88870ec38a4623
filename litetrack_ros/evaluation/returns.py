"""Whether targets that were away are found again, and nothing else in their place.

Each video counts once. Where its target returns, it is found if within the time given the state is
TRACKING with an overlap of a half; where it does not, any TRACKING frame from the sixth without it
on is a false one. The look-alike, an object of the target's class, is mistaken for it if TRACKING
boxes overlap it by a half while they don't overlap the target.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from litetrack_ros.evaluation.long_term import ABSENT_FROM, RIGHT
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Image
from litetrack_ros.tracker.following import OneTargetTracker, follow
from litetrack_ros.tracker.state import State

_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Outcome:
    """What came of one video.

    Attributes:
        name: the video's.
        returns: whether its target does.
        is_small: whether it is small when it does.
        found_after: frames from the return to the first right one; None where it came too late.
        tracks_absent: whether it was TRACKING while the target was away.
        tracks_look_alike: whether it was TRACKING with the look-alike's box.
        step_ms, lost_ms: median time of a step while TRACKING, and while LOST.
    """

    name: str
    returns: bool
    is_small: bool
    found_after: int | None
    tracks_absent: bool
    tracks_look_alike: bool
    step_ms: float
    lost_ms: float


@dataclass(frozen=True)
class Share:
    """A part of some videos, with Wilson's interval of 95 %."""

    count: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """Its lower and upper end."""
        if not self.of:
            return math.nan, math.nan
        part, z = self.count / self.of, _Z
        middle = part + z * z / (2 * self.of)
        reach = z * math.sqrt(part * (1 - part) / self.of + z * z / (4 * self.of**2))
        below = 1 + z * z / self.of
        return max(0.0, (middle - reach) / below), min(1.0, (middle + reach) / below)

    def row(self, name: str) -> list[str]:
        """The cells of a table."""
        low, high = self.interval
        value = f"{self.count / self.of:.3f}" if self.of else "-"
        return [name, value, f"{low:.3f} to {high:.3f}", str(self.count), str(self.of)]


def judge(
    name: str,
    images: Iterable[Image],
    truth_xywh: FloatArray,
    look_alike_xywh: FloatArray,
    gone_frame: int,
    return_frame: int | None,
    soon_frames: int,
    is_small: bool,
    tracker: OneTargetTracker,
) -> Outcome:
    """Track one video.

    Args:
        name: of the video.
        images: its frames.
        truth_xywh: the target's boxes, ``(T, 4)``; NaN where it is absent.
        look_alike_xywh: those of the other of its class, ``(T, 4)``.
        gone_frame: the first without the target.
        return_frame: the first with it again, or None.
        soon_frames: within how many it must be found.
        is_small: whether it is small then.
        tracker: a fresh one.

    Raises:
        BoxError: no track can start from the first box.
    """
    followed = list(_without_images(tracker, images, truth_xywh[0]))
    boxes = np.array([one[0] for one in followed])
    tracking = np.array([one[1] is State.TRACKING for one in followed])
    lost = np.array([one[1] is State.LOST for one in followed])
    call_ms = 1e3 * np.array([one[2] for one in followed])
    frames = np.arange(len(boxes))
    right = np.nan_to_num(overlap(boxes, truth_xywh), nan=0.0) >= RIGHT
    alike = np.nan_to_num(overlap(boxes, look_alike_xywh), nan=0.0) >= RIGHT
    late = frames >= gone_frame + ABSENT_FROM - 1
    away = late if return_frame is None else late & (frames < return_frame)
    found_after = None
    if return_frame is not None:
        soon = tracking & right & (frames >= return_frame) & (frames < return_frame + soon_frames)
        found_after = int(np.argmax(soon)) - return_frame if soon.any() else None
    return Outcome(
        name,
        return_frame is not None,
        is_small,
        found_after,
        bool((tracking & away).any()),
        bool((tracking & alike & ~right & late).any()),
        _median(call_ms[1:][tracking[1:]]),
        _median(call_ms[lost]),
    )


def shares(outcomes: Sequence[Outcome]) -> dict[str, Share]:
    """The figures, by what they are shares of."""
    back = [one for one in outcomes if one.returns]
    gone = [one for one in outcomes if not one.returns]

    def part(of: Sequence[Outcome], test: Callable[[Outcome], bool]) -> Share:
        return Share(sum(map(test, of)), len(of))

    return {
        "found in time": part(back, lambda one: one.found_after is not None),
        "found in time, small": part(
            [one for one in back if one.is_small], lambda one: one.found_after is not None
        ),
        "before the return TRACKING": part(back, lambda one: one.tracks_absent),
        "returning, look-alike TRACKING": part(back, lambda one: one.tracks_look_alike),
        "staying away, TRACKING": part(gone, lambda one: one.tracks_absent),
        "staying away, look-alike TRACKING": part(gone, lambda one: one.tracks_look_alike),
    }


def table(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of :func:`shares`."""
    head = ["videos", "share", "95 % interval", "count", "of"]
    return head, [share.row(name) for name, share in shares(outcomes).items()]


def times(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Medians over videos: frames until found, and milliseconds of steps."""
    found = [one.found_after for one in outcomes if one.found_after is not None]
    ratios = [one.lost_ms / one.step_ms for one in outcomes if one.lost_ms > 0]
    return {
        "frames_to_find": _median(np.array(found, dtype=np.float64)),
        "step_ms": _median(np.array([one.step_ms for one in outcomes])),
        "lost_over_step": _median(np.array(ratios)),
    }


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All figures and outcomes."""
    return {
        "shares": {
            name: _known({**vars(share), **dict(zip(("low", "high"), share.interval, strict=True))})
            for name, share in shares(outcomes).items()
        },
        "times": _known(times(outcomes)),
        "videos": [_known(vars(one)) for one in outcomes],
    }


def _without_images(
    tracker: OneTargetTracker, images: Iterable[Image], init_box_xywh: FloatArray
) -> Iterable[tuple[FloatArray, State, float]]:
    for one in follow(tracker, images, init_box_xywh):
        yield one.result.box_xywh, one.result.state, one.call_s


def _known(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures that are no numbers as None, as JSON has it."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in figures.items()
    }


def _median(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else math.nan
