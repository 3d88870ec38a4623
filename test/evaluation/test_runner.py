"""The one-pass protocol: what a run keeps, and what an interrupted plan runs again."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_trackers import Drifting, Repeater, open_drifting
from published_layouts import write_lasot
from reference_model import reference_scene
from small_models import small_backend

from litetrack_ros.config import DEFAULT_CHOICE, TrackerConfig
from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.datasets.sequences import AnnotatedSequence, read_sequence
from litetrack_ros.errors import BackendError, DatasetError
from litetrack_ros.evaluation.executors import InPlace, ProcessPool
from litetrack_ros.evaluation.runner import (
    PERTURBATION,
    perturb_box,
    plan,
    run_all,
    run_sequence,
)
from litetrack_ros.evaluation.trackers import TrackerChoice
from litetrack_ros.geometry import overlap
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

IDLE_CONFIG = TrackerConfig(lost_threshold=0.999, lost_after_frames=1, idle_after_frames=1)


@pytest.fixture
def leaving(tmp_path: Path) -> AnnotatedSequence:
    """Five frames of 64x48, each as bright as its number."""
    frames = tmp_path / "leaving" / "frames"
    frames.mkdir(parents=True)
    for index in range(5):
        cv2.imwrite(str(frames / f"{index}.png"), np.full((48, 64, 3), index, np.uint8))
    (tmp_path / "leaving" / "groundtruth.txt").write_text("8,8,10,10\n" * 5)
    return read_sequence(tmp_path / "leaving")


def test_every_frame_is_shown_once_and_in_order(leaving: AnnotatedSequence):
    tracker = Repeater()
    steps: list[int] = []
    run = run_sequence(leaving, tracker, on_frame=lambda: steps.append(1))
    assert [int(image[0, 0, 0]) for image in tracker.images] == [0, 1, 2, 3, 4]
    assert len(steps) == 5
    np.testing.assert_array_equal(run.boxes_xywh, [[8, 8, 10, 10]] * 5)


def test_a_run_keeps_what_the_tracker_said_of_every_frame(leaving: AnnotatedSequence):
    run = run_sequence(leaving, Drifting())
    assert run.name == "leaving"
    np.testing.assert_array_equal(run.boxes_xywh[:, 0], [8, 9, 10, 11, 12])
    np.testing.assert_array_equal(run.candidate_boxes_xywh, run.boxes_xywh + 0.25)
    np.testing.assert_allclose(run.scores, [1.0, 0.99, 0.98, 0.97, 0.96])
    assert [State(s).name for s in run.states] == ["TRACKING"] * 3 + ["LOST"] * 2
    assert run.call_s.shape == (5,) and (run.call_s >= 0).all()
    assert run.fps == pytest.approx(4 / run.call_s[1:].sum())


def test_a_target_that_was_given_up_has_no_score(tmp_path: Path):
    (tmp_path / "frames").mkdir()
    for index in range(5):
        cv2.imwrite(str(tmp_path / f"frames/{index}.png"), reference_scene(index))
    (tmp_path / "groundtruth.txt").write_text("300,200,60,48\n" * 5)
    run = run_sequence(read_sequence(tmp_path), Tracker(small_backend(IDLE_CONFIG)))
    assert [State(s) for s in run.states] == [State.TRACKING, State.LOST] + [State.IDLE] * 3
    assert np.isnan(run.scores).tolist() == [False] * 3 + [True] * 2


def test_missing_frames_are_an_error(leaving: AnnotatedSequence):
    (leaving.folder / "frames" / "4.png").unlink()
    with pytest.raises(DatasetError, match="4 frames, but 5 lines"):
        run_sequence(leaving, Repeater())


def test_perturbed_boxes_are_off_by_a_few_per_cent_and_repeatable():
    box = np.array([100.0, 50.0, 40.0, 80.0])
    sides = np.array([40.0, 80.0])
    seen = [perturb_box(box, seed) for seed in range(200)]
    for seed, other in enumerate(seen):
        shift = (other[:2] + 0.5 * other[2:] - box[:2] - 0.5 * box[2:]) / sides
        assert np.abs(shift).max() <= PERTURBATION
        assert np.abs(other[2:] / sides - 1.0).max() <= PERTURBATION
        np.testing.assert_array_equal(other, perturb_box(box, seed))
    assert 0.8 < min(overlap(box, other) for other in seen) < 0.9
    assert 0.95 < max(overlap(box, other) for other in seen) < 1.0


def test_a_plan_starts_from_the_true_box_and_from_others(leaving: AnnotatedSequence):
    runs = run_all(plan([leaving], perturbed=2), InPlace(Repeater))
    box = leaving.boxes_xywh[0]
    expected = [box, perturb_box(box, 0), perturb_box(box, 1)]
    np.testing.assert_array_equal([run.boxes_xywh[-1] for run in runs], expected)


@pytest.fixture
def lasot(tmp_path: Path) -> list[AnnotatedSequence]:
    root = tmp_path / "lasot"
    write_lasot(root, ["airplane-1", "airplane-9", "bear-2"])
    return read_benchmark("lasot", root)


def _stopping_after(frames: int) -> Callable[[], None]:
    """As the user's Ctrl-C, so many frames after the start."""
    seen: list[int] = []

    def on_frame() -> None:
        seen.append(1)
        if len(seen) == frames:
            raise KeyboardInterrupt

    return on_frame


