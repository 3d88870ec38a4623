"""The one-pass protocol, its report, and OpenCV's trackers on recorded sequences."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from litetrack_ros.datasets.sequences import find_sequences, read_sequence
from litetrack_ros.errors import BackendError, BoxError, DatasetError
from litetrack_ros.evaluation.opencv_trackers import OpenCvSequenceTracker, available_trackers
from litetrack_ros.evaluation.report import HEADER, Report
from litetrack_ros.evaluation.runner import SequenceRun, run_sequence


class Repeater:
    """Answers the init box for ever, and keeps the images it was shown."""

    def __init__(self) -> None:
        self.images: list[np.ndarray] = []

    def init(self, image: np.ndarray, box_xywh: np.ndarray) -> None:
        self.images.append(image)
        self.box_xywh = box_xywh

    def update(self, image: np.ndarray) -> np.ndarray:
        self.images.append(image)
        return self.box_xywh


@pytest.fixture
def sequences(tmp_path: Path) -> Path:
    """``still`` has 3 frames, ``leaving`` 5, in the last two of which the target is elsewhere."""
    boxes = {
        "still": ["8,8,10,10"] * 3,
        "leaving": ["8,8,10,10"] * 2 + ["nan,nan,nan,nan"] + ["30,30,10,10"] * 2,
    }
    for name, lines in boxes.items():
        frames = tmp_path / name / "frames"
        frames.mkdir(parents=True)
        for index in range(len(lines)):
            cv2.imwrite(str(frames / f"{index}.png"), np.full((48, 64, 3), index, np.uint8))
        (tmp_path / name / "groundtruth.txt").write_text("\n".join(lines))
    return tmp_path


def test_every_frame_is_shown_once_and_in_order(sequences: Path):
    tracker = Repeater()
    steps = []
    run = run_sequence(
        read_sequence(sequences / "leaving"), lambda: tracker, lambda: steps.append(1)
    )
    assert [int(image[0, 0, 0]) for image in tracker.images] == [0, 1, 2, 3, 4]
    assert len(steps) == 5
    np.testing.assert_array_equal(run.boxes_xywh, [[8, 8, 10, 10]] * 5)


def test_report_names_both_means_apart(sequences: Path):
    runs = [run_sequence(s, Repeater) for s in find_sequences([sequences])]
    report = Report(runs)
    assert [run.sequence.name for run in runs] == ["leaving", "still"]
    assert report.over_sequences.ao == pytest.approx((1 / 3 + 1) / 2)
    assert report.over_frames.ao == pytest.approx(3 / 5)
    rows = report.table()
    assert [row[0] for row in rows] == [
        "leaving",
        "still",
        "mean over sequences",
        "mean over frames",
    ]
    assert rows[0][1:3] == ["3", "0.333"]
    assert all(len(row) == len(HEADER) for row in rows)


def test_figures_hold_no_nan(sequences: Path):
    """JSON has no NaN: a sequence with nothing scored says null."""
    sequence = read_sequence(sequences / "still")
    truth = sequence.boxes_xywh.copy()
    truth[1:] = np.nan
    sequence = type(sequence)(sequence.name, sequence.folder, truth)
    figures = Report([SequenceRun(sequence, truth, 0.0)]).figures()
    assert figures["sequences"][0] == {
        "name": "still",
        "frames_scored": 0,
        "ao": None,
        "sr50": None,
        "sr75": None,
        "update_fps": None,
    }


def test_missing_frames_are_an_error(sequences: Path):
    (sequences / "still" / "frames" / "2.png").unlink()
    with pytest.raises(DatasetError, match="2 frames, but 3 lines"):
        run_sequence(read_sequence(sequences / "still"), Repeater)


def test_an_unknown_tracker_names_those_there_are():
    with pytest.raises(BackendError, match=f"no tracker 'foo'; it has .*{'mil'}"):
        OpenCvSequenceTracker("foo")


def test_an_opencv_tracker_refuses_a_box_outside(sequences: Path):
    tracker = OpenCvSequenceTracker("mil")
    with pytest.raises(BoxError, match="outside"):
        tracker.init(np.zeros((48, 64, 3), np.uint8), np.array([100.0, 0, 5, 5]))


# AO of OpenCV's trackers, measured with another program (its readers and its metric).
MEASURED = [
    ("medianflow", "otb_man", 133, 0.238),
    ("medianflow", "tld_pedestrian1", 139, 0.047),
    ("mosse", "tld_car", 299, 0.900),
    ("mosse", "davis_scooter_black", 42, 0.376),
]


@pytest.mark.parametrize(("tracker", "name", "frames", "ao"), MEASURED)
def test_overlap_agrees_with_independent_figures(
    sequences_dir: Path, tracker: str, name: str, frames: int, ao: float
):
    if tracker not in available_trackers():
        pytest.skip(f"this OpenCV has no {tracker}; a contrib flavour has")
    run = run_sequence(read_sequence(sequences_dir / name), lambda: OpenCvSequenceTracker(tracker))
    report = Report([run])
    assert report.frames_scored == frames
    assert report.over_sequences.ao == pytest.approx(ao, abs=0.003)
