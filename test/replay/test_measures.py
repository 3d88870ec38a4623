"""Figures of a replay stated by hand."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from replay_rows import frame, rows_of

pytest.importorskip("rosbags")

from litetrack_ros.replay.fates import attribute_fates
from litetrack_ros.replay.measures import (
    Measured,
    figures,
    jitter,
    newest_boxes,
    rate_hz,
    read_figures,
    score,
    stage_durations,
    summarise_durations,
)
from litetrack_ros.replay.node_process import ResourceUse
from litetrack_ros.replay.replay_report import (
    ReplayReport,
    frame_boxes,
    stage_table,
    worst_frames,
    write_frame_table,
)

BOX = (10.0, 20.0, 30.0, 40.0)
INIT = np.array([0.0, 0.0, 10.0, 10.0])


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
    ReplayReport(found, {"bag": "x"}, "the node died", ["busy"]).write(path)
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


def test_percentiles_of_a_hundred_and_one_values() -> None:
    values = np.random.default_rng(0).permutation(np.arange(101.0))
    summary = summarise_durations(np.append(values, np.nan))
    assert summary == pytest.approx((50, 90, 95, 99, 100, 50))


def test_percentiles_between_values_are_interpolated() -> None:
    summary = summarise_durations(np.array([10.0, 20.0]))
    assert summary == pytest.approx((15, 19, 19.5, 19.9, 20, 15))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([5, 5, 5], 0.0), ([1, 4, 2], 2.5), ([1, np.nan, 4, 2], 2.5), ([3], math.nan), ([], math.nan)],
)
def test_jitter_is_the_mean_step(values: list[float], expected: float) -> None:
    assert jitter(np.array(values, np.float64)) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("moments", "expected"),
    [([0, 1, 2, 3], 1.0), ([0, 0.1, np.nan, 0.3], 2 / 0.3), ([1], math.nan), ([1, 1], math.nan)],
)
def test_rate(moments: list[float], expected: float) -> None:
    assert rate_hz(np.array(moments, np.float64)) == pytest.approx(expected, nan_ok=True)


def test_nothing_has_no_summary() -> None:
    assert all(math.isnan(v) for v in summarise_durations(np.array([np.nan])))


def _truth(count: int, step: float = 1.0) -> np.ndarray:
    """A 10 px box that moves to the right."""
    return np.stack([[step * i, 0.0, 10.0, 10.0] for i in range(count)])


def _perfect(count: int, latency_s: float, tmp_path: Path, skip: tuple[int, ...] = ()):
    """A tracker without error, but late."""
    truth = _truth(count)
    frames = [frame(i, None if i in skip else latency_s, truth[i]) for i in range(count)]
    for i in skip:
        frames[i].box = None
    return rows_of(frames, tmp_path), truth


def test_streaming_equals_offline_at_zero_latency(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    truth = _truth(40)
    found = truth + random.normal(0, 1.5, truth.shape) * [1, 1, 0, 0]
    found[17] = np.nan  # no target in the answer
    frames = [frame(i, 0.0, None if i == 17 else found[i]) for i in range(40)]
    accuracy = score(rows_of(frames, tmp_path), truth, 0, INIT)
    assert accuracy.streaming == accuracy.offline
    assert accuracy.streaming_frames == accuracy.offline_frames == 39
    assert 0.1 < accuracy.offline.ao < 0.95
    assert accuracy.overlaps[17] == 0


def test_a_box_of_one_period_ago(tmp_path: Path) -> None:
    # 100 ms between frames: at each of them the newest box is that of the frame before, 1 px away:
    # the overlap is 9 / 11. For frame 1 that is the init box.
    rows, truth = _perfect(5, 0.06, tmp_path)
    accuracy = score(rows, truth, 0, INIT)
    assert accuracy.offline.ao == 1.0
    assert accuracy.streaming.ao == pytest.approx(9 / 11)
    assert accuracy.streaming.sr75 == 1.0


def test_a_missed_frame_leaves_the_box_before_it(tmp_path: Path) -> None:
    # Zero latency, frame 2 missed: there the newest box is 1 px away, elsewhere none.
    rows, truth = _perfect(5, 0.0, tmp_path, skip=(2,))
    accuracy = score(rows, truth, 0, INIT)
    assert accuracy.offline_frames == 3
    assert accuracy.offline.ao == 1.0
    assert accuracy.streaming_frames == 4
    assert accuracy.streaming.ao == pytest.approx((3 + 9 / 11) / 4)


def test_streaming_accuracy_falls_as_the_delay_grows(tmp_path: Path) -> None:
    scores = [
        score(*_perfect(60, delay_s, tmp_path), 0, INIT).streaming.ao
        for delay_s in (0.0, 0.05, 0.15, 0.25, 0.55, 0.85)
    ]
    assert scores[0] == 1.0
    assert all(a > b for a, b in itertools.pairwise(scores))


def test_absent_frames_and_those_before_the_init_box_are_not_scored(tmp_path: Path) -> None:
    rows, truth = _perfect(6, 0.0, tmp_path)
    truth[4] = np.nan
    accuracy = score(rows, truth, 2, truth[2])
    assert accuracy.streaming_frames == 2  # frames 3 and 5
    assert np.isnan(accuracy.overlaps[[0, 1, 2, 4]]).all()


def test_every_pass_begins_with_the_init_box(tmp_path: Path) -> None:
    truth = _truth(3)
    frames = [frame(i, 0.06, truth[i % 3], frame=i % 3) for i in range(6)]
    accuracy = score(rows_of(frames, tmp_path), np.concatenate([truth, truth]), 0, INIT)
    assert accuracy.streaming_frames == 4
    assert accuracy.streaming.ao == pytest.approx(9 / 11)


def test_a_late_answer_does_not_take_the_place_of_a_newer_one() -> None:
    boxes = np.arange(8.0).reshape(2, 4)
    found = newest_boxes(np.array([0.5, 1.0, 3.5]), np.array([3.0, 1.0]), np.array([0, 1]), boxes)
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == boxes[1].tolist()
    assert found[2].tolist() == boxes[1].tolist()  # frame 0's box came later, but is older
