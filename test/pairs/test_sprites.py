"""Objects: shapes fill their boxes, twins differ, surroundings fade out."""

import numpy as np
import pytest
from training_pictures import ellipse_mask, textured

from litetrack_ros.pairs.materials import Materials, make_sprite, outline_of
from litetrack_ros.pairs.sprites import (
    SpriteRecipe,
    draw_photo_sprite,
    draw_shape,
    draw_sprite,
    draw_twin,
    recolour,
    with_surroundings,
)

RECIPE = SpriteRecipe()


@pytest.mark.parametrize("seed", range(12))
def test_shapes_fill_their_box(seed: int) -> None:
    shape = draw_shape(np.random.default_rng(seed), RECIPE, 80.0, 30.0)
    np.testing.assert_allclose(shape.min(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(shape.max(axis=0), [80.0, 30.0], rtol=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_outline_of_a_photo_piece_is_that_of_its_alpha(materials: Materials, seed: int) -> None:
    sprite = draw_photo_sprite(np.random.default_rng(seed), RECIPE, materials)
    alpha = sprite.rgba[..., 3]
    assert not alpha[[0, -1]].any() and not alpha[:, [0, -1]].any()
    seen = outline_of(alpha)
    # A pointed corner of the outline covers less than half of its last pixels.
    assert np.abs(seen.min(axis=0) - sprite.outline_xy.min(axis=0)).max() < 4
    assert np.abs(seen.max(axis=0) - sprite.outline_xy.max(axis=0)).max() < 4


def test_pool_holds_cutouts_and_pieces(materials: Materials) -> None:
    rng = np.random.default_rng(0)
    cutouts = {id(cutout.sprite) for cutout in materials.cutouts}
    share = np.mean([id(draw_sprite(rng, RECIPE, materials)) in cutouts for _ in range(200)])
    assert 0.35 < share < 0.65


def _grey(rgb: np.ndarray) -> np.ndarray:
    return rgb @ np.array([0.3, 0.6, 0.1])


@pytest.mark.parametrize("colours_show", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_twins_can_be_told_apart(materials: Materials, seed: int, colours_show: bool) -> None:
    rng = np.random.default_rng(seed)
    sprite = make_sprite(
        np.dstack([textured(rng, 60, 50), ellipse_mask(60, 50, (30, 25), (25, 20))])
    )
    twin = draw_twin(rng, RECIPE, sprite, materials, colours_show)
    assert twin.rgba.shape == sprite.rgba.shape
    both = (twin.rgba[..., 3] > 127) & (sprite.rgba[..., 3] > 127)
    change = np.abs(_grey(twin.rgba[both][:, :3]) - _grey(sprite.rgba[both][:, :3]))
    colours = np.abs(twin.rgba[both][:, :3].astype(int) - sprite.rgba[both][:, :3])
    other_shape = (twin.rgba[..., 3] > 127) ^ (sprite.rgba[..., 3] > 127)
    assert max(change.mean(), colours.mean()) > 8
    if not colours_show:
        assert change.mean() > 8 or other_shape.mean() > 0.05


@pytest.mark.parametrize("seed", range(8))
def test_recolouring_keeps_the_texture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = textured(rng, 60, 50)
    other = recolour(rng, RECIPE.twin, picture)
    assert np.abs(other.astype(int) - picture).mean() > 8
    assert other.std() > 5


def test_surroundings_fade_out_away_from_the_object() -> None:
    rng = np.random.default_rng(0)
    mask = ellipse_mask(200, 160, (90, 80), (25, 20))
    sprite = with_surroundings(rng, RECIPE, textured(rng, 200, 160), mask)
    alpha = sprite.rgba[..., 3].astype(int)
    assert sprite.has_surroundings
    np.testing.assert_array_equal(sprite.outline_xy, outline_of(mask))
    assert alpha[80, 90] > 250
    assert not alpha[[0, -1]].any() and not alpha[:, [0, -1]].any()
    assert (alpha > 127).sum() > 1.3 * (mask > 0).sum()
    assert np.abs(np.diff(alpha, axis=1)).max() < 90
