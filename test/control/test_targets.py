"""Which targets can be predicted, out of what the tracker said."""

import numpy as np
import pytest

from litetrack_ros.control.targets import TargetMotions
from litetrack_ros.tracker.result import StageTiming, TrackResult
from litetrack_ros.tracker.state import State

RATE = 30.0


def result(target_id: str, x: float, state: State = State.TRACKING) -> TrackResult:
    box = np.array([x, 100.0, 40.0, 40.0])
    timing = StageTiming(0.0, 0.0, 0.0)
    return TrackResult(target_id, box, box, 0.99, 0.99, True, 0.9, state, timing)


@pytest.fixture
def motions() -> TargetMotions:
    """A target that moves 3 px an image, for a second, seen last at 29 / RATE."""
    found = TargetMotions()
    found.take([result("a", 0.0, State.INITIALISING)], 0.0)
    for index in range(1, 30):
        found.take([result("a", 3.0 * index)], index / RATE)
    return found


def left(motions: TargetMotions, time_s: float, seen_after_s: float = 0.0) -> dict[str, float]:
    targets = motions.at(time_s, seen_after_s)
    return {target.target_id: float(target.prediction.box_xywh[0]) for target in targets}


def test_a_tracked_target_moves_on(motions: TargetMotions):
    assert left(motions, 29 / RATE + 0.1)["a"] == pytest.approx(87 + 9, abs=1.0)


def test_while_lost_it_moves_on_until_its_end(motions: TargetMotions):
    for index in range(30, 36):
        motions.take([result("a", 87.0, State.LOST)], index / RATE)
    (target,) = motions.at(35 / RATE, 0.5)
    assert target.seen_s == pytest.approx(29 / RATE)
    assert target.prediction.box_xywh[0] > 95
    assert motions.at(35 / RATE, 30 / RATE) == []


def test_found_again_it_begins_anew(motions: TargetMotions):
    motions.take([result("a", 87.0, State.LOST)], 1.0)
    motions.take([result("a", 300.0)], 31 / RATE)
    assert left(motions, 31 / RATE + 0.1)["a"] == pytest.approx(300.0, abs=0.5)


def test_so_it_does_where_stamps_jump_back(motions: TargetMotions):
    motions.take([result("a", 10.0)], 0.2)
    assert left(motions, 0.3)["a"] == pytest.approx(10.0, abs=0.5)


def test_targets_that_are_gone_are_forgotten(motions: TargetMotions):
    motions.take([result("a", 90.0), result("b", 200.0, State.INITIALISING)], 1.0)
    assert set(left(motions, 1.0)) == {"a", "b"}
    motions.forget("a")
    assert set(left(motions, 1.0)) == {"b"}
    motions.take([], 31 / RATE)
    assert left(motions, 31 / RATE) == {}


def test_a_lost_target_that_was_never_seen_has_no_place():
    motions = TargetMotions()
    motions.take([result("a", 5.0, State.LOST)], 0.0)
    assert motions.at(0.0, -1.0) == []
