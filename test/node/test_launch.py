"""The launch files, run by launch itself where it is installed."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ros

if importlib.util.find_spec("launch_ros") is None:
    pytest.skip("launch_ros is not installed", allow_module_level=True)

_PROGRAM = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
arguments = [word.split(":=", 1) for word in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(IncludeLaunchDescription(source, launch_arguments=arguments))
sys.exit(service.run())
"""


def _launch(path: Path, folder: Path, **arguments: Any) -> subprocess.Popen[str]:
    words = [f"{name}:={value}" for name, value in arguments.items()]
    # Installed programs take the first python3 there is: here, as in an activated environment.
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(path), *words],
        cwd=folder,
        env={**os.environ, "PATH": programs, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _interrupt(process: subprocess.Popen[str]) -> str:
    """End a launch as Ctrl-C does; what it wrote. Whatever went wrong before, it ends."""
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    return _end(process, 25)


def _end(process: subprocess.Popen[str], timeout_s: float) -> str:
    try:
        return process.communicate(timeout=timeout_s)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        log, _ = process.communicate()
        pytest.fail(f"launch did not end within {timeout_s} s:\n{log}")


def test_tracker_launch_passes_its_arguments_on(
    root: Path, tmp_path: Path, tiny_model: Path, make_client: Any
) -> None:
    process = _launch(
        root / "launch" / "tracker.launch.py",
        tmp_path,
        image="/cam/image_raw",
        namespace="robot",
        model=tiny_model,
        backend="torch",
        image_transport="compressed",
    )
    client = make_client(image_topic="/cam/image_raw/compressed", name="/robot/litetrack")
    try:
        client.wait_for_node()
        client.spin_until(lambda: client.diagnostics, 10, "diagnostics")
        names = [status.name for status in client.diagnostics[-1].status]
        assert "/robot/litetrack: model" in names
    finally:
        log = _interrupt(process)
    assert "process has finished cleanly" in log, log
    assert "Traceback" not in log


def test_tracker_launch_serves_the_page_where_asked(
    root: Path, tmp_path: Path, tiny_model: Path, make_client: Any
) -> None:
    pytest.importorskip("aiohttp")
    process = _launch(
        root / "launch" / "tracker.launch.py",
        tmp_path,
        namespace="robot",
        model=tiny_model,
        backend="torch",
        page="true",
        page_arguments="--port 0",
    )
    client = make_client(name="/robot/litetrack")
    try:
        client.spin_until(
            lambda: "litetrack_page" in client.node.get_node_names(), 90, "the page's node"
        )
    finally:
        log = _interrupt(process)
    assert "The page is at http://127.0.0.1:" in log, log
    assert "Traceback" not in log


def test_demo_launch_ends_with_a_video(root: Path, tmp_path: Path, tiny_model: Path) -> None:
    process = _launch(
        root / "launch" / "demo.launch.py",
        tmp_path,
        model=tiny_model,
        backend="torch",
        frames=20,
        output=tmp_path / "demo.mp4",
    )
    log = _end(process, 120)
    assert (tmp_path / "demo.mp4").is_file(), log
    assert "picture to box" in log
    assert "Traceback" not in log
