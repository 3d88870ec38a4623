"""Pairs from annotated video against pairs that the authors' code cut for the same numbers.

``official_pairs.npz`` holds every eighth pixel of their crops, their boxes and frame choices, for
the sets of ``tracking_sets`` and its recorded random numbers.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tracking_sets import RecordedDraws, made_frame, made_set

from litetrack_ros.config import ModelConfig
from litetrack_ros.datasets.training_set import SetIndex
from litetrack_ros.errors import ConfigError, DatasetError
from litetrack_ros.pairs import sampling as sampling_module
from litetrack_ros.pairs.pair_recipe import PairSampling, shared_sets
from litetrack_ros.pairs.sampling import TrackingPairs

SAMPLING = PairSampling(train="a", validation="b", max_gap=50, reduced_decode=False)


@pytest.fixture(scope="module")
def pairs() -> TrackingPairs:
    sets = [made_set(name) for name in ("one", "two", "photos")]
    return TrackingPairs(sets, [1, 2, 1], ModelConfig(), SAMPLING, seed=3)


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    return dict(np.load(Path(__file__).parents[1] / "data/official_pairs.npz"))


@pytest.mark.parametrize("index", range(24))
def test_pairs_are_the_authors(
    pairs: TrackingPairs, recorded: dict[str, np.ndarray], index: int
) -> None:
    draws = RecordedDraws(index)
    choice = pairs.choose(draws)
    assert list(choice) == recorded["frames"][index].tolist()
    pair = pairs.make(choice, draws)
    for name in ("template", "search"):
        box = getattr(pair, f"{name}_box_cxcywh_norm")
        theirs = recorded[f"{name}_box"][index]
        corner = np.concatenate([box[:2] - box[2:] / 2, box[2:]])
        np.testing.assert_allclose(corner, theirs, atol=2e-6)
        crop = getattr(pair, name)[3::8, 5::8].astype(np.float32)
        # Ours is rounded to whole grey levels; half a level, and the float32 of their product.
        assert np.abs(crop - recorded[name][index]).max() <= 0.5 + 1e-3


def test_a_pair_depends_on_seed_and_index_alone(pairs: TrackingPairs) -> None:
    first, again = pairs.pair(5), pairs.pair(5)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    other = TrackingPairs(pairs.sets, [1, 2, 1], ModelConfig(), SAMPLING, seed=4).pair(5)
    assert not np.array_equal(first.search, other.search)


def test_frames_are_drawn_in_order_from_visible_ones(pairs: TrackingPairs) -> None:
    for index in range(200):
        choice = pairs.choose(np.random.default_rng(index))
        chosen = pairs.sets[choice.set_index]
        if not chosen.is_video(choice.sequence):
            continue
        visible = chosen.visible(choice.sequence)
        assert visible[choice.template_frame] and visible[choice.search_frame]
        assert 0 < choice.search_frame - choice.template_frame < SAMPLING.max_gap + 60


def test_exact_boxes_lie_on_the_target() -> None:
    """With ``decode: exact`` the box in the crop and in the mirrored crop hold the same pixels."""
    config = dataclasses.replace(ModelConfig(), decode="exact")
    still = dataclasses.replace(SAMPLING, grey=0.0, brightness=0.0)
    made = []
    for flip in (0.0, 1.0):
        sampling = dataclasses.replace(still, flip=flip, search_center_jitter=0.0)
        pairs = TrackingPairs([made_set("photos")], [1], config, sampling, seed=0)
        made.append(pairs.pair(2))
    for pair in made:
        assert pair.template_box_cxcywh_norm[0] == pytest.approx(0.5, abs=0.02)
    mirrored = made[1].template[:, ::-1].astype(int)
    assert np.abs(mirrored - made[0].template)[8:-8, 8:-8].mean() < 12


def test_a_reduced_decode_shows_the_same(pairs: TrackingPairs) -> None:
    from tracking_sets import MemorySet, made_frame

    from litetrack_ros.datasets.training_set import SequenceEntry
    from litetrack_ros.opencv import cv2

    class Large(MemorySet):
        def encoded_frame(self, sequence: int, frame: int) -> bytes:
            small = made_frame(300, 240, 3)
            return bytes(cv2.imencode(".jpg", cv2.resize(small, (1500, 1200)))[1].tobytes())

    box = np.array([[500, 400, 420, 380]], np.float32)
    entry = SequenceEntry("0", "", "", 0, box, np.ones(1, bool), video=False)
    large = Large("large", SetIndex([entry]), (1500, 1200))
    crops = []
    for reduced in (False, True):
        sampling = dataclasses.replace(SAMPLING, reduced_decode=reduced, grey=0.0)
        source = TrackingPairs([large], [1], ModelConfig(), sampling, seed=0, augment=False)
        crops.append(source.pair(1))
    np.testing.assert_array_equal(*(c.search_box_cxcywh_norm for c in crops))
    for name in ("template", "search"):
        first, second = (getattr(c, name).astype(int) for c in crops)
        assert np.abs(first - second).mean() < 1.5


def test_faulty_frames_are_drawn_again_and_reported(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Faulty(type(made_set("photos"))):  # type: ignore[misc]
        def encoded_frame(self, sequence: int, frame: int) -> bytes:
            if sequence < 3:
                raise DatasetError("no frame 7")
            return bytes(super().encoded_frame(sequence, frame))

    photos = made_set("photos")
    faulty = Faulty("photos", SetIndex(photos.entries), photos.size)
    source = TrackingPairs([faulty], [1], ModelConfig(), SAMPLING, seed=0)
    assert all(source.pair(k).present for k in range(4))
    assert "no frame 7; another pair is drawn" in caplog.text
    monkeypatch.setattr(sampling_module, "MAX_FAULTS", 3)
    faulty.entries = faulty.entries[:3]
    with pytest.raises(DatasetError, match="no frame 7"):
        source.pair(0)


def test_a_set_without_drawable_sequences_is_refused() -> None:
    empty = made_set("one")
    empty.entries = empty.entries[3:]
    with pytest.raises(DatasetError, match="no sequence to draw from"):
        TrackingPairs([empty], [1], ModelConfig(), SAMPLING, seed=0)


@pytest.mark.parametrize("text", ["", "a:0", "a:x", "a:-1"])
def test_wrong_shares(text: str) -> None:
    with pytest.raises(ConfigError):
        shared_sets(text)


def test_shares() -> None:
    assert shared_sets("a b:2.5") == {"a": 1.0, "b": 2.5}


def test_a_reduced_mirrored_decode_shows_the_same() -> None:
    """The region is taken from the unmirrored frame; it must be where the mirrored crop is."""
    from litetrack_ros.crop import CropRegion, extract_crop
    from litetrack_ros.opencv import cv2
    from litetrack_ros.pairs.sampling import _extract_reduced

    frame = cv2.resize(made_frame(300, 240, 3), (1200, 960))
    small = cv2.resize(frame, (600, 480), interpolation=cv2.INTER_AREA)
    for box in ((300, 200, 300, 280), (-60, 500, 400, 380)):
        region = CropRegion.around(box, 2.0, 256)
        full = extract_crop(frame[:, ::-1], region).astype(int)
        reduced = _extract_reduced(small, region, (1200, 960), mirrored=True)
        assert np.abs(full - reduced).mean() < 1.5
