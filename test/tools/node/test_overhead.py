"""``litetrack node overhead --control``: two nodes side by side, and what the one adds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from litetrack_ros.tools.main import main

pytestmark = [pytest.mark.ros, pytest.mark.slow]


def test_both_sides_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("rclpy")
    path = tmp_path / "figures.json"
    words = ["node", "overhead", "--control", "--images", "30", "--rate", "8", "--json", str(path)]
    assert main(words) == 0
    assert "growth at p50" in capsys.readouterr().out
    samples = json.loads(path.read_text())["samples_ms"]
    assert len(samples) == 4
    assert all(samples.values())
    assert all(min(values) > 0 for values in samples.values())
