"""Where to look in the whole picture: the right colours first, everywhere in the end."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from litetrack_ros.images import Uint8Image
from litetrack_ros.tracker.looks import colour_shares
from litetrack_ros.tracker.proposals import Proposals

BOX = np.array([0.0, 0.0, 60.0, 40.0])
SIDE_PX = 200.0


def picture(at_xy: tuple[int, int], width: int = 1280, height: int = 720) -> Uint8Image:
    image = np.full((height, width, 3), 90, dtype=np.uint8)
    x, y = at_xy
    image[y : y + 40, x : x + 60] = (30, 40, 220)
    return image


def proposals() -> Proposals:
    red = np.full((40, 60, 3), (220, 40, 30), dtype=np.uint8)
    return Proposals(colour_shares(red), BOX, SIDE_PX)


@pytest.mark.parametrize("at_xy", [(0, 0), (900, 500), (1219, 679), (400, 10)])
def test_the_targets_colours_come_first(at_xy: tuple[int, int]) -> None:
    where = proposals()
    where.look(picture(at_xy), "bgr")
    middle = np.array(at_xy) + np.array((30, 20))
    assert np.abs(where.best() - middle).max() < 40
    assert np.abs(where.next_window() - middle).max() <= 0.5 * SIDE_PX


def test_a_place_rests_after_it_was_proposed() -> None:
    where = proposals()
    image = picture((900, 500))
    where.look(image, "bgr")
    first = where.best()
    assert np.abs(where.best() - first).max() > 0.25 * SIDE_PX
    for _ in range(12):
        where.look(image, "bgr")
    assert np.abs(where.best() - first).max() < 1e-9


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1920, 1080), (100, 90)])
def test_the_raster_covers_the_picture_before_it_begins_anew(width: int, height: int) -> None:
    where = proposals()
    image = np.full((height, width, 3), 90, dtype=np.uint8)
    covered = np.zeros((height, width), dtype=bool)
    seen: set[tuple[float, float]] = set()
    while True:
        where.look(image, "bgr")
        x, y = where.next_window().tolist()
        if (x, y) in seen:
            break
        seen.add((x, y))
        half = 0.5 * SIDE_PX
        covered[max(0, int(y - half)) : int(y + half), max(0, int(x - half)) : int(x + half)] = True
    assert covered.all()


def test_the_same_pictures_give_the_same_places() -> None:
    def places() -> list[list[float]]:
        where, found = proposals(), []
        for k in range(10):
            where.look(picture((100 + 40 * k, 300)), "bgr")
            found += [where.best().tolist(), where.next_window().tolist()]
        return found

    assert places() == places()


@pytest.mark.parametrize("size", [(100, 90), (1, 60_000), (60_000, 1), (640, 480)])
@pytest.mark.parametrize("box_px", [1e-6, 90_000.0])
def test_a_target_of_any_size_in_any_picture_costs_no_memory(
    size: tuple[int, int], box_px: float
) -> None:
    red = np.full((40, 60, 3), (220, 40, 30), dtype=np.uint8)
    where = Proposals(colour_shares(red), np.array([0.0, 0.0, box_px, box_px]), 4 * box_px)
    tracemalloc.start()
    try:
        where.look(np.full((size[1], size[0], 3), 90, dtype=np.uint8), "bgr")
        for place in (where.next_window(), where.best()):
            assert (place >= 0).all() and (place <= size).all()
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 20e6
