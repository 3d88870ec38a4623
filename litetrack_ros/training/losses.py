"""What a pair asks of the network, and what its answer costs (paper Eq. 4).

Focal on the score map, GIoU and L1 on boxes: with the boxes around the centre trained
(:func:`pair_losses`), or as the authors do (:func:`peak_losses`). What a teacher adds is in
:mod:`litetrack_ros.training.teacher`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from litetrack_ros.model.head import HeadMaps, at_least_float32, boxes_at

LABEL_OVERLAP = 0.7  # a box moved by the label's radius overlaps the true one at least this much
FOCAL_POWER = 2.0  # CornerNet's alpha: easy cells count less
LABEL_POWER = 4.0  # CornerNet's beta: cells near the peak count less


class LossWeights(NamedTuple):
    """Weights of the three losses in their sum."""

    focal: float
    giou: float
    l1: float


class LossReport(NamedTuple):
    """Losses and what they were made of; scalars, all but ``total`` without gradient.

    Attributes:
        total: weighted sum.
        focal, giou, l1: its parts, unweighted.
        overlap_center: mean overlap of the boxes at the true centre's cell.
        overlap_peak: mean overlap of the boxes at the predicted peak, where tracking reads them.
        score_present, score_absent: mean peak of the score map with and without a target (0 where
            the batch has none).
    """

    total: Tensor
    focal: Tensor
    giou: Tensor
    l1: Tensor
    overlap_center: Tensor
    overlap_peak: Tensor
    score_present: Tensor
    score_absent: Tensor


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


def score_loss(score: Tensor, label: Tensor, quality: Tensor) -> Tensor:
    """CornerNet's focal loss, with a soft label at the peak (as in quality focal loss).

    Args:
        score: predicted, ``(B, G, G)`` in (0, 1).
        label: Gaussian labels, ``(B, G, G)``, 1 at the peak; all 0 for an absent target.
        quality: the peak's label, ``(B,)`` in [0, 1]; with ones this is the paper's loss.

    Returns:
        The sum over the cells, over the number of targets present.
    """
    peak = (label == 1).to(score.dtype)
    wanted = quality[:, None, None]
    log_p, log_not_p = score.log(), (1 - score).log()
    entropy = wanted * log_p + (1 - wanted) * log_not_p
    at_peak = (wanted - score).abs().pow(FOCAL_POWER) * entropy * peak
    elsewhere = (1 - label).pow(LABEL_POWER) * score.pow(FOCAL_POWER) * log_not_p * (1 - peak)
    return -(at_peak + elsewhere).sum() / peak.sum().clamp(min=1)


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Centre and size to two corners, ``(..., 4)``."""
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([center - half, center + half], dim=-1)


def overlap_and_giou(boxes_a_xyxy: Tensor, boxes_b_xyxy: Tensor) -> tuple[Tensor, Tensor]:
    """Overlap and generalised overlap (Rezatofighi 2019) of boxes ``(..., 4)``, pairwise."""
    low = torch.maximum(boxes_a_xyxy[..., :2], boxes_b_xyxy[..., :2])
    high = torch.minimum(boxes_a_xyxy[..., 2:], boxes_b_xyxy[..., 2:])
    intersection = (high - low).clamp(min=0).prod(dim=-1)
    area_a = (boxes_a_xyxy[..., 2:] - boxes_a_xyxy[..., :2]).prod(dim=-1)
    area_b = (boxes_b_xyxy[..., 2:] - boxes_b_xyxy[..., :2]).prod(dim=-1)
    union = area_a + area_b - intersection
    outer_low = torch.minimum(boxes_a_xyxy[..., :2], boxes_b_xyxy[..., :2])
    outer_high = torch.maximum(boxes_a_xyxy[..., 2:], boxes_b_xyxy[..., 2:])
    hull = (outer_high - outer_low).prod(dim=-1)
    tiny = torch.finfo(union.dtype).tiny
    overlap = intersection / union.clamp(min=tiny)
    return overlap, overlap - (hull - union) / hull.clamp(min=tiny)


