"""What is drawn, and where."""

import numpy as np
import pytest

from litetrack_ros.media.drawing import GREEN, draw_box, draw_text, heat_map, tile


def test_a_box_is_its_outline():
    image = np.zeros((50, 60, 3), np.uint8)
    draw_box(image, [10.4, 20.0, 29.8, 10.0], GREEN)
    drawn = np.argwhere(image.any(axis=2))
    assert drawn.min(axis=0).tolist() == [20, 10]
    assert drawn.max(axis=0).tolist() == [30, 40]
    assert not image[21:30, 11:40].any()


@pytest.mark.parametrize("box", [[np.nan] * 4, [1.0, 2.0, np.nan, 4.0], [500.0, 0, 10, 10]])
def test_a_box_that_is_nowhere_draws_nothing(box: list[float]):
    image = np.zeros((50, 60, 3), np.uint8)
    draw_box(image, box, GREEN)
    assert not image.any()


def test_a_huge_box_is_cut_at_the_border():
    image = np.zeros((50, 60, 3), np.uint8)
    draw_box(image, [-1e12, 10, 2e12, 1e12], GREEN)
    assert image[10, :].any(axis=1).all()
    assert not image[11:].any()


def test_text_darkens_its_ground_and_stays_in_its_line():
    image = np.full((100, 300, 3), 200, np.uint8)
    draw_text(image, "one", 0)
    below = np.flatnonzero((image == 200).all(axis=(1, 2)))[0]
    draw_text(image, "two", 1)
    assert (image[below : 2 * below] != 200).any()
    assert (image[2 * below + 1 :] == 200).all()


def test_heat_map_is_red_where_the_value_is_greatest():
    values = np.zeros((4, 4))
    values[1, 2] = 0.3
    heat = heat_map(np.full((64, 64, 3), 128, np.uint8), values)
    blue, _, red = heat[24, 40].astype(int)
    assert red > blue + 50
    blue, _, red = heat[56, 8].astype(int)
    assert blue > red + 50
    assert heat_map(np.zeros((8, 8, 3), np.uint8), np.zeros((2, 2))).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("count", "columns", "shape"), [(1, 3, (10, 20)), (2, 3, (10, 44)), (4, 3, (24, 68))]
)
def test_tiles(count: int, columns: int, shape: tuple[int, int]):
    panels = [np.full((10, 20, 3), 10 + n, np.uint8) for n in range(count)]
    sheet = tile(panels, columns)
    assert sheet.shape == (*shape, 3)
    assert sheet[0, 0, 0] == 10
    assert sheet[-10, 24 * ((count - 1) % columns), 0] == 10 + count - 1
    assert set(np.unique(sheet)) <= {0, *(10 + n for n in range(count))}
