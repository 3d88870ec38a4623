"""Every effect of the camera does what its name says, and nothing else."""

import numpy as np
import pytest
from training_pictures import PLAIN_LOOK, textured

from litetrack_ros.pairs.degradation import (
    Look,
    LookRecipe,
    apply_look,
    draw_later_look,
    draw_look,
    motion_blur,
    soften,
)


@pytest.fixture
def picture() -> np.ndarray:
    """A picture with detail, RGB."""
    return textured(np.random.default_rng(0), 121, 90)


def _detail(picture: np.ndarray) -> float:
    return float(np.abs(np.diff(picture.astype(float), axis=0)).mean())


def _apply(picture: np.ndarray, **changes: object) -> np.ndarray:
    return apply_look(picture, PLAIN_LOOK._replace(**changes), np.random.default_rng(0))


def test_plain_look_changes_nothing(picture: np.ndarray) -> None:
    np.testing.assert_array_equal(_apply(picture), picture)


@pytest.mark.parametrize(
    "changes",
    [{"blur_sigma_px": 1.5}, {"motion_px": (7.0, 0.7)}, {"low_res": 2.0}, {"jpeg_quality": 20}],
)
def test_blurs_take_detail_and_keep_the_mean(
    picture: np.ndarray, changes: dict[str, object]
) -> None:
    seen = _apply(picture, **changes)
    assert seen.shape == picture.shape and seen.dtype == np.uint8
    assert _detail(seen) < 0.97 * _detail(picture)
    assert np.abs(seen.mean((0, 1)) - picture.mean((0, 1))).max() < 2.0


def test_noise_has_its_strength(picture: np.ndarray) -> None:
    middle = np.full_like(picture, 128)
    assert _apply(middle, noise=8.0).std() == pytest.approx(8.0, rel=0.1)


def test_noise_covers_pictures_larger_than_its_table() -> None:
    middle = np.full((1100, 2100, 3), 128, np.uint8)
    assert _apply(middle, noise=8.0).std() == pytest.approx(8.0, rel=0.1)


def test_grey_has_no_colour(picture: np.ndarray) -> None:
    seen = _apply(picture, grey=True)
    assert np.ptp(seen, axis=2).max() == 0


def test_light_falls_off_along_the_gradient(picture: np.ndarray) -> None:
    seen = _apply(np.full_like(picture, 100), gradient=(0.4, 0.0))
    assert seen[0, -1, 0] == pytest.approx(100 * np.exp(0.4), abs=2)
    assert seen[0, 0, 0] == pytest.approx(100 * np.exp(-0.4), abs=2)
    assert np.ptp(seen[:, 5], axis=0).max() == 0


@pytest.mark.parametrize(("angle", "kept"), [(0.0, 0), (np.pi / 2, 1)])
def test_motion_blurs_along_its_direction(angle: float, kept: int) -> None:
    """Stripes along the motion stay, stripes across it go."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::8] = stripes[1::8] = 255
    along = stripes if kept == 0 else stripes.swapaxes(0, 1).copy()
    assert motion_blur(along, 8.0, angle)[20:40, 20:40].std() > 90
    assert motion_blur(along.swapaxes(0, 1).copy(), 8.0, angle)[20:40, 20:40].std() < 40


def test_soften_scales_the_blurs_alone() -> None:
    look = PLAIN_LOOK._replace(blur_sigma_px=2.0, motion_px=(8.0, 1.0), low_res=3.0, noise=4.0)
    softer = soften(look, 0.5)
    assert softer == look._replace(blur_sigma_px=1.0, motion_px=(4.0, 1.0), low_res=2.0)


def test_drawn_looks_are_usable_and_vary(picture: np.ndarray) -> None:
    looks: list[Look] = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        first = draw_look(rng, LookRecipe())
        later = draw_later_look(rng, first, LookRecipe())
        looks += [first, later]
        assert apply_look(picture, later, rng).shape == picture.shape
    assert 0.05 < np.mean([look.grey for look in looks]) < 0.3
    assert 0.2 < np.mean([look.jpeg_quality > 0 for look in looks]) < 0.6
