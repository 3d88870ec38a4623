"""A node's health as a container's check sees it: by table, and over real DDS."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.ros

OK, WARN, ERROR = (
    (0, "litetrack: model", "fine"),
    (1, "litetrack: t", "LOST"),
    (2, "litetrack: images", "silent"),
)


@pytest.mark.parametrize(
    ("state", "statuses", "healthy", "words"),
    [
        ("active", [OK, WARN], True, "active"),
        ("active", [OK, ERROR, OK], False, "litetrack: images: silent"),
        ("active", [], False, "did not come"),
        ("inactive", [OK], False, "inactive"),
        ("", [], False, "no answer"),
    ],
)
def test_health_is_judged(state: str, statuses: list, healthy: bool, words: str):
    from litetrack_ros.node.health import judge

    found = judge(state, statuses)
    assert found.is_healthy is healthy
    assert words in found.reason


def test_a_node_over_dds(live_node: Callable, capsys: pytest.CaptureFixture[str]):
    """Not there, unconfigured, active, and active with a silent camera."""
    from litetrack_ros.tools.main import main

    def status(*more: str) -> int:
        return main(["node", "health", "--node", "/away/litetrack", *more])

    assert status("--listen", "0.1", "--timeout", "0.5") == 1
    assert "no answer" in capsys.readouterr().out
    node = live_node(ros_args=["-r", "__ns:=/away"], autostart=False, no_image_timeout_s=30.0)
    assert status("--timeout", "20") == 1
    assert "unconfigured" in capsys.readouterr().out
    assert node.transition("configure")
    assert node.transition("activate")
    assert status("--timeout", "20") == 0, capsys.readouterr().out
    capsys.readouterr()
    assert node.set("no_image_timeout_s", 0.1).successful
    time.sleep(1.5)  # diagnostics go out every second
    assert status("--timeout", "20") == 1
    assert "/away/litetrack: images" in capsys.readouterr().out
