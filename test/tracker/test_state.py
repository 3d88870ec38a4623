from __future__ import annotations

import dataclasses

import pytest

from litetrack_ros.config import TrackerConfig
from litetrack_ros.tracker.state import State, StateMachine

CONFIG = TrackerConfig(
    lost_threshold=0.3,
    lost_after_frames=3,
    found_threshold=0.5,
    search_growth=1.5,
    max_search_scale=2.0,
    idle_after_frames=4,
)


def run(config: TrackerConfig, scores: list[float]) -> tuple[str, list[float]]:
    machine = StateMachine(config)
    states, scales = "", []
    for score in scores:
        states += machine.update(score).name[0]
        scales.append(machine.search_scale)
    return states, scales


@pytest.mark.parametrize(
    ("scores", "states"),
    [
        ([0.9, 0.2, 0.2, 0.9], "TTTT"),
        ([0.2, 0.2, 0.9, 0.2, 0.2, 0.9], "TTTTTT"),
        ([0.2, 0.2, 0.2], "TTL"),
        ([0.2, 0.2, 0.2, 0.4, 0.6], "TTLLT"),
        ([0.3, 0.3, 0.3, 0.3], "TTTT"),
        ([0.2] * 7, "TTLLLLI"[:7]),
        ([0.2, 0.2, 0.2, 0.6, 0.2, 0.2, 0.2], "TTLTTTL"),
    ],
)
def test_states(scores: list[float], states: str) -> None:
    assert run(CONFIG, scores)[0] == states


def test_a_hit_by_chance_is_not_enough_where_several_are_asked_for() -> None:
    config = dataclasses.replace(CONFIG, lost_after_frames=1, found_after_frames=2)
    assert run(config, [0.2, 0.6, 0.2, 0.6, 0.6, 0.9])[0] == "LLLLTT"


def test_search_region_grows_while_lost_and_shrinks_when_found() -> None:
    _, scales = run(CONFIG, [0.2, 0.2, 0.2, 0.2, 0.2, 0.9])
    assert scales == [1, 1, 1, 1.5, 2.0, 1]


def test_zero_threshold_turns_it_off() -> None:
    states, scales = run(TrackerConfig(idle_after_frames=1), [0.0] * 50)
    assert states == "T" * 50 and set(scales) == {1}


def test_zero_idle_count_never_gives_up() -> None:
    config = TrackerConfig(lost_threshold=0.3, lost_after_frames=1, idle_after_frames=0)
    assert run(config, [0.0] * 200)[0] == "L" * 200


def test_numbers_are_those_of_the_messages() -> None:
    assert [int(s) for s in (State.IDLE, State.INITIALISING, State.TRACKING, State.LOST)] == [
        0,
        1,
        2,
        3,
    ]


def test_a_target_may_be_lost_whatever_its_scores_were() -> None:
    machine = StateMachine(CONFIG)
    machine.update(0.9)
    machine.lose()
    assert machine.state is State.LOST and not machine.is_miss
    assert machine.update(0.4) is State.LOST
    assert machine.update(0.6) is State.TRACKING
