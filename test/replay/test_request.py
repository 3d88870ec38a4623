"""What a replay is asked for, and its conditions: read, judged, refused."""

from pathlib import Path

import pytest

from litetrack_ros.errors import ConfigError
from litetrack_ros.replay.request import ReplayRequest, parse_condition

FIGURES = {"latency_p95_ms": 40.0, "frames_missed": 0, "streaming_ao": None}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("latency_p95_ms > 40", False),
        ("latency_p95_ms>=40", True),
        (" latency_p95_ms  <  4.1e1 ", True),
        ("latency_p95_ms <= 39.9", False),
        ("frames_missed != 0", False),
        ("frames_missed == 0", True),
        ("streaming_ao < 0.5", True),  # not measured: cannot pass
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    assert parse_condition(text).holds(FIGURES) is holds


@pytest.mark.parametrize("text", ["", "latency_p95_ms", "a = 3", "a > b", "a > nan", "a > 3 ms"])
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(ConfigError, match="is no condition: write a figure"):
        parse_condition(text)


def test_an_unknown_figure_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no figure latency; the figures are: latency_p95_ms, "):
        parse_condition("latency > 3").holds(FIGURES)


def test_a_request_keeps_its_conditions() -> None:
    request = ReplayRequest(Path("bag"), fail_if=("valid == 0", "latency_p95_ms > 40"))
    assert [str(condition) for condition in request.conditions] == list(request.fail_if)
