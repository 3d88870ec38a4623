"""Which targets were found again: outcomes of scripted trackers, and shares of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from litetrack_ros.evaluation.returns import Outcome, Share, as_json, judge, shares, table
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Image
from litetrack_ros.tracker.result import StageTiming, TrackResult
from litetrack_ros.tracker.state import State

TARGET, OTHER = np.array([10.0, 10.0, 20.0, 20.0]), np.array([60.0, 10.0, 20.0, 20.0])
NOWHERE = np.full(4, np.nan)
FRAMES, GONE, RETURN = 40, 5, 20


class Script:
    """Says what it is told to, a letter a frame: T the target, A the other, L lost."""

    def __init__(self, letters: str) -> None:
        self._letters = iter(letters)

    def init(self, image: Image, box_xywh: FloatArray) -> TrackResult:
        return self.update(image)

    def update(self, image: Image) -> TrackResult:
        letter = next(self._letters)
        box = OTHER if letter == "A" else TARGET
        state = State.LOST if letter == "L" else State.TRACKING
        return TrackResult("", box, box, 0.5, 0.5, True, 0.5, state, StageTiming(1.0, 1.0, 1.0))


def outcome(letters: str, returns: bool = True) -> Outcome:
    truth = np.tile(TARGET, (FRAMES, 1))
    truth[GONE : RETURN if returns else FRAMES] = NOWHERE
    images = (np.zeros((48, 64, 3), dtype=np.uint8) for _ in range(FRAMES))
    others = np.tile(OTHER, (FRAMES, 1))
    back = RETURN if returns else None
    return judge("one", images, truth, others, GONE, back, 10, False, Script(letters))


@pytest.mark.parametrize(
    ("letters", "found_after", "tracks_absent", "tracks_look_alike"),
    [
        ("T" * 5 + "L" * 15 + "T" * 20, 0, False, False),
        ("T" * 10 + "L" * 13 + "T" * 17, 3, False, False),  # five frames to notice it
        ("T" * 11 + "L" * 13 + "T" * 16, 4, True, False),
        ("T" * 5 + "L" * 25 + "T" * 10, None, False, False),  # too late
        ("T" * 5 + "L" * 17 + "A" * 18, None, False, True),
        ("T" * 5 + "L" * 10 + "A" * 5 + "T" * 20, 0, True, True),
    ],
)
def test_outcomes(
    letters: str, found_after: int | None, tracks_absent: bool, tracks_look_alike: bool
) -> None:
    one = outcome(letters)
    assert one.found_after == found_after and one.returns
    assert (one.tracks_absent, one.tracks_look_alike) == (tracks_absent, tracks_look_alike)


def test_a_target_that_stays_away_cannot_be_found() -> None:
    quiet, wrong = outcome("T" * 5 + "L" * 35, False), outcome("T" * 5 + "L" * 15 + "T" * 20, False)
    assert quiet.found_after is None and not quiet.tracks_absent
    assert wrong.found_after is None and wrong.tracks_absent


def test_shares_and_their_intervals() -> None:
    outcomes = [outcome("T" * 5 + "L" * 15 + "T" * 20), outcome("T" * 5 + "L" * 35)]
    outcomes.append(outcome("T" * 5 + "L" * 35, returns=False))
    found = shares(outcomes)["found in time"]
    assert (found.count, found.of) == (1, 2)
    low, high = Share(120, 150).interval
    assert (low, high) == (pytest.approx(0.729, abs=0.001), pytest.approx(0.856, abs=0.001))
    assert all(math.isnan(v) for v in Share(0, 0).interval)
    head, rows = table(outcomes)
    assert all(len(row) == len(head) for row in rows)
    json.dumps(as_json(outcomes), allow_nan=False)
