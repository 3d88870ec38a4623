"""The labels, and the losses on score maps and boxes."""

import math

import numpy as np
import pytest
import torch

from litetrack_ros.geometry import cxcywh_to_xywh, overlap
from litetrack_ros.model.head import HeadMaps, boxes_at
from litetrack_ros.training.losses import (
    LossWeights,
    box_cells,
    center_cells,
    cxcywh_to_xyxy,
    gaussian_label,
    overlap_and_giou,
    pair_losses,
    peak_is_near,
    score_loss,
)

WEIGHTS = LossWeights(1.0, 2.0, 5.0)


def _maps(batch: int = 4, grid: int = 8, seed: int = 0) -> HeadMaps:
    g = torch.Generator().manual_seed(seed)
    score = torch.rand(batch, 1, grid, grid, generator=g) * 0.9 + 0.05
    size = torch.rand(batch, 2, grid, grid, generator=g) * 0.5 + 0.1
    offset = torch.rand(batch, 2, grid, grid, generator=g)
    return HeadMaps(*(m.requires_grad_() for m in (score, size, offset)))


BOXES = torch.tensor(
    [[0.5, 0.5, 0.3, 0.2], [0.1, 0.9, 0.4, 0.4], [0.7, 0.2, 0.1, 0.6], [0.0, 0.0, 0.0, 0.0]]
)
PRESENT = torch.tensor([True, True, True, False])


def test_score_loss_is_the_papers_where_quality_is_one() -> None:
    score = _maps().score[:, 0].detach()
    label = gaussian_label(BOXES, 8) * PRESENT[:, None, None]
    total = 0.0
    for p, y in zip(score.flatten().tolist(), label.flatten().tolist(), strict=True):
        if y == 1:
            total -= (1 - p) ** 2 * math.log(p)
        else:
            total -= (1 - y) ** 4 * p**2 * math.log(1 - p)
    assert float(score_loss(score, label, torch.ones(4))) == pytest.approx(total / 3, rel=1e-5)


def test_score_loss_is_least_at_the_quality() -> None:
    label = gaussian_label(BOXES[:1], 8)
    losses = {}
    for p in (0.4, 0.6, 0.7, 0.8, 0.95):
        score = torch.where(label == 1, torch.tensor(p), torch.tensor(1e-4))
        losses[p] = float(score_loss(score, label, torch.tensor([0.7])))
    assert min(losses, key=losses.__getitem__) == 0.7


def test_absent_targets_ask_for_an_empty_map() -> None:
    low, high = (torch.full((1, 8, 8), p) for p in (0.01, 0.5))
    empty = torch.zeros(1, 8, 8)
    assert score_loss(low, empty, torch.ones(1)) < score_loss(high, empty, torch.ones(1))


@pytest.mark.parametrize(
    ("a", "b", "giou"),
    [
        ([0, 0, 2, 2], [0, 0, 2, 2], 1.0),
        ([0, 0, 1, 1], [2, 0, 3, 1], -1 / 3),
        ([0, 0, 2, 2], [1, 1, 3, 3], 1 / 7 - 2 / 9),
        ([0, 0, 4, 4], [1, 1, 2, 2], 1 / 16),
    ],
)
def test_giou(a: list[float], b: list[float], giou: float) -> None:
    tensors = [torch.tensor([v], dtype=torch.float32) for v in (a, b)]
    assert float(overlap_and_giou(*tensors)[1]) == pytest.approx(giou)


def test_overlap_is_the_packages() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.1, 0.6, (2, 50, 4))
    mine, _ = overlap_and_giou(*(cxcywh_to_xyxy(torch.from_numpy(v)) for v in (a, b)))
    np.testing.assert_allclose(mine, overlap(cxcywh_to_xywh(a), cxcywh_to_xywh(b)), atol=1e-12)


def test_boxes_are_decoded_from_their_cells() -> None:
    maps = _maps(1)
    box = boxes_at(maps, torch.tensor([[3 * 8 + 5]]))[0, 0]
    offset, size = maps.offset[0, :, 3, 5], maps.size[0, :, 3, 5]
    expected = torch.stack([(5 + offset[0]) / 8, (3 + offset[1]) / 8, size[0], size[1]])
    torch.testing.assert_close(box, expected)


def test_absent_pairs_train_no_box() -> None:
    maps = _maps()
    report = pair_losses(maps, BOXES, PRESENT, WEIGHTS, quality_labels=True)
    grads = torch.autograd.grad(report.total, [maps.score, maps.size, maps.offset])
    assert all(torch.isfinite(g).all() for g in grads)
    assert grads[1][3].abs().sum() == 0 and grads[2][3].abs().sum() == 0
    assert grads[0][3].abs().sum() > 0
    assert grads[1][0].abs().sum() > 0


def test_a_batch_without_any_target_is_finite() -> None:
    maps = _maps()
    report = pair_losses(maps, BOXES, torch.zeros(4, dtype=torch.bool), WEIGHTS, True)
    assert all(torch.isfinite(value) for value in report)
    assert report.giou == 0 and report.score_present == 0


def test_perfect_boxes_cost_nothing() -> None:
    maps = _maps()
    grid = torch.arange(8.0)
    columns, rows = torch.meshgrid(grid, grid, indexing="xy")
    cells = torch.stack([columns, rows])[None]
    offset = BOXES[:, :2, None, None] * 8 - cells
    size = BOXES[:, 2:, None, None].expand(-1, -1, 8, 8)
    report = pair_losses(HeadMaps(maps.score, size, offset), BOXES, PRESENT, WEIGHTS, True)
    assert float(report.giou) == pytest.approx(0, abs=1e-5)
    assert float(report.l1) == pytest.approx(0, abs=1e-6)
    assert float(report.overlap_peak) == pytest.approx(1, abs=1e-5)


def test_total_is_the_weighted_sum() -> None:
    report = pair_losses(_maps(), BOXES, PRESENT, WEIGHTS, False)
    assert float(report.total.detach()) == pytest.approx(
        float(report.focal + 2 * report.giou + 5 * report.l1), rel=1e-6
    )


@pytest.mark.parametrize(("peak", "near"), [((4, 4), True), ((5, 3), True), ((6, 4), False)])
def test_peak_is_near(peak: tuple[int, int], near: bool) -> None:
    score = torch.zeros(1, 8, 8)
    score[0, peak[1], peak[0]] = 1
    assert bool(peak_is_near(score, torch.tensor([[0.55, 0.55, 0.2, 0.2]]))[0]) is near


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