def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    lasot: list[AnnotatedSequence], tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert len(run_all(plan(lasot, whole), InPlace(Drifting))) == 3
    with pytest.raises(KeyboardInterrupt):  # within the second sequence
        run_all(plan(lasot, parts), InPlace(Drifting, _stopping_after(len(lasot[0]) + 1)))
    done = {p.name for p in parts.glob("*[0-9].txt")}
    stamps = {name: (parts / name).stat().st_mtime_ns for name in done}
    left = [one for one in plan(lasot, parts) if one.finished() is None]
    assert len(done) == 1 and len(left) == 2
    cut_short = parts / f"{left[0].sequence.name}.txt"
    cut_short.write_text("1,2,3,4\n")  # is run again
    runs = run_all(plan(lasot, parts), InPlace(Drifting))
    assert [run.name for run in runs] == [sequence.name for sequence in lasot]
    for sequence in lasot:
        for file in (f"{sequence.name}.txt", f"{sequence.name}.csv"):
            assert (whole / file).read_bytes() == (parts / file).read_bytes()
    assert all((parts / name).stat().st_mtime_ns == stamp for name, stamp in stamps.items())
    assert [one for one in plan(lasot, parts) if one.finished() is None] == []


def test_a_finished_run_is_read_as_it_was(lasot: list[AnnotatedSequence], tmp_path: Path) -> None:
    made = run_all(plan(lasot, tmp_path / "out", perturbed=1), InPlace(Drifting))

    def no_tracker() -> Drifting:
        raise AssertionError("a finished sequence was run again")

    read = run_all(plan(lasot, tmp_path / "out", perturbed=1), InPlace(no_tracker))
    for ours, theirs in zip(made, read, strict=True):
        assert ours.name == theirs.name
        for name in ("boxes_xywh", "scores", "candidate_boxes_xywh", "states"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        np.testing.assert_allclose(ours.call_s, theirs.call_s, atol=1e-8)


@pytest.mark.slow
def test_processes_share_the_sequences(lasot: list[AnnotatedSequence], tmp_path: Path) -> None:
    choice = TrackerChoice("mil", DEFAULT_CHOICE)
    steps: list[int] = []
    pool = ProcessPool(choice.open_on, ["cpu", "cpu"], 2, lambda: steps.append(1))
    runs = run_all(plan(lasot, tmp_path / "out"), pool)
    assert [run.name for run in runs] == [sequence.name for sequence in lasot]
    assert len(steps) == sum(len(sequence) for sequence in lasot)
    assert all(one.finished() is not None for one in plan(lasot, tmp_path / "out"))


@pytest.mark.slow
def test_both_executors_give_the_same(lasot: list[AnnotatedSequence]) -> None:
    pool = run_all(plan(lasot), ProcessPool(open_drifting, ["cpu"], 2))
    for one, other in zip(pool, run_all(plan(lasot), InPlace(Drifting)), strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.boxes_xywh, other.boxes_xywh)


@pytest.mark.slow
def test_a_tracker_that_no_process_can_open_is_named(lasot: list[AnnotatedSequence]) -> None:
    choice = TrackerChoice("nothing", DEFAULT_CHOICE)
    with pytest.raises(BackendError, match="has no tracker 'nothing'"):
        run_all(plan(lasot), ProcessPool(choice.open_on, ["cpu"], 2))
