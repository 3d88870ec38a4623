"""The steps all kinds of pairs share: what may hide the target, and where the region lies."""

import numpy as np
import pytest

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.geometry import overlap
from litetrack_ros.pairs.materials import Materials
from litetrack_ros.pairs.pair_recipe import (
    covered_part,
    draw_distractor_count,
    draw_distractors,
    draw_occluder,
    draw_search_region,
    visible_box,
)
from litetrack_ros.pairs.poses import drift, loosen

TARGET = np.array([100.0, 80.0, 150.0, 110.0])


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ((100, 80, 150, 110), 1.0),
        ((0, 0, 125, 200), 0.5),
        ((125, 95, 300, 300), 0.25),
        ((150, 80, 200, 110), 0.0),
        ((0, 0, 10, 10), 0.0),
    ],
)
def test_covered_part(other: tuple[int, ...], part: float) -> None:
    assert covered_part(TARGET, np.array(other, dtype=float)) == pytest.approx(part)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((10, 10, 40, 30), (10, 10, 30, 20)),
        ((-10, 10, 20, 30), (0, 10, 20, 20)),
        ((-20, 10, 10, 30), None),  # a third of it is left
        ((10, 10, 12, 90), None),  # too thin
        ((300, 300, 340, 340), None),
    ],
)
def test_visible_box(bounds: tuple[int, ...], expected: tuple[int, ...] | None) -> None:
    box = visible_box(np.array(bounds, dtype=float), 120, 100)
    assert (None if box is None else tuple(box)) == expected


def test_share_of_distractors() -> None:
    rng = np.random.default_rng(0)
    counts = np.array([draw_distractor_count(rng, 0.55) for _ in range(500)])
    assert np.mean(counts >= 2) == pytest.approx(0.55, abs=0.06)
    assert counts.max() == 4


@pytest.mark.parametrize("seed", range(6))
def test_others_leave_the_target_visible(materials: Materials, seed: int) -> None:
    rng = np.random.default_rng(seed)
    region = CropRegion.around((100, 80, 50, 30), 4.0, 256)
    others = draw_distractors(rng, materials, region, TARGET, 39.0, 4, None)
    assert len(others) >= 2
    hidden = sum(covered_part(TARGET, other.bounds()) for other in others)
    assert hidden < 0.35
    for other in others:
        x, y = other.bounds().reshape(2, 2).mean(axis=0)
        assert region.x0_px <= x <= region.x0_px + region.side_px
        assert region.y0_px <= y <= region.y0_px + region.side_px
    occluder = draw_occluder(rng, materials, TARGET, 39.0, others)
    if occluder is not None:
        covered = covered_part(TARGET, occluder.bounds())
        assert covered > 0.08 and covered + hidden < 0.5


def test_occluders_are_found_mostly(materials: Materials) -> None:
    rng = np.random.default_rng(0)
    found = [draw_occluder(rng, materials, TARGET, 39.0, []) is not None for _ in range(50)]
    assert np.mean(found) > 0.7


@pytest.mark.parametrize("box", [(100, 80, 50, 30), (5, 5, 20, 80), (300, 10, 90, 18)])
def test_search_region_shows_the_target(box: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y, w, h = box
    shifts = []
    for _ in range(200):
        region = draw_search_region(rng, np.array(box, dtype=float), ModelConfig())
        assert region.size_px == 256
        window = np.array([0, 0, region.side_px, region.side_px], dtype=float)
        window += np.tile((region.x0_px, region.y0_px), 2)
        assert covered_part(np.array([x, y, x + w, y + h], dtype=float), window) >= 0.4
        middle = region.x0_px + region.side_px / 2 - (x + w / 2)
        shifts.append(middle / np.sqrt(w * h))
    assert np.abs(shifts).max() > 0.7
    assert np.median(np.abs(shifts)) < 0.3


def test_drift_and_loose_boxes() -> None:
    rng = np.random.default_rng(0)
    box = np.array([40.0, 60.0, 50.0, 30.0])
    drifted = np.stack([drift(rng, box) for _ in range(500)])
    sizes = np.sqrt(drifted[:, 2] * drifted[:, 3] / (50 * 30))
    assert 0.5 < sizes.min() < 0.7 and 1.4 < sizes.max() < 1.9
    loose = np.stack([loosen(rng, box) for _ in range(500)])
    overlaps = overlap(loose, box)
    assert overlaps.min() > 0.7 and 0.85 < overlaps.mean() < 0.97
