"""Probabilities from score maps, and what becomes of answers that are none."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from reference_model import reference_scene
from small_models import small_backend

from litetrack_ros.backends.base import Crops, PassingBackend, Predictions, TemplateFeatures
from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.config import Calibration, Logistic, TrackerConfig
from litetrack_ros.errors import BoxError, ConfigError
from litetrack_ros.tracker.confidence import candidate_features, held_features, probability
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import MultiTracker, Tracker

BOX = (300.0, 200.0, 60.0, 48.0)
OTHER = (100.0, 90.0, 40.0, 60.0)
PEAK_ODDS = Logistic((1.0, *[0.0] * 12), 0.0)  # the raw score itself
HELD_AGE = Logistic((0.0, 0.0, 0.0, -1.0), 0.5)
CALIBRATED = TrackerConfig(
    lost_threshold=0.3,
    lost_after_frames=2,
    found_threshold=0.5,
    calibration=Calibration(PEAK_ODDS, HELD_AGE),
)
Change = Callable[[Predictions], Predictions]


class Scripted(PassingBackend):
    """A real backend whose answers are changed by a script, one entry a search."""

    def __init__(self, inner: TorchBackend, script: list[Change]) -> None:
        super().__init__(inner)
        self.script = iter(script)

    def search(self, crops: Crops, templates: TemplateFeatures) -> Predictions:
        return next(self.script)(super().search(crops, templates))


def peak(score: float) -> Change:
    """One cell with a score; the others nearly none."""

    def change(found: Predictions) -> Predictions:
        maps = np.full_like(found.score_maps, 1e-4)
        maps[:, 8, 8] = score
        return found._replace(score_maps=maps, scores=np.full_like(found.scores, score))

    return change


def broken(part: str, value: float, target: int = 0) -> Change:
    def change(found: Predictions) -> Predictions:
        array = getattr(found, part).copy()
        array[target].reshape(-1)[-1:] = value
        if array.ndim == 1:
            array[target] = value
        return found._replace(**{part: array})

    return change


def spread(cells: int) -> Predictions:
    """A target on the centre of a cell, or on the corner of four."""
    maps = np.full((1, 14, 14), 1e-3, dtype=np.float32)
    maps[0, 6, 6] = 0.8
    if cells == 4:
        maps[0, 6:8, 6:8] = 0.45
    center = (6.5 if cells == 1 else 7.0) / 14
    box = np.array([[center, center, 0.28, 0.28]], dtype=np.float32)
    scores = maps[:, 6, 6]
    return Predictions(box, scores, scores, maps)


def test_sums_do_not_depend_on_the_place_in_the_grid() -> None:
    box = np.array([BOX])
    one, four = (candidate_features(spread(cells), box, box)[0] for cells in (1, 4))
    assert one[0] - four[0] > 1.5  # the log odds of the peak do
    assert abs(one[3] - four[3]) < 0.1  # the share of 3x3 cells does not
    assert one[6] == pytest.approx(0.0, abs=1e-6) and four[6] == pytest.approx(0.5, abs=1e-6)


def test_a_second_peak_motion_and_growth_are_seen() -> None:
    answer, box = spread(1), np.array([BOX])
    plain = candidate_features(answer, box, box)[0]
    maps = answer.score_maps.copy()
    maps[0, 1, 12] = 0.4
    twin = candidate_features(answer._replace(score_maps=maps), box, box)[0]
    assert twin[4] == pytest.approx(0.5, abs=1e-5) and plain[4] < 0.01
    moved = candidate_features(answer, box + np.array([30.0, 0.0, 0.0, 0.0]), box)[0]
    grown = candidate_features(answer, box * np.array([1.0, 1.0, 2.0, 2.0]), box)[0]
    assert moved[8] > plain[8] and grown[7] == pytest.approx(np.log(2))


def test_several_targets_are_read_as_each_alone() -> None:
    parts = [spread(1), spread(4)]
    both = Predictions(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    boxes = np.array([BOX, OTHER])
    together = candidate_features(both, boxes, boxes[::-1])
    for k, part in enumerate(parts):
        alone = candidate_features(part, boxes[k : k + 1], boxes[::-1][k : k + 1])
        np.testing.assert_allclose(together[k], alone[0])


def test_probabilities_stay_between_0_and_1() -> None:
    features = np.array([[1e9] + [0.0] * 12, [-1e9] + [0.0] * 12])
    high, low = probability(PEAK_ODDS, features)
    assert 0.999 < high <= 1 and 0 <= low < 0.001
    assert held_features(np.array([0.5]), np.array([1.0]), np.array([0.0])).shape == (1, 4)


def test_a_calibration_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="candidate"):
        Calibration(Logistic((1.0,), 0.0), HELD_AGE)


def test_the_score_is_that_of_the_published_box() -> None:
    script = [peak(0.9), peak(0.1), peak(0.1), peak(0.1), peak(0.9)]
    tracker = Tracker(Scripted(small_backend(), script), CALIBRATED)
    assert tracker.init(reference_scene(0), BOX).is_calibrated
    results = [tracker.update(reference_scene(k)) for k in range(1, 6)]
    found = [result for result in results if result is not None]
    assert [r.state.name[0] for r in found] == list("TTLLT")
    np.testing.assert_allclose([r.candidate_score for r in found], [0.9, 0.1, 0.1, 0.1, 0.9], 1e-5)
    assert [r.score == r.candidate_score for r in found] == [True, True, False, False, True]
    assert found[3].score < found[2].score < 0.5  # a held box becomes less likely


def test_a_refused_candidate_does_not_speak_for_the_box_it_lies_on() -> None:
    assert CALIBRATED.calibration is not None
    candidates_odds = Logistic((1.0, 0.0, 0.0, 0.0), 0.0)
    calibration = dataclasses.replace(CALIBRATED.calibration, held=candidates_odds)
    config = dataclasses.replace(CALIBRATED, calibration=calibration, search_crops=1)
    script = [peak(0.9), peak(0.1), peak(0.1), peak(0.9)]
    tracker = Tracker(Scripted(small_backend(), script), config)
    tracker.init(reference_scene(0), BOX)
    results = [tracker.update(reference_scene(k)) for k in range(1, 5)]
    refused = results[-1]  # nobody has compared it with the template yet
    assert refused is not None and refused.state is State.LOST
    assert refused.candidate_score == pytest.approx(0.9, abs=1e-5) and refused.score < 0.01


def test_without_a_calibration_the_score_is_the_raw_one() -> None:
    config = dataclasses.replace(CALIBRATED, calibration=None, lost_after_frames=1)
    tracker = Tracker(Scripted(small_backend(), [peak(0.1)]), config)
    tracker.init(reference_scene(0), BOX)
    result = tracker.update(reference_scene(1))
    assert result is not None and result.state is State.LOST and not result.is_calibrated
    assert result.score == result.candidate_score == pytest.approx(0.1)


@pytest.mark.parametrize("calibration", [CALIBRATED.calibration, None])
@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("boxes_cxcywh_norm", np.nan),
        ("boxes_cxcywh_norm", np.inf),
        ("boxes_cxcywh_norm", 0.0),
        ("boxes_cxcywh_norm", -0.1),
        ("scores", np.nan),
        ("responses", np.inf),
        ("score_maps", np.nan),
    ],
)
def test_an_answer_that_is_none_is_a_miss_with_the_box_held(
    part: str, value: float, calibration: Calibration | None
) -> None:
    config = dataclasses.replace(CALIBRATED, calibration=calibration)
    script = [peak(0.9), broken(part, value), peak(0.9)]
    tracker = MultiTracker(Scripted(small_backend(), script), config)
    tracker.init(reference_scene(0), BOX, "a")
    tracker.init(reference_scene(0), OTHER, "b")
    before, _ = tracker.update(reference_scene(1))
    during, unharmed = tracker.update(reference_scene(2))
    assert during.state is State.TRACKING and during.score == during.candidate_score == 0.0
    np.testing.assert_array_equal(during.box_xywh, before.box_xywh)
    np.testing.assert_array_equal(during.candidate_box_xywh, before.box_xywh)
    assert unharmed.score > 0
    for result in tracker.update(reference_scene(3)):
        assert np.isfinite(result.box_xywh).all() and result.score > 0.5


def test_answers_that_stay_none_end_in_lost() -> None:
    script = [peak(0.9), *[broken("scores", np.nan)] * 3]
    tracker = Tracker(Scripted(small_backend(), script), CALIBRATED)
    tracker.init(reference_scene(0), BOX)
    results = [tracker.update(reference_scene(k)) for k in range(1, 5)]
    assert [r.state.name[0] for r in results if r is not None] == list("TTLL")
    assert [r.no_answers for r in results if r is not None] == [0, 1, 2, 3]
    assert all(np.isfinite([*r.box_xywh, r.score]).all() for r in results if r is not None)


def test_a_template_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Scripted(small_backend(), [])
    encode = backend.encode_template

    def spoiled(*arguments: Any) -> TemplateFeatures:
        keys, values = encode(*arguments)
        return TemplateFeatures(keys, values * float("nan"))

    monkeypatch.setattr(backend, "encode_template", spoiled)
    tracker = MultiTracker(backend)
    with pytest.raises(BoxError, match="not finite"):
        tracker.init(reference_scene(0), BOX)
    assert tracker.target_ids == ()
