"""The tracker against the authors' tracker in closed loop, same weights, same frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reference_model import SCENE_BOX, SCENE_FRAMES, official_weights, reference_scene

from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.opencv import cv2
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

DATA = Path(__file__).parents[1] / "data"
TOLERANCE_PX = 1e-3


@pytest.fixture(scope="module", params=["b4", "b9"])
def case(request: pytest.FixtureRequest) -> tuple[TorchBackend, dict[str, np.ndarray]]:
    recorded = dict(np.load(DATA / f"official_{request.param}.npz"))
    return TorchBackend(official_weights(request.param)), recorded


def test_drawn_scene(case: tuple[TorchBackend, dict[str, np.ndarray]]) -> None:
    backend, recorded = case
    tracker = Tracker(backend)
    tracker.init(reference_scene(0), SCENE_BOX, color_order="rgb")
    for frame in range(1, SCENE_FRAMES):
        result = tracker.update(reference_scene(frame), color_order="rgb")
        assert result is not None and result.state is State.TRACKING
        assert np.abs(result.box_xywh - recorded["boxes"][frame]).max() <= TOLERANCE_PX, frame


def test_real_sequence(
    case: tuple[TorchBackend, dict[str, np.ndarray]], sequences_dir: Path
) -> None:
    backend, recorded = case
    frames = sorted((sequences_dir / "otb_crossing" / "frames").iterdir())
    tracker = Tracker(backend)
    tracker.init(cv2.imread(str(frames[0])), recorded["crossing_boxes"][0])
    for path, wanted in zip(frames[1:], recorded["crossing_boxes"][1:31], strict=False):
        result = tracker.update(cv2.imread(str(path)))
        assert result is not None
        assert np.abs(result.box_xywh - wanted).max() <= TOLERANCE_PX, path.name
