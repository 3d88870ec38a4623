"""A large LiteTrack teaches its score maps and boxes to a small one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from litetrack_ros.config import ModelConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.model.checkpoint import load_weights
from litetrack_ros.model.head import HeadMaps
from litetrack_ros.training.batches import PairBatch
from litetrack_ros.training.losses import boxes_at, cxcywh_to_xyxy, overlap_and_giou
from litetrack_ros.training.network import TrainedNetwork

_SAME = ("template_size", "search_size", "template_factor", "search_factor")


class Teacher:
    """A trained model that answers for the student's pairs.

    Args:
        path: its weights file.
        student: the configuration that is trained; both must cut the same crops.
        device: what to run on.

    Raises:
        WeightsError: the file cannot be read.
        ConfigError: the two models do not cut the same crops.
    """

    def __init__(self, path: Path, student: ModelConfig, device: torch.device) -> None:
        model = load_weights(path).model
        for key in _SAME:
            if getattr(model.config, key) != getattr(student, key):
                raise ConfigError(
                    f"the teacher {path} has {key} {getattr(model.config, key)}, the student "
                    f"{getattr(student, key)}: a teacher must see the student's crops"
                )
        self.network = TrainedNetwork(model, freeze_stem=False).eval().requires_grad_(False)
        self.network.to(device)
        # Models of the official convention count from the middle of the first pixel.
        shift = {"official": 0.5, "exact": 0.0}
        self._shift_norm = (shift[model.config.decode] - shift[student.decode]) / (
            student.search_size
        )

    @torch.no_grad()
    def answer(self, batch: PairBatch) -> HeadMaps:
        """Maps of a batch of images, with centres in the student's convention."""
        maps: HeadMaps = self.network(batch)
        grid = maps.score.shape[-1]
        return maps._replace(offset=maps.offset + self._shift_norm * grid)


def distillation_loss(student: HeadMaps, teacher: HeadMaps) -> Tensor:
    """How far a student is from its teacher.

    The score maps are compared by the cross entropy less the teacher's own, summed over the cells;
    boxes by GIoU (weight 2) and L1 (weight 5) in the cell where the teacher reads its own, which
    counts as much as the teacher trusts it.

    Args:
        student, teacher: maps of the same pairs.

    Returns:
        A scalar of at least about 0, with the student's gradient.
    """
    wanted = teacher.score.float()
    entropy = F.binary_cross_entropy(wanted, wanted, reduction="none")
    cross = F.binary_cross_entropy(student.score.float(), wanted, reduction="none")
    score = (cross - entropy).flatten(1).sum(dim=1).mean()
    top = wanted.flatten(1).max(dim=1)
    cells = top.indices[:, None]
    ours, theirs = (cxcywh_to_xyxy(boxes_at(maps, cells)[:, 0]) for maps in (student, teacher))
    _, giou = overlap_and_giou(ours, theirs)
    distance = (ours - theirs).abs().mean(dim=1)
    boxes = ((2 * (1 - giou) + 5 * distance) * top.values).sum() / top.values.sum()
    return score + boxes
