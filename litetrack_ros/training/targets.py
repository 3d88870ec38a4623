"""What a pair asks of the network: the score's label and the cells whose boxes are trained."""

from __future__ import annotations

import torch
from torch import Tensor

LABEL_OVERLAP = 0.7  # a box moved by the label's radius overlaps the true one at least this much


def center_cells(boxes_cxcywh_norm: Tensor, grid: int) -> Tensor:
    """Column and row of the cell that holds each box's centre.

    Args:
        boxes_cxcywh_norm: ``(B, 4)`` in units of the search region's side.
        grid: cells along a side.

    Returns:
        ``(B, 2)`` int64, inside the grid also for centres outside the region.
    """
    return (boxes_cxcywh_norm[:, :2] * grid).floor().long().clamp(0, grid - 1)


def gaussian_label(boxes_cxcywh_norm: Tensor, grid: int, min_radius: int = 1) -> Tensor:
    """Label of the score map: 1 at the centre's cell, a Gaussian around it (CornerNet, CenterNet).

    The radius follows the box's size as in CenterNet. It is best at least one cell, as a centre
    near its cell's edge makes the next cell almost as right; the released code allows 0.

    Args:
        boxes_cxcywh_norm: ``(B, 4)`` in units of the search region's side.
        grid: cells along a side.
        min_radius: smallest radius, cells.

    Returns:
        ``(B, grid, grid)`` in [0, 1], rows first.
    """
    size = boxes_cxcywh_norm[:, 2:] * grid
    total, area = size.sum(dim=1), size.prod(dim=1)
    # A box shrunk by r on every side keeps LABEL_OVERLAP of its area: the smallest of CenterNet's
    # three radii for every aspect ratio.
    root = (LABEL_OVERLAP * total).square() + 4 * LABEL_OVERLAP * (1 - LABEL_OVERLAP) * area
    radius = (root.sqrt() - LABEL_OVERLAP * total).floor().clamp(min=min_radius)  # (B,)
    cells = torch.arange(grid, device=size.device)
    distance = (cells[None, None, :] - center_cells(boxes_cxcywh_norm, grid)[:, :, None]).float()
    sigma = (2 * radius + 1)[:, None, None] / 6
    near = (distance.abs() <= radius[:, None, None]).float()
    axes = torch.exp(-(distance.square()) / (2 * sigma.square())) * near  # (B, 2, grid)
    return axes[:, 1, :, None] * axes[:, 0, None, :]


def box_cells(boxes_cxcywh_norm: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
    """The cells whose boxes are trained: 3x3 around the centre, and the predicted peak.

    Boxes are read at the score's peak, which is often a neighbour of the true cell; the peak
    counts where it lies inside the target's box, and nothing is learned from it elsewhere.

    Args:
        boxes_cxcywh_norm: the targets, ``(B, 4)``.
        score: predicted score map, ``(B, G, G)``; no gradient flows through it.

    Returns:
        Flat indices ``(B, 10)`` into the map and weights ``(B, 10)`` in [0, 1].
    """
    grid = score.shape[-1]
    center = center_cells(boxes_cxcywh_norm, grid)
    step = torch.tensor([-1, 0, 1], device=score.device)
    near = torch.stack(torch.meshgrid(step, step, indexing="xy"), dim=-1).reshape(9, 2)
    around = center[:, None] + near  # (B, 9, 2)
    inside_grid = ((around >= 0) & (around < grid)).all(dim=-1)
    weights = 0.5 ** near.abs().sum(dim=-1).float() * inside_grid
    peak = score.detach().flatten(1).argmax(dim=1)
    peak_xy = torch.stack([peak % grid, peak // grid], dim=-1)
    reach = (boxes_cxcywh_norm[:, 2:] * grid / 2).clamp(min=0.5)
    offset = (peak_xy + 0.5 - boxes_cxcywh_norm[:, :2] * grid).abs()
    on_target = (offset <= reach).all(dim=-1).float()
    cells = torch.cat([around.clamp(0, grid - 1), peak_xy[:, None]], dim=1)
    return cells[..., 1] * grid + cells[..., 0], torch.cat([weights, on_target[:, None]], dim=1)
