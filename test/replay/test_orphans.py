"""A command that starts a node never leaves it behind, however the command ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytest.importorskip("rosbags")

from made_bags import make_bag

pytestmark = pytest.mark.ros

START_TIMEOUT_S = 90.0
END_TIMEOUT_S = 15.0  # the node may be loading PyTorch, on a busy machine


def _nodes(namespace: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            ended = process.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if any(namespace in word for word in words) and not ended:
            found.append(process)
    return found


@pytest.mark.parametrize(
    ("verb", "number"),
    [
        ("bag", signal.SIGKILL),
        ("bag", signal.SIGTERM),
        ("demo", signal.SIGKILL),
        ("demo", signal.SIGTERM),
        ("overhead", signal.SIGKILL),
    ],
)
def test_the_node_ends_with_the_command(
    tmp_path: Path, tiny_model: Path, verb: str, number: int
) -> None:
    words = {
        "bag": ["bag", "replay", str(make_bag(tmp_path / "bag", 600)), "--loop", "9"],
        "demo": ["demo", "--frames", "3000", "-o", str(tmp_path / "demo.mp4")],
        "overhead": ["node", "overhead", "--images", "3000"],
    }[verb]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "litetrack_ros.tools.main", *words),
            *("--model", str(tiny_model), "--backend", "torch"),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    namespace = f"/litetrack_{verb}_{process.pid}"
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _nodes(namespace):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.05)
        time.sleep(2.0)  # into its start, or beyond
        assert process.poll() is None, process.communicate()
        process.send_signal(number)
        _, errors = process.communicate(timeout=END_TIMEOUT_S)
        deadline = time.monotonic() + END_TIMEOUT_S
        while _nodes(namespace):
            assert time.monotonic() < deadline, f"left behind: {_nodes(namespace)}"
            time.sleep(0.05)
    finally:
        for left in [*_nodes(namespace), process]:
            left.kill()
    if number == signal.SIGTERM:
        assert process.returncode == 143
        assert "Traceback" not in errors
        assert list(scratch.iterdir()) == []
