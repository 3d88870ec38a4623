"""The second template of a pair: of the target as a tracker takes it, and changing nothing else."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.config import variant
from litetrack_ros.datasets.catalogue import open_set
from litetrack_ros.datasets.coco import read_objects
from litetrack_ros.datasets.containers import Containers
from litetrack_ros.pairs.clip_pairs import ClipPairs
from litetrack_ros.pairs.degradation import Look, draw_later_look, draw_look
from litetrack_ros.pairs.pair import aside, contact_sheet, pair_generator
from litetrack_ros.pairs.pair_recipe import PairRecipe, RealRecipe
from litetrack_ros.pairs.photo_pairs import PhotoPairs
from litetrack_ros.pairs.poses import Placement, zoom
from litetrack_ros.pairs.recent import (
    RecentRecipe,
    box_beside,
    look_between,
    placement_between,
    recent_numbers,
    taken_box,
)
from litetrack_ros.pairs.synthetic import SyntheticPairs
from litetrack_ros.training.batches import PairSource

ONE = variant("nano")
TWO = dataclasses.replace(ONE, templates=2)
BOX = np.array([40.0, 30.0, 20.0, 10.0])
KINDS = ("pasted", "natural", "filmed", "photos", "largest photos", "clips")
Made = Callable[[int, RecentRecipe], PairSource]


@pytest.fixture(params=KINDS)
def make(
    request: pytest.FixtureRequest,
    pictures: Path,
    boxed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Made:
    """Makes a source of pairs for a model with so many templates."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kind = request.param

    def source(templates: int, recent: RecentRecipe) -> PairSource:
        config = TWO if templates == 2 else ONE
        if kind in ("pasted", "natural", "filmed"):
            shares = {"natural": float(kind == "natural"), "filmed": float(kind == "filmed")}
            return SyntheticPairs([pictures], config, 1, PairRecipe(recent=recent, **shares))
        if kind == "clips":
            return ClipPairs([open_set("folder", boxed)], config, 1, PairRecipe(recent=recent))
        real = RealRecipe(largest_part=0.0 if kind == "largest photos" else 1.0)
        containers = Containers(boxed / "boxed_photos")
        sets = [(containers, read_objects(containers, ""))]
        return PhotoPairs(sets, config, 1, PairRecipe(real_pair=real, recent=recent))

    return source


def test_it_changes_nothing_else(make: Made) -> None:
    one, two = make(1, RecentRecipe()), make(2, RecentRecipe(distant=0.0))
    found = 0
    for k in range(12):
        plain, doubled = one.pair(k), two.pair(k)
        assert plain.recent is None
        for a, b in zip(plain[:5], doubled[:5], strict=True):
            np.testing.assert_array_equal(a, b)
        if doubled.recent is None:
            continue
        found += 1
        again = two.pair(k).recent
        assert again is not None
        crop, box = doubled.recent
        np.testing.assert_array_equal(crop, again.crop)
        assert crop.shape == doubled.template.shape and crop.dtype == np.uint8
        assert box.shape == (4,) and box.dtype == np.float32
        assert np.abs(box[:2] - 0.5).max() < 0.06
    assert 4 <= found < 12


@pytest.mark.parametrize(("missing", "count"), [(0.0, 6), (1.0, 0)])
def test_a_share_is_missing(make: Made, missing: float, count: int) -> None:
    source = make(2, RecentRecipe(missing=missing))
    assert sum(source.pair(k).recent is not None for k in range(6)) == count


def test_a_distant_first_template_is_of_the_same_video(
    boxed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sets = [open_set("folder", boxed)]
    near, far = (
        ClipPairs(sets, TWO, 1, PairRecipe(recent=RecentRecipe(distant=share)))
        for share in (0.0, 1.0)
    )
    videos = {clip.video for clip in far.clips}
    assert videos == {"park", "road", "held"}
    differ = [(near.pair(k).template != far.pair(k).template).any() for k in range(40)]
    assert 0 < sum(differ) < 40  # park alone has two stretches
    for k in range(40):
        np.testing.assert_array_equal(near.pair(k).search, far.pair(k).search)


def test_what_a_tracker_takes() -> None:
    rng = np.random.default_rng(0)
    right, wrong = RecentRecipe(wrong=0.0), RecentRecipe(wrong=1.0, others=0.5)
    other = np.array([1.0, 2.0, 3.0, 4.0])
    assert taken_box(rng, right, BOX, (200, 100), [other]) is BOX
    taken = [taken_box(rng, wrong, BOX, (200, 100), [other]) for _ in range(200)]
    assert 70 < sum(box is other for box in taken) < 130
    for box in (box for box in taken if box is not other):
        apart = np.abs(box[:2] - BOX[:2]) / BOX[2:]
        assert 1.0 - 1e-9 <= apart.max() <= 2.0 and (box[2:] == BOX[2:]).all()
    whole_frame = np.array([0.0, 0.0, 200.0, 100.0])
    assert box_beside(rng, wrong, whole_frame, (200, 100)) is whole_frame


def test_own_numbers_leave_the_pairs_alone() -> None:
    rng, untouched = pair_generator(1, 2), pair_generator(1, 2)
    own = recent_numbers(rng, RecentRecipe(missing=0.0), TWO)
    assert own is not None and recent_numbers(rng, RecentRecipe(), ONE) is None
    assert own.random() != aside(aside(untouched)).random()
    assert rng.random() == untouched.random()


def test_between_two_looks_and_placements() -> None:
    rng = np.random.default_rng(3)
    recipe = PairRecipe().look
    first = draw_look(rng, recipe)
    later = draw_later_look(rng, first, recipe)._replace(gain=(0.2, 0.2, 0.2))
    ends: dict[float, Look] = {0.0: first, 1.0: later}
    for part, end in ends.items():
        found = look_between(first, later, part)
        np.testing.assert_allclose(found.gain, end.gain)
        assert found.gamma == pytest.approx(end.gamma) and found.noise == pytest.approx(end.noise)
    assert look_between(first, later, 0.5).blur_sigma_px == first.blur_sigma_px
    half = placement_between(Placement(zoom(1, 1)), Placement(zoom(3, 3)), 0.5)
    np.testing.assert_allclose(half.points(np.array([[2.0, 1.0]])), [[4.0, 2.0]])


def test_the_sheet_shows_it_where_a_pair_has_it(pictures: Path) -> None:
    def sheet(missing: float) -> tuple[int, ...]:
        recipe = PairRecipe(recent=RecentRecipe(missing=missing))
        source = SyntheticPairs([pictures], TWO, 0, recipe)
        return contact_sheet([source.pair(k) for k in range(4)], 2).shape

    without, some = sheet(1.0), sheet(0.5)
    assert some[1] - without[1] == 2 * TWO.template_size and some[0] == without[0]