def pair_losses(
    maps: HeadMaps,
    boxes_cxcywh_norm: Tensor,
    present: Tensor,
    weights: LossWeights,
    quality_labels: bool,
) -> LossReport:
    """All losses of a batch.

    Args:
        maps: the head's answer.
        boxes_cxcywh_norm: true boxes, ``(B, 4)``; ignored where absent.
        present: ``(B,)`` bool.
        weights: of the three losses.
        quality_labels: whether the score's peak is labelled with the overlap of the box at the
            true cell (without gradient) rather than 1.
    """
    grid = maps.score.shape[-1]
    score = at_least_float32(maps.score[:, 0])
    there = present.float()
    cells, cell_weights = box_cells(boxes_cxcywh_norm, score)
    truth = cxcywh_to_xyxy(boxes_cxcywh_norm)[:, None]
    predicted = cxcywh_to_xyxy(boxes_at(maps, cells))
    overlap, giou = overlap_and_giou(predicted, truth)  # (B, 10)
    distance = (predicted - truth).abs().mean(dim=-1)
    cell_weights = cell_weights * there[:, None]
    total_weight = cell_weights.sum().clamp(min=1e-6)
    giou_loss = ((1 - giou) * cell_weights).sum() / total_weight
    l1_loss = (distance * cell_weights).sum() / total_weight

    at_center = overlap[:, 4].detach()  # the middle of the 3x3 cells
    quality = at_center if quality_labels else torch.ones_like(at_center)
    label = gaussian_label(boxes_cxcywh_norm, grid) * there[:, None, None]
    focal = score_loss(score, label, quality)
    peaks = score.detach().flatten(1).amax(dim=1)
    return LossReport(
        total=weights.focal * focal + weights.giou * giou_loss + weights.l1 * l1_loss,
        focal=focal.detach(),
        giou=giou_loss.detach(),
        l1=l1_loss.detach(),
        overlap_center=_mean_where(at_center, there),
        overlap_peak=_mean_where(overlap[:, 9].detach(), there),
        score_present=_mean_where(peaks, there),
        score_absent=_mean_where(peaks, 1 - there),
    )


def peak_losses(
    maps: HeadMaps, boxes_cxcywh_norm: Tensor, present: Tensor, weights: LossWeights
) -> LossReport:
    """All losses of a batch, equal to those of the released training code.

    Boxes are read and trained at the predicted peak. The released code differs from the paper's
    text in nothing but detail: targets are clipped to the search region before boxes are compared,
    and the label's radius may be zero.

    The peak is the map's plain maximum, without a window, as in the released head. No gradient
    reaches the score map through the choice of the cell.

    Args:
        maps: the head's answer.
        boxes_cxcywh_norm: true boxes, ``(B, 4)``; ignored where absent.
        present: ``(B,)`` bool; an absent target asks for an empty score map and trains no box (the
            released code knows only present ones).
        weights: of the three losses.
    """
    grid = maps.score.shape[-1]
    score = at_least_float32(maps.score[:, 0])
    there = present.float()
    count = there.sum().clamp(min=1)
    top = score.detach().flatten(1).max(dim=1)
    predicted = cxcywh_to_xyxy(boxes_at(maps, top.indices[:, None])[:, 0])
    truth = cxcywh_to_xyxy(boxes_cxcywh_norm).clamp(0, 1)
    overlap, giou = overlap_and_giou(predicted, truth)
    giou_loss = ((1 - giou) * there).sum() / count
    l1_loss = ((predicted - truth).abs().mean(dim=1) * there).sum() / count
    label = gaussian_label(boxes_cxcywh_norm, grid, min_radius=0) * there[:, None, None]
    focal = score_loss(score, label, torch.ones_like(there))
    with torch.no_grad():
        cells = center_cells(boxes_cxcywh_norm, grid)
        flat = (cells[:, 1] * grid + cells[:, 0])[:, None]
        at_center = overlap_and_giou(cxcywh_to_xyxy(boxes_at(maps, flat)[:, 0]), truth)[0]
    return LossReport(
        total=weights.focal * focal + weights.giou * giou_loss + weights.l1 * l1_loss,
        focal=focal.detach(),
        giou=giou_loss.detach(),
        l1=l1_loss.detach(),
        overlap_center=(at_center * there).sum() / count,
        overlap_peak=(overlap.detach() * there).sum() / count,
        score_present=(top.values * there).sum() / count,
        score_absent=(top.values * (1 - there)).sum() / (1 - there).sum().clamp(min=1),
    )


def peak_is_near(score: Tensor, boxes_cxcywh_norm: Tensor) -> Tensor:
    """Whether each score map's peak lies within one cell of the true centre's, ``(B,)`` bool.

    Args:
        score: ``(B, G, G)``.
        boxes_cxcywh_norm: ``(B, 4)``.
    """
    grid = score.shape[-1]
    peak = score.flatten(1).argmax(dim=1)
    peak_xy = torch.stack([peak % grid, peak // grid], dim=-1)
    return ((peak_xy - center_cells(boxes_cxcywh_norm, grid)).abs() <= 1).all(dim=-1)


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)
