"""OpenCV's trackers behind our interface, on recorded sequences."""

from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.config import ModelChoice, TrackerConfig
from litetrack_ros.datasets.sequences import read_sequence
from litetrack_ros.errors import BackendError, BoxError
from litetrack_ros.evaluation.comparison import compare
from litetrack_ros.evaluation.runner import run_sequence
from litetrack_ros.evaluation.trackers import OpenCvTracker, TrackerChoice, available_trackers
from litetrack_ros.tracker.state import State


def test_an_unknown_tracker_names_those_there_are():
    with pytest.raises(BackendError, match=f"no tracker 'foo'; it has .*{'mil'}"):
        OpenCvTracker("foo")


def test_an_opencv_tracker_refuses_a_box_outside():
    tracker = OpenCvTracker("mil")
    with pytest.raises(BoxError, match="outside"):
        tracker.init(np.zeros((48, 64, 3), np.uint8), np.array([100.0, 0, 5, 5]))


class Blind:
    """Finds the target in the first update only."""

    def __init__(self) -> None:
        self.answers = [(True, (1, 2, 3, 4)), (False, (0, 0, 0, 0))]

    def init(self, image: np.ndarray, box: tuple[float, ...]) -> None:
        pass

    def update(self, image: np.ndarray) -> tuple[bool, tuple[int, ...]]:
        return self.answers.pop(0)


def test_without_its_state_machine_the_tracker_is_never_lost(tmp_path: Path, tiny_model: Path):
    from litetrack_ros.model.checkpoint import load_weights, save_weights

    weights = load_weights(tiny_model)
    doubting, path = TrackerConfig(lost_threshold=1.0), tmp_path / "doubting.safetensors"
    save_weights(path, weights.model, doubting, {})
    image = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    for stateless in (False, True):
        choice = TrackerChoice("litetrack", ModelChoice(str(path)), stateless=stateless)
        tracker = choice.open().make()
        tracker.init(image, (40, 30, 20, 20))
        states = [result.state for _ in range(8) if (result := tracker.update(image))]
        assert (states[-1] is State.TRACKING) == stateless


def test_a_frame_without_the_target_is_lost_and_keeps_the_box():
    tracker = OpenCvTracker("mil")
    tracker._tracker = Blind()
    image = np.zeros((48, 64, 3), np.uint8)
    results = [tracker.init(image, (8, 8, 5, 5)), tracker.update(image), tracker.update(image)]
    assert [r.state for r in results] == [State.TRACKING, State.TRACKING, State.LOST]
    boxes = [[8, 8, 5, 5], [1, 2, 3, 4], [1, 2, 3, 4]]
    np.testing.assert_array_equal([r.box_xywh for r in results], boxes)
    np.testing.assert_array_equal([r.candidate_box_xywh for r in results], boxes)
    assert all(np.isnan(r.score) for r in results)


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
    sequence = read_sequence(sequences_dir / name)
    run = run_sequence(sequence, OpenCvTracker(tracker))
    scores = compare("folder", "plain", [sequence], {tracker: [run]}).scores[tracker]
    assert scores.frames.tolist() == [frames]
    assert scores.overall["AO"] == pytest.approx(ao, abs=0.003)
