"""The demo with the node over DDS, and without ROS; the node's overhead; what they print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

pytest.importorskip("torch")

_BLOCKED = """
import sys
sys.modules["rclpy"] = None
from litetrack_ros.tools.main import main
sys.exit(main())
"""


def _run(folder: Path, *words: str, without_ros: bool = False) -> str:
    start = ["-c", _BLOCKED] if without_ros else ["-m", "litetrack_ros.tools.main"]
    done = subprocess.run(
        [sys.executable, *start, *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _frame_count(path: Path) -> int:
    return int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))


@pytest.mark.ros
def test_demo_over_dds_writes_every_picture_and_a_table(tmp_path: Path, tiny_model: Path) -> None:
    words = ("--model", str(tiny_model), "--frames", "25", "--fps", "15", "-o", "out/demo.mp4")
    output = _run(tmp_path, "demo", *words, "--json", "demo.json")
    assert f"Video: {(tmp_path / 'out' / 'demo.mp4').resolve()}" in output
    assert _frame_count(tmp_path / "out" / "demo.mp4") == 25
    figures = json.loads((tmp_path / "demo.json").read_text())
    assert figures["with_ros"] is True
    assert figures["frames"] == 25
    assert 1 <= figures["frames_with_box_array"] <= 25
    assert 0 <= figures["mean_overlap"] <= 1
    for stage in ("picture to box", "queue_wait", "model", "total"):
        values = figures["latency_ms"][stage]
        assert 0 <= values["p50"] <= values["p95"] <= values["p99"]
    assert "picture to box" in output


@pytest.mark.parametrize("without_ros", [True, False])
def test_demo_with_the_library_alone(tmp_path: Path, tiny_model: Path, without_ros: bool) -> None:
    words = ["--model", str(tiny_model), "--frames", "8"]
    output = _run(
        tmp_path, "demo", *words, *([] if without_ros else ["--no-ros"]), without_ros=without_ros
    )
    reason = "rclpy " if without_ros else "--no-ros was given"
    assert f"Without ROS 2, with the library alone: {reason}" in output
    assert _frame_count(tmp_path / "runs" / "demo.mp4") == 8
    assert "model" in output


def test_demo_of_a_sequence_takes_its_first_box(
    tmp_path: Path, tiny_model: Path, square_sequence: Path
) -> None:
    words = ("--model", str(tiny_model), "--no-ros", "-o", "d.mp4")
    output = _run(tmp_path, "demo", str(square_sequence), *words)
    assert "the middle of the first picture" not in output
    assert _frame_count(tmp_path / "d.mp4") == 12
    output = _run(tmp_path, "demo", str(square_sequence / "frames"), *words)
    assert "the middle of the first picture" in output


@pytest.mark.slow
@pytest.mark.ros
def test_node_overhead_reports_both_sides(tmp_path: Path, tiny_model: Path) -> None:
    words = ("--model", str(tiny_model), "--images", "30", "--size", "320x240")
    output = _run(tmp_path, "node", "overhead", *words, "--json", "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["latency_ms"]) == {
        "overhead: callback to publish(), less model",
        "model",
        "stamp to callback, node",
        "stamp to callback, bare subscriber",
        "take an image as a message",
        "take an image raw, undecoded",
    }
    assert figures["stamp_to_callback_ratio"] > 0
    assert "30 images sent to the node" in output
