import numpy as np
import pytest
import torch

from litetrack_ros.training.targets import box_cells, center_cells, gaussian_label


@pytest.mark.parametrize(
    ("center", "cell"),
    [((0.5, 0.5), (8, 8)), ((0.03, 0.99), (0, 15)), ((1.2, -0.1), (15, 0)), ((0.49, 0.1), (7, 1))],
)
def test_center_cell(center: tuple[float, float], cell: tuple[int, int]) -> None:
    boxes = torch.tensor([[*center, 0.2, 0.2]])
    assert center_cells(boxes, 16)[0].tolist() == list(cell)


def _drawn_label(box: list[float], grid: int) -> np.ndarray:
    """CenterNet's drawing, cell by cell."""
    w, h = box[2] * grid, box[3] * grid
    total, area, overlap = w + h, w * h, 0.7
    radii = [
        (total + np.sqrt(total**2 - 4 * area * (1 - overlap) / (1 + overlap))) / 2,
        (2 * total + np.sqrt(4 * total**2 - 16 * (1 - overlap) * area)) / 2,
        (-2 * overlap * total + np.sqrt((2 * overlap * total) ** 2 + 16 * overlap * 0.3 * area))
        / 2,
    ]
    radius = max(1, int(min(radii)))
    sigma = (2 * radius + 1) / 6
    label = np.zeros((grid, grid))
    x, y = int(box[0] * grid), int(box[1] * grid)
    for row in range(grid):
        for column in range(grid):
            dx, dy = column - x, row - y
            if max(abs(dx), abs(dy)) <= radius:
                label[row, column] = np.exp(-(dx * dx + dy * dy) / (2 * sigma**2))
    return label


@pytest.mark.parametrize(
    "box", [[0.5, 0.5, 0.25, 0.25], [0.02, 0.9, 0.6, 0.5], [0.7, 0.3, 0.05, 0.5], [0.3, 0.4, 0, 0]]
)
def test_label_is_centernets(box: list[float]) -> None:
    label = gaussian_label(torch.tensor([box]), 16)[0].numpy()
    np.testing.assert_allclose(label, _drawn_label(box, 16), atol=1e-6)
    assert label.max() == 1.0


def test_box_cells_are_weighted_around_the_centre() -> None:
    boxes = torch.tensor([[0.5, 0.5, 0.3, 0.3]])
    cells, weights = box_cells(boxes, torch.zeros(1, 16, 16))
    assert cells[0, 4] == 8 * 16 + 8
    assert cells[0, :9].tolist() == [r * 16 + c for r in (7, 8, 9) for c in (7, 8, 9)]
    assert weights[0, :9].tolist() == [0.25, 0.5, 0.25, 0.5, 1.0, 0.5, 0.25, 0.5, 0.25]


@pytest.mark.parametrize(
    ("peak", "counts"), [((8, 8), 1.0), ((10, 8), 1.0), ((11, 8), 0.0), ((0, 0), 0.0)]
)
def test_peak_counts_inside_the_box_only(peak: tuple[int, int], counts: float) -> None:
    score = torch.zeros(1, 16, 16)
    score[0, peak[1], peak[0]] = 0.9
    cells, weights = box_cells(torch.tensor([[8.5 / 16, 8.5 / 16, 0.3, 0.3]]), score)
    assert cells[0, 9] == peak[1] * 16 + peak[0]
    assert weights[0, 9] == counts


def test_cells_outside_the_grid_do_not_count() -> None:
    _, weights = box_cells(torch.tensor([[0.0, 0.0, 0.2, 0.2]]), torch.zeros(1, 16, 16))
    assert weights[0, :9].tolist() == [0, 0, 0, 0, 1.0, 0.5, 0, 0.5, 0.25]
