"""A clear object is outlined, anything else is turned down."""

import numpy as np
import pytest
from training_pictures import ellipse_mask, textured

from litetrack_ros.pairs.photo_objects import find_object


def _disc_on_ground(width: int, height: int, center: tuple[int, int]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    mask = ellipse_mask(width, height, center, (50, 40))
    ground = textured(rng, width, height) // 3 + np.array([0, 90, 120], np.uint8)
    disc = textured(rng, width, height) // 3 + np.array([160, 30, 0], np.uint8)
    return np.where(mask[..., None] > 0, disc, ground).astype(np.uint8), mask


@pytest.mark.parametrize(
    ("width", "height", "center"), [(240, 224, (120, 112)), (300, 224, (170, 100))]
)
def test_clear_object_is_found(width: int, height: int, center: tuple[int, int]) -> None:
    picture, mask = _disc_on_ground(width, height, center)
    found = find_object(picture)
    assert found is not None and found.shape == mask.shape and found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 255}
    common, either = (found & mask).sum(), (found | mask).sum()
    assert common / either > 0.93
    np.testing.assert_array_equal(find_object(picture), found)


@pytest.mark.parametrize("kind", ["even", "noise", "too large"])
def test_unclear_picture_is_turned_down(kind: str) -> None:
    rng = np.random.default_rng(0)
    picture = np.full((224, 224, 3), 100, np.uint8)
    if kind == "noise":
        picture = rng.integers(0, 256, picture.shape, dtype=np.uint8)
    if kind == "too large":
        picture[8:-8, 8:-8] = (200, 20, 20)
    assert find_object(picture) is None
