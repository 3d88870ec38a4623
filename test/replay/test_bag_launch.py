"""launch/bag_replay.launch.py, where launch is installed: what it would run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ros

if importlib.util.find_spec("launch_ros") is None:
    pytest.skip("launch_ros is not installed", allow_module_level=True)


def _commands(root: Path, **arguments: str) -> list[list[str]]:
    from launch import LaunchContext
    from launch.utilities import perform_substitutions

    path = root / "launch" / "bag_replay.launch.py"
    spec = importlib.util.spec_from_file_location("bag_replay", path)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.generate_launch_description().entities
    context = LaunchContext()
    defaults = {"init_box": "", "record": "", "rate": "1.0", "delay": "10.0"}
    context.launch_configurations.update({**defaults, **arguments})
    return [
        [perform_substitutions(context, list(word)) for word in action.cmd]
        for action in module.start(context)
    ]


def test_the_bag_plays_with_its_clock(root: Path) -> None:
    (play,) = _commands(root, bag="run1", rate="2.0")
    assert play[:5] == ["ros2", "bag", "play", "run1", "--clock"]
    assert play[play.index("--rate") + 1] == "2.0"


def test_the_target_is_selected_and_the_results_are_recorded(root: Path) -> None:
    select, record, play = _commands(root, bag="b", init_box="204 150 17 50", record="out")
    assert select[:4] == ["ros2", "topic", "pub", "--once"]
    assert select[-1] == "{x: 204.0, y: 150.0, width: 17.0, height: 50.0}"
    assert record[record.index("-o") + 1] == "out"
    assert "/litetrack/tracked_boxes" in record
    assert "--use-sim-time" in record
    assert play[2] == "play"


def test_an_init_box_is_four_numbers(root: Path) -> None:
    with pytest.raises(RuntimeError, match="four numbers"):
        _commands(root, bag="b", init_box="1 2 3")
