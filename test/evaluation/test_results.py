"""Result files: our own, with everything a tracker said, and those of other programs."""

from pathlib import Path

import numpy as np
import pytest
from published_layouts import boxes, lines

from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.results import (
    SequenceRun,
    claim_folder,
    read_run,
    result_path,
    write_run,
)
from litetrack_ros.tracker.state import State

RUN = SequenceRun(
    "s",
    boxes(3),
    np.array([1.0, 0.1 + 0.2, np.nan]),
    boxes(3) + 1 / 3,
    np.array([0.75, 0.5 + 0.2, np.nan]),
    np.array([int(State.TRACKING), int(State.LOST), int(State.IDLE)]),
    np.array([0.5, 0.25, 0.125]),
)


def test_every_bit_is_kept(tmp_path: Path) -> None:
    write_run(tmp_path, RUN)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.csv", "s.txt", "s_time.txt"]
    found = read_run(tmp_path, "s")
    for name in ("boxes_xywh", "scores", "candidate_boxes_xywh", "candidate_scores"):
        np.testing.assert_array_equal(getattr(found, name), getattr(RUN, name), err_msg=name)
    for name in ("states", "call_s"):
        np.testing.assert_array_equal(getattr(found, name), getattr(RUN, name), err_msg=name)
    assert found.name == "s" and found.fps == pytest.approx(2 / 0.375)


def test_results_without_the_candidates_scores_are_read(tmp_path: Path) -> None:
    """As they were written before there were two scores; the one stood for both."""
    write_run(tmp_path, RUN)
    path = tmp_path / "s.csv"
    rows = [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(rows) + "\n")
    found = read_run(tmp_path, "s")
    np.testing.assert_array_equal(found.candidate_scores, RUN.scores)
    np.testing.assert_array_equal(found.states, RUN.states)


def test_frames_that_do_not_fit_the_boxes_are_an_error(tmp_path: Path) -> None:
    write_run(tmp_path, RUN)
    (tmp_path / "s.txt").write_text("1,2,3,4\n")
    with pytest.raises(DatasetError, match=r"3 rows for 1 boxes.*run it again"):
        read_run(tmp_path, "s")


@pytest.mark.parametrize(
    ("name", "separator"), [("s.txt", "\t"), ("s_001.txt", ","), ("s/s_001.txt", " ")]
)
def test_common_result_files(tmp_path: Path, name: str, separator: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(lines(boxes(3), separator, "\r\n"))
    run = read_run(tmp_path, "s")
    np.testing.assert_allclose(run.boxes_xywh, boxes(3), atol=1e-4)
    assert run.call_s.size == 0 and np.isnan(run.fps)
    np.testing.assert_array_equal(run.candidate_boxes_xywh, run.boxes_xywh)
    assert np.isnan(run.scores).all() and (run.states == State.TRACKING).all()
    with pytest.raises(DatasetError, match="no result for the sequence t"):
        read_run(tmp_path, "t")


def test_second_targets_have_several_names(tmp_path: Path) -> None:
    (tmp_path / "Jogging-2.txt").write_text("1,2,3,4\n")
    assert result_path(tmp_path, "Jogging.2") == tmp_path / "Jogging-2.txt"


def test_a_folder_is_of_one_tracker(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    claim_folder(folder, {"tracker": "a"})
    claim_folder(folder, {"tracker": "a"})
    with pytest.raises(DatasetError, match="results of another tracker"):
        claim_folder(folder, {"tracker": "b"})
