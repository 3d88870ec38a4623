"""What a box is read as from the head's maps: the peak's alone, or the mean around it."""

import numpy as np
import torch

from litetrack_ros.geometry import cxcywh_to_xywh, overlap
from litetrack_ros.model.head import (
    AGREEING_OVERLAP,
    HeadMaps,
    averaged_boxes,
    boxes_at,
    cells_around,
)

GRID = 6


def random_maps(count: int) -> HeadMaps:
    """Maps of boxes so large that neighbours agree more often than not."""
    generator = torch.Generator().manual_seed(3)
    score, size, offset = (
        torch.rand(count, channels, GRID, GRID, generator=generator) for channels in (1, 2, 2)
    )
    return HeadMaps(score, 0.5 + 0.4 * size, offset)


def mean_boxes(maps: HeadMaps, peaks: torch.Tensor) -> torch.Tensor:
    cells, inside = cells_around(peaks, GRID)
    scores = maps.score.flatten(1).gather(1, cells)
    return averaged_boxes(boxes_at(maps, cells), scores, inside)


def recomputed(maps: HeadMaps, peak: int) -> np.ndarray:
    """The mean of one pair, in float64 and cell by cell."""
    score, size, offset = (part[0].double().numpy() for part in maps)
    row, column = divmod(peak, GRID)

    def box(y: int, x: int) -> np.ndarray:
        center = (np.array([x, y]) + offset[:, y, x]) / GRID
        return np.concatenate([center, size[:, y, x]])

    total, mass = np.zeros(4), 0.0
    for y in range(max(row - 1, 0), min(row + 2, GRID)):
        for x in range(max(column - 1, 0), min(column + 2, GRID)):
            pair = (cxcywh_to_xywh(each) for each in (box(y, x), box(row, column)))
            if overlap(*pair) >= AGREEING_OVERLAP:
                total += score[0, y, x] ** 2 * box(y, x)
                mass += score[0, y, x] ** 2
    return total / mass


def test_the_mean_is_that_of_the_definition() -> None:
    maps = random_maps(1)
    far = 0
    for peak in range(GRID * GRID):
        found = mean_boxes(maps, torch.tensor([[peak]]))[0].numpy()
        np.testing.assert_allclose(found, recomputed(maps, peak), atol=1e-6)
        far += np.abs(found - boxes_at(maps, torch.tensor([[peak]]))[0, 0].numpy()).max() > 1e-3
    assert far > 20


def test_a_neighbour_that_means_something_else_changes_nothing() -> None:
    maps = random_maps(1)
    maps.size[...], maps.offset[...] = 0.5, 0.5
    maps.size[0, :, 2, 3] = 0.05  # beside the peak, and as sure as it
    maps.score[...] = 0.01
    maps.score[0, 0, 2, 2:4] = 0.9
    found = mean_boxes(maps, torch.tensor([[2 * GRID + 2]]))[0]
    np.testing.assert_allclose(found[2:], 0.5)
    np.testing.assert_allclose(found[:2], 2.5 / GRID, atol=1e-3)


def test_pairs_do_not_mix() -> None:
    maps, peaks = random_maps(3), torch.tensor([[0], [20], [35]])
    together = mean_boxes(maps, peaks)
    for k in range(3):
        alone = mean_boxes(HeadMaps(*(part[k : k + 1] for part in maps)), peaks[k : k + 1])
        assert torch.equal(alone[0], together[k])
