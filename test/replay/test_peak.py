"""The search for the peak rate, on nodes of known speed."""

import pytest

from litetrack_ros.replay.peak import at_rate, mean_without_extremes, search_peak_rate
from litetrack_ros.replay.records import PlayedMessage


@pytest.mark.parametrize("capacity_hz", [0.9, 7.0, 20.0, 33.3, 250.0, 1999.0])
@pytest.mark.parametrize("first_hz", [5.0, 20.0, 400.0])
def test_the_capacity_is_found(capacity_hz: float, first_hz: float) -> None:
    asked: list[float] = []

    def missed_at(rate_hz: float) -> float:
        asked.append(rate_hz)
        return max(0.0, 1 - capacity_hz / rate_hz)

    found = search_peak_rate(missed_at, first_hz)
    # At most 1 % missed: up to 1.01 times the capacity; the search stops within 4 %.
    assert capacity_hz / 1.04 < found <= 1.0102 * capacity_hz
    assert len(asked) < 25


def test_a_node_without_end_and_one_without_answers() -> None:
    assert search_peak_rate(lambda rate: 0.0) >= 5000
    assert search_peak_rate(lambda rate: 1.0) == 0


@pytest.mark.parametrize(
    ("values", "expected"), [([9, 1, 2, 3, 100], 14 / 3), ([5.0], 5), ([4, 6], 5), ([1, 2, 9], 2)]
)
def test_the_best_and_the_worst_are_left_out(values: list[float], expected: float) -> None:
    assert mean_without_extremes(values) == pytest.approx(expected)


def test_messages_at_a_rate() -> None:
    loaded = [PlayedMessage(i, i, 100 + i, 0.5 * i, bytes([i])) for i in range(3)]
    played = list(at_rate(loaded, 50.0, 0.2, least=4))
    assert [m.index for m in played] == list(range(10))
    assert [m.frame for m in played] == list(range(10))
    assert [m.data[0] for m in played] == [0, 1, 2] * 3 + [0]
    assert [m.due_s for m in played] == pytest.approx([0.02 * i for i in range(10)])
    assert len(list(at_rate(loaded, 1.0, 1.0, least=4))) == 4
