"""Pairs of outlined objects of photos, among others of their class."""

from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.config import variant
from litetrack_ros.datasets.coco import read_objects
from litetrack_ros.datasets.containers import Containers
from litetrack_ros.errors import DatasetError
from litetrack_ros.pairs.materials import held_out
from litetrack_ros.pairs.pair_recipe import PairRecipe, RealRecipe
from litetrack_ros.pairs.photo_pairs import PhotoPairs

CONFIG = variant("nano")


def _pairs(boxed: Path, split: str = "all", **how: object) -> PhotoPairs:
    containers = Containers(boxed / "boxed_photos")
    sets = [(containers, read_objects(containers, ""))]
    recipe = PairRecipe(real_pair=RealRecipe(**how))  # type: ignore[arg-type]
    return PhotoPairs(sets, CONFIG, 1, recipe, split)  # type: ignore[arg-type]


@pytest.mark.parametrize("largest_part", [0.0, 1.0])
@pytest.mark.parametrize("absent", [0.0, 1.0])
def test_pairs_are_whole(boxed: Path, largest_part: float, absent: float) -> None:
    """Objects on other photos, and photos seen by a camera that moves."""
    source = _pairs(boxed, absent=absent, largest_part=largest_part)
    for k in range(25):
        pair = source.pair(k)
        assert pair.template.shape == (CONFIG.template_size, CONFIG.template_size, 3)
        assert pair.search.shape == (CONFIG.search_size, CONFIG.search_size, 3)
        assert pair.present == (absent == 0.0)
        assert bool(pair.search_box_cxcywh_norm.any()) == pair.present
        if pair.present:
            assert (pair.search_box_cxcywh_norm[2:] > 0.05).all()
            assert (
                (pair.search_box_cxcywh_norm[:2] > 0) & (pair.search_box_cxcywh_norm[:2] < 1)
            ).all()


def test_a_look_alike_is_of_the_class_and_of_another_photo(boxed: Path) -> None:
    source = _pairs(boxed)
    rng = np.random.default_rng(0)
    for number, (_, item) in enumerate(source.objects):
        _, other = source.objects[source._elsewhere(rng, number)]
        assert other.category == item.category and other.photo != item.photo


def test_a_pair_is_a_function_of_seed_and_index(boxed: Path) -> None:
    one, two = _pairs(boxed), _pairs(boxed)
    for k in (0, 7, 3):
        for a, b in zip(one.pair(k), two.pair(k), strict=True):
            np.testing.assert_array_equal(a, b)


def test_splits_share_no_photo(boxed: Path) -> None:
    train, validation = (
        {item.photo for _, item in _pairs(boxed, split).objects}
        for split in ("train", "validation")
    )
    assert train and validation and not train & validation
    assert all(held_out(name.removesuffix(".webp")) for name in validation)


def test_objects_without_an_outline_are_left_out(boxed: Path) -> None:
    containers = Containers(boxed / "boxed_photos")
    objects = [item._replace(polygons=()) for item in read_objects(containers, "")]
    with pytest.raises(DatasetError, match="no outlined object"):
        PhotoPairs([(containers, objects)], CONFIG, 1, PairRecipe())
