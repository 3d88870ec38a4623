"""Recent templates: when they are taken, what they change, and that targets stay apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from reference_model import reference_scene
from small_models import small_backend

from litetrack_ros.backends.base import Predictions, TemplateFeatures
from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.config import TrackerConfig
from litetrack_ros.images import Uint8Image
from litetrack_ros.tracker.tracker import MultiTracker, Tracker

BOX = (300.0, 200.0, 60.0, 48.0)
OTHER = (100.0, 90.0, 40.0, 60.0)
CONFIG = TrackerConfig(recent_score=0.5, recent_after_frames=2, recent_every_frames=4)
CERTAIN, UNSURE = 0.9, 0.2


class Scripted:
    """A real backend whose scores follow a script; notes when templates are encoded."""

    def __init__(self, inner: TorchBackend, scores: Sequence[float | Sequence[float]]) -> None:
        self.inner, self.scores = inner, list(scores)
        self.model_config, self.tracker_config = inner.model_config, inner.tracker_config
        self.info, self.stack, self.with_recent = inner.info, inner.stack, inner.with_recent
        self.cut = inner.cut
        self.frame = 0
        self.encoded: list[int] = []
        self.spoil = False

    def encode_template(self, crops: Uint8Image, boxes_xyxy_norm: np.ndarray) -> TemplateFeatures:
        self.encoded.append(self.frame)
        features = self.inner.encode_template(crops, boxes_xyxy_norm)
        return features._replace(keys=features.keys * float("nan")) if self.spoil else features

    def search(self, crops: Uint8Image, templates: TemplateFeatures) -> Predictions:
        found = self.inner.search(crops, templates)
        scores = np.broadcast_to(np.float32(self.scores[self.frame]), len(crops))
        self.frame += 1
        return found._replace(scores=scores.astype(np.float32))


def _run(
    scores: Sequence[float | Sequence[float]],
    config: TrackerConfig = CONFIG,
    targets: int = 1,
    refresh: bool = True,
    templates: int = 2,
) -> tuple[list[int], np.ndarray]:
    """The frames after which a template was encoded, and all boxes."""
    backend = Scripted(small_backend(templates=templates), scores)
    tracker = MultiTracker(backend, config)
    for number, box in enumerate([BOX, OTHER][:targets]):
        tracker.init(reference_scene(0), box, str(number))
    boxes = []
    for k in range(len(scores)):
        boxes += [r.box_xywh for r in tracker.update(reference_scene(k % 6 + 1))]
        if refresh:
            tracker.refresh()
    return backend.encoded[targets:], np.array(boxes)


@pytest.mark.parametrize(
    ("scores", "taken"),
    [
        ([CERTAIN] * 10, [4, 8]),
        ([CERTAIN] * 3 + [UNSURE] + [CERTAIN] * 6, [6, 10]),
        ([UNSURE, CERTAIN] * 5, []),
        ([UNSURE] * 5, []),
    ],
    ids=["certain", "interrupted", "never twice in a row", "never"],
)
def test_taken_when_certain_for_long_and_not_too_often(
    scores: list[float], taken: list[int]
) -> None:
    assert _run(scores)[0] == taken


def test_the_first_template_alone() -> None:
    off = dataclasses.replace(CONFIG, recent_after_frames=0)
    assert _run([CERTAIN] * 10, off)[0] == []
    assert _run([CERTAIN] * 10, templates=1)[0] == []


def test_a_lost_target_takes_none() -> None:
    config = dataclasses.replace(
        CONFIG, lost_threshold=0.3, lost_after_frames=1, found_threshold=0.95
    )
    assert _run([UNSURE] + [CERTAIN] * 9, config)[0] == []


def test_one_target_a_frame() -> None:
    taken, _ = _run([(CERTAIN, CERTAIN)] * 10, targets=2)
    assert taken == [4, 5, 8, 9]


def test_results_do_not_depend_on_who_encodes() -> None:
    taken, boxes = _run([CERTAIN] * 10)
    late, same = _run([CERTAIN] * 10, refresh=False)
    assert taken == [4, 8] and late == [4, 8]
    np.testing.assert_array_equal(boxes, same)
    _, alone = _run([CERTAIN] * 10, dataclasses.replace(CONFIG, recent_after_frames=0))
    np.testing.assert_array_equal(boxes[:4], alone[:4])
    assert (boxes[4] != alone[4]).any()


def test_targets_with_and_without_stack() -> None:
    """A target's result is the same beside one that has a recent template, and by itself."""
    scores = [(CERTAIN, UNSURE)] * 7
    together = _run(scores, targets=2)[1].reshape(-1, 2, 4)
    np.testing.assert_allclose(together[:, 0], _run([CERTAIN] * 7)[1], atol=1e-3)
    backend = Scripted(small_backend(templates=2), [UNSURE] * 7)
    tracker = Tracker(backend, CONFIG)
    tracker.init(reference_scene(0), OTHER)
    for k in range(7):
        result = tracker.update(reference_scene(k % 6 + 1))
        assert result is not None
        np.testing.assert_allclose(result.box_xywh, together[k, 1], atol=1e-3)


def test_a_template_that_is_not_finite_is_not_taken() -> None:
    backend = Scripted(small_backend(templates=2), [CERTAIN] * 6)
    tracker = Tracker(backend, CONFIG)
    tracker.init(reference_scene(0), BOX)
    backend.spoil = True
    for k in range(6):
        result = tracker.update(reference_scene(k % 6 + 1))
        tracker.refresh()
        assert result is not None and np.isfinite(result.box_xywh).all()
    assert backend.encoded == [0, 4] and result.response > 0


def test_forgotten_and_adopted_targets() -> None:
    backend = Scripted(small_backend(templates=2), [CERTAIN] * 10)
    tracker, other = MultiTracker(backend, CONFIG), MultiTracker(backend, CONFIG)
    for each, box in ((tracker, BOX), (other, OTHER)):
        each.init(reference_scene(0), box, str(box))
    for k in range(4):
        other.update(reference_scene(k + 1))
    tracker.adopt(other)  # with the template that waits
    assert backend.encoded == [0, 0, 4]
    for k in range(4):
        tracker.update(reference_scene(k + 1))
    tracker.reset()
    tracker.refresh()
    assert tracker.update(reference_scene(5)) == []
