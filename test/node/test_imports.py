"""What of the node needs no ROS is importable without it."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT_ROS = (
    "conversion",
    "detections",
    "dds",
    "diagnostics",
    "events",
    "frames",
    "init_boxes",
    "lost_images",
    "overlay",
    "parameters",
    "program",
    "reduction",
    "requests",
    "reselection",
    "tracked",
    "select_view",
    "settings",
    "sizes",
    "starting",
    "worker",
)
_BLOCKED = ("rclpy", "sensor_msgs", "std_msgs", "diagnostic_msgs", "litetrack_ros.msg", "cv_bridge")


def _import(modules: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    lines = ["import sys"]
    lines += [f"sys.modules[{name!r}] = None" for name in (*_BLOCKED, "torch")]
    lines += [f"import litetrack_ros.node.{module}" for module in modules]
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )


def test_these_modules_import_without_ros_and_torch() -> None:
    done = _import(WITHOUT_ROS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["tracker_node", "inputs"])
def test_the_block_blocks(module: str) -> None:
    assert _import((module,)).returncode != 0


def test_the_program_says_what_is_missing() -> None:
    code = (
        "import sys; sys.modules['rclpy'] = None\n"
        "from litetrack_ros.node.program import run_program; run_program()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("tracker_node: rclpy ")
    assert "source a ROS 2 installation" in done.stderr
