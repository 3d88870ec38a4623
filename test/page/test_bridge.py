"""The page's process beside ROS."""

from __future__ import annotations

import signal

import pytest
from page_actors import PageProcess, own_namespace

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_though_nobody_speaks(number: signal.Signals) -> None:
    pytest.importorskip("aiohttp")
    page = PageProcess(own_namespace())
    page.process.send_signal(number)
    try:
        rest, _ = page.process.communicate(timeout=10)
    finally:
        page.process.kill()
    assert "Traceback" not in rest
    assert page.process.returncode in (0, 130, 143, -number)
