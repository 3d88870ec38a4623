"""The tracker with a small random network: interface, several targets, state, odd input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from reference_model import reference_scene
from small_models import small_backend

from litetrack_ros.backends.base import Predictions, TemplateFeatures
from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.config import TrackerConfig
from litetrack_ros.errors import BoxError, ImageError
from litetrack_ros.images import Uint8Image
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tracker.point_boxes import propose_boxes
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import MultiTracker, Tracker

BOX = (300.0, 200.0, 60.0, 48.0)
OTHERS = [(100.0, 90.0, 40.0, 60.0), (500.0, 300.0, 80.0, 30.0)]
STATEFUL = TrackerConfig(lost_threshold=0.3, lost_after_frames=2, idle_after_frames=3)


class ScriptedScores:
    """A real backend whose scores follow a script, to drive the state machine."""

    def __init__(self, inner: TorchBackend, scores: Sequence[float]) -> None:
        self.inner = inner
        self.model_config, self.tracker_config = inner.model_config, inner.tracker_config
        self.info, self.encode_template, self.stack = inner.info, inner.encode_template, inner.stack
        self.cut = inner.cut
        self.scores = iter(scores)
        self.search_calls: list[int] = []

    def search(self, crops: Uint8Image, templates: TemplateFeatures) -> Predictions:
        self.search_calls.append(len(crops))
        found = self.inner.search(crops, templates)
        scores = np.full(len(crops), next(self.scores), dtype=np.float32)
        return found._replace(scores=scores)


def test_result_carries_everything() -> None:
    tracker = Tracker(small_backend())
    first = tracker.init(reference_scene(0), BOX)
    assert first.box_xywh.tolist() == list(BOX) and first.state is State.TRACKING
    result = tracker.update(reference_scene(1))
    assert result is not None
    assert result.box_xywh.shape == (4,) and result.box_xywh.dtype == np.float64
    assert 0 < result.response <= result.score < 1
    assert min(result.timing.crop_ms, result.timing.model_ms, result.timing.decode_ms) > 0
    assert result.timing.total_ms == pytest.approx(
        result.timing.crop_ms + result.timing.model_ms + result.timing.decode_ms
    )


def test_without_a_target_there_is_nothing() -> None:
    assert Tracker(small_backend()).update(reference_scene(0)) is None
    assert MultiTracker(small_backend()).update(reference_scene(0)) == []


@pytest.mark.parametrize("decode", ["official", "exact"])
def test_several_targets_equal_single_ones(decode: str) -> None:
    backend = small_backend(decode=decode)
    together = MultiTracker(backend)
    singles = [Tracker(backend) for _ in range(3)]
    boxes = [BOX, *OTHERS]
    for i, box in enumerate(boxes):
        together.init(reference_scene(0), box, str(i))
        singles[i].init(reference_scene(0), box)
    for frame in range(1, 6):
        results = together.update(reference_scene(frame))
        assert [r.target_id for r in results] == ["0", "1", "2"]
        for result, single in zip(results, singles, strict=True):
            alone = single.update(reference_scene(frame))
            assert alone is not None
            assert np.allclose(result.box_xywh, alone.box_xywh, atol=1e-3)


def test_same_id_starts_anew_and_remove_forgets() -> None:
    tracker = MultiTracker(small_backend())
    tracker.init(reference_scene(0), BOX, "a")
    tracker.init(reference_scene(0), OTHERS[0], "b")
    tracker.update(reference_scene(1))
    tracker.init(reference_scene(1), OTHERS[1], "a")
    fresh = MultiTracker(tracker.backend)
    fresh.init(reference_scene(1), OTHERS[1], "a")
    again, wanted = tracker.update(reference_scene(2))[0], fresh.update(reference_scene(2))[0]
    assert np.allclose(again.box_xywh, wanted.box_xywh, atol=1e-3)
    tracker.remove("a")
    tracker.remove("unknown")
    assert tracker.target_ids == ("b",)
    assert [r.target_id for r in tracker.update(reference_scene(3))] == ["b"]
    tracker.reset()
    assert tracker.target_ids == () and tracker.update(reference_scene(4)) == []


def test_lost_holds_the_last_trusted_box_then_gives_up() -> None:
    scores = [0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1]
    backend = ScriptedScores(small_backend(), scores)
    tracker = Tracker(backend, STATEFUL)
    tracker.init(reference_scene(0), BOX)
    results = [tracker.update(reference_scene(frame)) for frame in range(1, 8)]
    states = [result.state.name for result in results if result is not None]
    assert states == ["TRACKING"] * 3 + ["LOST"] * 3 + ["IDLE"]
    trusted = results[1]
    assert trusted is not None
    for result in results[3:]:
        assert result is not None and np.array_equal(result.box_xywh, trusted.box_xywh)
    assert tracker.update(reference_scene(8)) is None
    assert len(backend.search_calls) == 7


def test_found_again() -> None:
    backend = ScriptedScores(small_backend(), [0.1, 0.1, 0.1, 0.9])
    tracker = Tracker(backend, STATEFUL)
    tracker.init(reference_scene(0), BOX)
    states = []
    for frame in range(1, 5):
        result = tracker.update(reference_scene(frame))
        assert result is not None
        states.append(result.state.name)
    assert states == ["TRACKING", "LOST", "LOST", "TRACKING"]


def test_a_point_starts_from_the_likeliest_box() -> None:
    scene = DrawnScene(frames=2, width=320, height=240)
    point = tuple(float(v) for v in scene.box_xywh(0)[:2] + 0.5 * scene.box_xywh(0)[2:])
    best = propose_boxes(scene.frame(0), point)[0].box_xywh
    single, several = Tracker(small_backend()), MultiTracker(small_backend())
    assert (single.init_at(scene.frame(0), point).box_xywh == best).all()
    result = several.init_at(scene.frame(0), point, "a")
    assert (result.box_xywh == best).all() and several.target_ids == ("a",)
    assert single.update(scene.frame(1)) is not None
    rgb = np.ascontiguousarray(scene.frame(0)[:, :, ::-1])
    assert (single.init_at(rgb, point, "rgb").box_xywh == best).all()


@pytest.mark.parametrize("point", [(0.5, 0.5), (-1, 5), (640, 5)])
def test_a_faulty_point_keeps_the_targets(point: tuple[float, float]) -> None:
    tracker = MultiTracker(small_backend())
    tracker.init(reference_scene(0), BOX, "kept")
    with pytest.raises(BoxError):
        tracker.init_at(reference_scene(0), point, "new")
    assert tracker.target_ids == ("kept",)


def test_settings_change_while_tracking() -> None:
    tracker = MultiTracker(ScriptedScores(small_backend(), [0.5, 0.5]))
    tracker.init(reference_scene(0), BOX)
    assert tracker.update(reference_scene(1))[0].state is State.TRACKING
    tracker.configure(TrackerConfig(lost_threshold=0.6, lost_after_frames=1))
    assert tracker.update(reference_scene(2))[0].state is State.LOST


def test_size_smoothing_blends_sizes() -> None:
    backend = small_backend()
    boxes = []
    for smoothing in (1.0, 0.25):
        tracker = Tracker(backend, TrackerConfig(size_smoothing=smoothing))
        tracker.init(reference_scene(0), BOX)
        result = tracker.update(reference_scene(1))
        assert result is not None
        boxes.append(result.box_xywh)
    plain, smooth = boxes
    assert np.allclose(smooth[2:], 0.25 * plain[2:] + 0.75 * np.array(BOX[2:]))
    assert np.allclose(smooth[:2] + smooth[2:] / 2, plain[:2] + plain[2:] / 2)


@pytest.mark.parametrize(
    "convert",
    [
        lambda image: image[:, :, 0].copy(),
        lambda image: np.dstack([image, image[:, :, :1]]),
        lambda image: image.astype(np.uint16) << 8,
        lambda image: image[:300, :400],
        lambda image: np.asfortranarray(image),
    ],
    ids=["grey", "four channels", "16 bit", "another size", "column-major"],
)
def test_unusual_images_are_tracked(convert) -> None:
    tracker = Tracker(small_backend())
    tracker.init(convert(reference_scene(0)), BOX)
    assert tracker.update(convert(reference_scene(1))) is not None


def test_colour_order_matters_and_agrees() -> None:
    results = []
    for image, order in (
        (reference_scene, "rgb"),
        (lambda k: reference_scene(k)[:, :, ::-1], "bgr"),
    ):
        tracker = Tracker(small_backend())
        tracker.init(image(0), BOX, color_order=order)
        results.append(tracker.update(image(1), color_order=order))
    assert np.array_equal(results[0].box_xywh, results[1].box_xywh)


@pytest.mark.parametrize(
    ("image", "box", "error"),
    [
        (reference_scene(0), (700, 0, 10, 10), BoxError),
        (reference_scene(0), (0, 0, float("nan"), 10), BoxError),
        (reference_scene(0).astype(float), BOX, ImageError),
    ],
)
def test_faulty_init_keeps_the_targets(image, box, error: type[Exception]) -> None:
    tracker = MultiTracker(small_backend())
    tracker.init(reference_scene(0), BOX, "kept")
    with pytest.raises(error):
        tracker.init(image, box, "new")
    assert tracker.target_ids == ("kept",)
