"""The centre head: score, offset and size maps (paper Sec. III-D)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

SIGMOID_FLOOR = 1e-4  # score and size are clamped to [1e-4, 1 - 1e-4], which bounds the focal loss
BRANCHES = {"ctr": 1, "offset": 2, "size": 2}


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


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision widened to float32; float32 and float64 as they are."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def clamped_sigmoid(x: Tensor) -> Tensor:
    """Sigmoid, kept away from 0 and 1 by 1e-4; float32 where x is of half precision."""
    wide = at_least_float32(x)  # 1 - 1e-4 needs it
    return torch.sigmoid(wide).clamp(SIGMOID_FLOOR, 1 - SIGMOID_FLOOR)
