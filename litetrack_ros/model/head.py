"""The centre head: score, offset and size maps (paper Sec. III-D), and the boxes in them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

SIGMOID_FLOOR = 1e-4  # score and size are clamped to [1e-4, 1 - 1e-4], which bounds the focal loss
BRANCHES = {"ctr": 1, "offset": 2, "size": 2}
AGREEING_OVERLAP = 0.5  # with the peak's box, of boxes that are averaged with it


class HeadMaps(NamedTuple):
    """What the head says of every cell of a search region.

    Attributes:
        score: ``(B, 1, G, G)``, in (0, 1).
        size: ``(B, 2, G, G)``, width and height in units of the crop's side, in (0, 1).
        offset: ``(B, 2, G, G)``, x and y of the centre from the cell's corner, in cells.
    """

    score: Tensor
    size: Tensor
    offset: Tensor


class CenterHead(nn.Module):
    """Three branches of four 3x3 convolutions and a 1x1; names as in the authors' checkpoints."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        for branch, outputs in BRANCHES.items():
            widths = [inputs] + [channels >> k for k in range(4)]
            for k in range(4):
                layer = nn.Sequential(
                    nn.Conv2d(widths[k], widths[k + 1], 3, padding=1),
                    nn.BatchNorm2d(widths[k + 1]),
                    nn.ReLU(),
                )
                self.add_module(f"conv{k + 1}_{branch}", layer)
            self.add_module(f"conv5_{branch}", nn.Conv2d(widths[4], outputs, 1))
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def branch_layers(self, branch: str) -> list[nn.Module]:
        """The five layers of a branch, ``ctr``, ``offset`` or ``size``, in order."""
        return [self.get_submodule(f"conv{k}_{branch}") for k in range(1, 6)]

    def branch_logits(self, branch: str, features: Tensor) -> Tensor:
        """A branch's raw output for features ``(B, C, G, G)``: ``(B, 1 or 2, G, G)``."""
        x = features
        for layer in self.branch_layers(branch):
            x = layer(x)
        return x

    def forward(self, features: Tensor) -> HeadMaps:
        """Features ``(B, C, G, G)`` to maps."""
        return HeadMaps(
            clamped_sigmoid(self.branch_logits("ctr", features)),
            clamped_sigmoid(self.branch_logits("size", features)),
            self.branch_logits("offset", features),
        )


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


def cells_around(peaks: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """The 3x3 cells around each peak, flat indices ``(B, 9)``, the peak in the middle.

    Args:
        peaks: flat indices, ``(B, 1)``.
        grid: cells along a side.

    Returns:
        The cells, those outside the map replaced by the nearest inside; and which lie inside.
    """
    steps = torch.tensor([-1, 0, 1], device=peaks.device)
    rows, columns = peaks // grid + steps.repeat_interleave(3), peaks % grid + steps.repeat(3)
    inside = (rows >= 0) & (rows < grid) & (columns >= 0) & (columns < grid)
    return rows.clamp(0, grid - 1) * grid + columns.clamp(0, grid - 1), inside


def averaged_boxes(boxes: Tensor, scores: Tensor, inside: Tensor) -> Tensor:
    """The mean of the boxes of 3x3 cells around each peak, weighted with the score squared.

    Cells whose boxes overlap the peak's by less than :data:`AGREEING_OVERLAP` are left out: what
    they point at is something else.

    Args:
        boxes: of :func:`cells_around`, as :func:`boxes_at` gives them, ``(B, 9, 4)``.
        scores: of the cells, ``(B, 9)``.
        inside: which cells there are, ``(B, 9)``.

    Returns:
        ``(B, 4)``.
    """
    sizes = boxes[..., 2:]
    low, high = boxes[..., :2] - sizes / 2, boxes[..., :2] + sizes / 2
    middle = slice(4, 5)
    common = torch.minimum(high, high[:, middle]) - torch.maximum(low, low[:, middle])
    shared = common.clamp(min=0).prod(dim=-1)
    areas = sizes.prod(dim=-1)
    union = areas + areas[:, middle] - shared
    agreeing = inside & (shared >= AGREEING_OVERLAP * union)
    weights = torch.where(agreeing, scores * scores, 0.0).unsqueeze(-1)
    return (weights * boxes).sum(dim=1) / weights.sum(dim=1)


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision widened to float32; float32 and float64 as they are."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def clamped_sigmoid(x: Tensor) -> Tensor:
    """Sigmoid, kept away from 0 and 1 by 1e-4; float32 where x is of half precision."""
    wide = at_least_float32(x)  # 1 - 1e-4 needs it
    return torch.sigmoid(wide).clamp(SIGMOID_FLOOR, 1 - SIGMOID_FLOOR)
