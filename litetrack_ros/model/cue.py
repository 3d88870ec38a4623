"""How the template branch learns where in the template the target is.

A cue turns the target's box into a token to put in front of the template's tokens, or into an
embedding to add to them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from litetrack_ros.model.layers import Mlp


class TokenCue(Mlp):
    """The authors' target token: an MLP 4-4-C of the box."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__(4, 4, embed_dim)

    def cue(self, boxes_xyxy_norm: Tensor, grid: int) -> tuple[Tensor | None, Tensor | None]:
        """Boxes ``(B, 4)`` in units of the crop's side to a token ``(B, 1, C)`` and None."""
        return self(boxes_xyxy_norm).unsqueeze(1), None


class InsideCue(nn.Module):
    """A learned embedding on every template token, times how much of its cell the box covers."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        # From zero it would have to be found first that the target is marked at all.
        self.weight = nn.Parameter(torch.randn(embed_dim))

    def cue(self, boxes_xyxy_norm: Tensor, grid: int) -> tuple[Tensor | None, Tensor | None]:
        """Boxes ``(B, 4)`` in units of the crop's side to None and ``(B, grid * grid, C)``."""
        return None, cell_coverage(boxes_xyxy_norm, grid).flatten(1).unsqueeze(-1) * self.weight


def cell_coverage(boxes_xyxy_norm: Tensor, grid: int) -> Tensor:
    """How much of every cell of a grid a box covers.

    Args:
        boxes_xyxy_norm: ``(B, 4)``, in units of the grid's side.
        grid: cells along a side.

    Returns:
        ``(B, grid, grid)``, rows first, in [0, 1].
    """
    start = torch.arange(grid, device=boxes_xyxy_norm.device, dtype=boxes_xyxy_norm.dtype)
    low, high = boxes_xyxy_norm[:, :2, None] * grid, boxes_xyxy_norm[:, 2:, None] * grid
    covered = (torch.minimum(high, start + 1) - torch.maximum(low, start)).clamp(0, 1)  # (B, 2, G)
    return covered[:, 1, :, None] * covered[:, 0, None, :]
