"""``litetrack node follow``: what its launch file starts, and what it refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from litetrack_ros.tools.main import main

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(
    ("words", "reason"),
    [(["--tune-s", "1"], "--tune-s"), (["--latency-ms", "-1"], "--latency-ms must be")],
)
def test_what_makes_no_sense_is_refused(
    words: list[str], reason: str, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("rclpy")
    assert main(["node", "follow", *words]) == 2
    assert reason in capsys.readouterr().err


def test_the_launch_file_starts_it(root: Path) -> None:
    if importlib.util.find_spec("launch_ros") is None:
        pytest.skip("launch_ros is not installed")
    from launch import LaunchContext
    from launch.actions import DeclareLaunchArgument, ExecuteProcess
    from launch.utilities import perform_substitutions

    path = root / "launch" / "follow.launch.py"
    spec = importlib.util.spec_from_file_location("follow_launch", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entities = module.generate_launch_description().entities
    context = LaunchContext()
    for entity in entities:
        if isinstance(entity, DeclareLaunchArgument):
            context.launch_configurations[entity.name] = entity.default_value[0].text
    (process,) = (e for e in entities if isinstance(e, ExecuteProcess))
    words = [perform_substitutions(context, list(word)) for word in process.cmd[1:]]
    assert words == [
        "node",
        "follow",
        "--model",
        "litetrack_nano",
        "--tune-s",
        "5.0",
        "--follow-s",
        "8.0",
    ]
