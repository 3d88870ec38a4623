"""The three losses of the paper (Eq. 4): focal on the score map, GIoU and L1 on boxes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from litetrack_ros.model.head import HeadMaps, at_least_float32
from litetrack_ros.training.targets import box_cells, center_cells, gaussian_label

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


def boxes_at(maps: HeadMaps, cells: Tensor) -> Tensor:
    """Decode the boxes of some cells.

    Args:
        maps: the head's answer.
        cells: flat indices, ``(B, K)``.

    Returns:
        ``(B, K, 4)`` cxcywh, float32 or wider, in units of the search region's side.
    """
    grid = maps.score.shape[-1]
    index = cells[:, None].expand(-1, 2, -1)
    offset = at_least_float32(maps.offset.flatten(2).gather(2, index).transpose(1, 2))
    size = at_least_float32(maps.size.flatten(2).gather(2, index).transpose(1, 2))
    corner = torch.stack([cells % grid, cells // grid], dim=-1)
    return torch.cat([(corner + offset) / grid, size], dim=-1)


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
