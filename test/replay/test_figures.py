"""Figures of a replay stated by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from replay_rows import frame, rows_of

pytest.importorskip("rosbags")

from litetrack_ros.replay.accuracy import score
from litetrack_ros.replay.fates import attribute_fates
from litetrack_ros.replay.figures import Measured, figures, stage_durations
from litetrack_ros.replay.frame_table import write_frame_table
from litetrack_ros.replay.report_parts import (
    content,
    frame_boxes,
    read_figures,
    stage_table,
    worst_frames,
    write_report_json,
)
from litetrack_ros.replay.resource_use import ResourceUse

BOX = (10.0, 20.0, 30.0, 40.0)


def _measured(folder: Path, with_truth: bool = True, late_s: float = 0.0) -> Measured:
    """30 frames at 10 Hz: 10 of warm-up (100 ms), then 20, 30, 20, 30 ...; frame 15 missed."""
    frames = []
    for index in range(30):
        latency_s = 0.1 if index < 10 else (0.02 if index % 2 else 0.03)
        received = index + 1 - (index > 15)
        made = frame(index, latency_s, BOX, counts={"received": received, "processed": received})
        made.stages_ms["total"] = 1e3 * latency_s - 4.0
        made.planned_s -= late_s
        if index == 15:
            made.answered_s, made.box, made.counts, made.stages_ms = None, None, {}, {}
        frames.append(made)
    rows = rows_of(frames, folder)
    final = {"received": 29, "processed": 29, "replaced": 0, "caught_up": 0}
    fates = attribute_fates(rows, {**final, "rejected": 0, "ignored": 0})
    truth = np.tile(BOX, (30, 1))
    truth[20] += [15, 0, 0, 0]  # overlap 15 / 45
    truth[27] += [10, 0, 0, 0]  # overlap 20 / 40
    accuracy = score(rows, truth, 0, np.array(BOX)) if with_truth else None
    use = ResourceUse(cpu_percent=50.0, rss_mb=300.0, rss_max_mb=310.0)
    return Measured(rows, fates, use, 5.0, 10, accuracy, is_paced=True)


def test_figures_by_hand(tmp_path: Path) -> None:
    found = figures(_measured(tmp_path))
    # After the warm-up: frames 10 to 29 without 15, ten of 30 ms and nine of 20 ms.
    assert found["latency_p50_ms"] == pytest.approx(30)
    assert found["latency_max_ms"] == pytest.approx(30)
    assert found["latency_mean_ms"] == pytest.approx((10 * 30 + 9 * 20) / 19)
    # Frames 14 and 16, which become neighbours, have the same: 17 steps of 10 ms of 18.
    assert found["latency_jitter_ms"] == pytest.approx(170 / 18)
    assert found["transport_p50_ms"] == pytest.approx(4.0)
    assert found["model_p99_ms"] == pytest.approx(1.0)
    assert found["warm_up_latency_max_ms"] == pytest.approx(100)
    assert found["frames_missed"] == 1
    assert found["frames_missed_percent"] == pytest.approx(5.0)
    assert found["input_rate_hz"] == pytest.approx(10.0)
    assert found["output_rate_hz"] == pytest.approx(18 / (1.9 - 0.01))
    assert (found["answered"], found["lost_in_transport"]) == (29, 1)
    assert found["accuracy_ao"] == pytest.approx((26 + 1 / 3 + 1 / 2) / 28)
    assert found["accuracy_sr75"] == pytest.approx(26 / 28)
    assert found["streaming_frames"] == 29
    assert found["node_cpu_percent"] == 50
    assert found["gpu_percent"] is None
    assert found["player_jitter_p95_ms"] == 0
    assert found["valid"] == 1


@pytest.mark.parametrize(("late_s", "valid"), [(0.0049, 1), (0.0051, 0)])
def test_a_late_player_makes_a_run_invalid(tmp_path: Path, late_s: float, valid: int) -> None:
    found = figures(_measured(tmp_path, late_s=late_s))
    assert found["player_jitter_p95_ms"] == pytest.approx(1e3 * late_s)
    assert found["valid"] == valid


def test_the_worst_frames_are_those_of_least_overlap_or_greatest_latency(tmp_path: Path) -> None:
    chosen = worst_frames(_measured(tmp_path))
    assert chosen[:2] == [20, 27]
    assert all(abs(a - b) >= 5 for a in chosen for b in chosen if a != b)
    assert worst_frames(_measured(tmp_path, with_truth=False))[0] < 10  # in the slow warm-up


def test_a_box_a_frame_with_the_init_box_first(tmp_path: Path) -> None:
    boxes = frame_boxes(_measured(tmp_path).rows, 0, np.array([1.0, 2, 3, 4]))
    assert boxes.shape == (30, 4)
    assert boxes[0].tolist() == [1, 2, 3, 4]
    assert boxes[1].tolist() == list(BOX)
    assert np.isnan(boxes[15]).all()


def test_figures_go_to_json_and_back(tmp_path: Path) -> None:
    found = figures(_measured(tmp_path))
    path = tmp_path / "report.json"
    write_report_json(path, content(found, {"bag": "x"}, "the node died", ["busy"]))
    assert read_figures(path) == found
    report = json.loads(path.read_text())
    assert (report["failure"], report["warnings"]) == ("the node died", ["busy"])


def test_the_frame_table_has_a_line_a_frame(tmp_path: Path) -> None:
    measured = _measured(tmp_path)
    assert measured.accuracy is not None
    truth, overlaps = np.tile(BOX, (30, 1)), measured.accuracy.overlaps
    path = tmp_path / "frames.csv"
    latency = measured.rows.latency_ms
    write_frame_table(tmp_path / "rows.csv", path, latency, measured.fates, truth, overlaps)
    header, *lines = [line.split(",") for line in path.read_text().splitlines()]
    assert len(lines) == 30
    fate, late = header.index("fate"), header.index("latency_ms")
    assert lines[15][fate] == "lost_in_transport"
    assert lines[15][late] == ""
    assert float(lines[16][late]) == pytest.approx(30, abs=1e-3)
    assert lines[20][-1] == "0.333333"


def test_the_stage_table_begins_with_the_latency(tmp_path: Path) -> None:
    measured = _measured(tmp_path)
    rows = stage_table(measured)
    assert rows[0] == ["latency", "30.00", "30.00", "30.00", "30.00", "30.00"]
    assert [row[0] for row in rows[1:]] == list(stage_durations(measured.rows))
