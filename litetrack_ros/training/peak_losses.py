"""The losses as the authors compute them: boxes are read and trained at the predicted peak.

The released code differs from the paper's text in nothing but detail: targets are clipped to the
search region before boxes are compared, and the label's radius may be zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

from litetrack_ros.model.head import HeadMaps, at_least_float32
from litetrack_ros.training.losses import (
    LossReport,
    LossWeights,
    boxes_at,
    cxcywh_to_xyxy,
    overlap_and_giou,
    score_loss,
)
from litetrack_ros.training.targets import center_cells, gaussian_label


def peak_losses(
    maps: HeadMaps, boxes_cxcywh_norm: Tensor, present: Tensor, weights: LossWeights
) -> LossReport:
    """All losses of a batch (paper Eq. 4), equal to those of the released training code.

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
