"""Pairs of real video: the target is where its box says, and not there where it is absent."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.config import variant
from litetrack_ros.datasets.catalogue import open_set
from litetrack_ros.datasets.training_set import TrainingSet
from litetrack_ros.errors import DatasetError
from litetrack_ros.pairs.clip_pairs import ClipPairs
from litetrack_ros.pairs.degradation import DarkRecipe, LaterLookRecipe, LookRecipe
from litetrack_ros.pairs.pair_recipe import PairRecipe, RealRecipe

CONFIG = variant("nano")
LATER = LaterLookRecipe(0, 0, 0, 0, 0, 0, 0, 0, 0, (0, 0), 0)
PLAIN = LookRecipe(0, 0, 0, 0, 0, 0, 0, (0, 0), 0, (2, 9), 0, (1.3, 2.5), 0, 0, later=LATER)
NO_JPEG = dataclasses.replace(PLAIN, jpeg_share=0, grey=0)


@pytest.fixture
def clips(boxed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingSet:
    """Four clips with a bright target; of one it leaves."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return open_set("folder", boxed)


def _pairs(clips: TrainingSet, split: str = "all", held_out: tuple[str, ...] = (), **how: object):
    real = RealRecipe(**{"look": NO_JPEG, "dark": DarkRecipe(share=0), **how})  # type: ignore[arg-type]
    return ClipPairs([clips], CONFIG, 1, PairRecipe(real_pair=real), split, held_out)  # type: ignore[arg-type]


def _bright_inside(crop: np.ndarray, box_cxcywh_norm: np.ndarray) -> float:
    """Part of a box, less a margin, that is as bright as the targets."""
    x, y, w, h = box_cxcywh_norm * crop.shape[0]
    rows = slice(max(0, round(y - 0.35 * h)), round(y + 0.35 * h))
    columns = slice(max(0, round(x - 0.35 * w)), round(x + 0.35 * w))
    return float((crop[rows, columns].min(axis=2) > 200).mean())


def test_boxes_lie_on_the_target(clips: TrainingSet) -> None:
    source = _pairs(clips, absent=0.0)
    for k in range(60):
        pair = source.pair(k)
        assert pair.present
        assert _bright_inside(pair.template, pair.template_box_cxcywh_norm) > 0.95
        assert _bright_inside(pair.search, pair.search_box_cxcywh_norm) > 0.95


def test_an_absent_target_is_not_in_the_region(clips: TrainingSet) -> None:
    """Beside the target and after it has left; another video would show its own target."""
    source = _pairs(clips, absent=1.0, gone=1.0, beside=1.0, scale=(0.5, 0.5))
    absent = [pair for pair in map(source.pair, range(60)) if not pair.present]
    shown = [float((pair.search.min(axis=2) > 200).mean()) for pair in absent]
    assert len(absent) > 50
    assert np.mean(np.array(shown) == 0.0) > 0.8  # the others are of another video
    assert all(not pair.search_box_cxcywh_norm.any() for pair in absent)


def test_shares_and_both_orders(clips: TrainingSet) -> None:
    source = _pairs(clips, absent=0.3)
    present = [source.pair(k).present for k in range(300)]
    assert 0.6 < np.mean(present) < 0.8


def test_a_pair_is_a_function_of_seed_and_index(clips: TrainingSet) -> None:
    one, two = (_pairs(clips, look=LookRecipe()) for _ in range(2))
    for k in (0, 7, 3):
        for a, b in zip(one.pair(k), two.pair(k), strict=True):
            np.testing.assert_array_equal(a, b)
    assert (one.pair(0).search != one.pair(1).search).any()


def test_splits_part_videos_and_not_clips(clips: TrainingSet) -> None:
    def names(split: str) -> set[str]:
        parted = _pairs(clips, split, ("park", "held"))
        return {clip.training_set.entries[clip.number].name for clip in parted.clips}

    assert names("train") == {"road_00"}
    assert names("validation") == {"park_00", "park_01", "held_00"}
    with pytest.raises(DatasetError, match="no video with boxes is for validation"):
        _pairs(clips, "validation", ("nobody",))


def test_dark_pictures(clips: TrainingSet) -> None:
    how = DarkRecipe(share=1.0, gain=(0.2, 0.2), noise=(0.0, 0.0))
    source = _pairs(clips, absent=0.0, dark=how)
    for k in range(20):
        pair = source.pair(k)
        darker, lighter = sorted((pair.template.max(), pair.search.max()))
        assert darker < 60 and lighter > 200
