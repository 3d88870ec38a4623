"""A trained model that teaches another one, of the same crops or of others.

Where the two cut other crops, the pairs are made in crops that hold both models' at the finer of
their resolutions (:func:`crops_to_make`), and each model sees its own middle part of them, as its
tracker would cut it. What the teacher says is then put into the student's crop and grid; where one
of them does not see what the other does, nothing is learned.
"""

import dataclasses
import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from litetrack_ros.config import ModelConfig
from litetrack_ros.model.checkpoint import load_weights
from litetrack_ros.model.head import HeadMaps, boxes_at
from litetrack_ros.training.batches import PairBatch
from litetrack_ros.training.losses import cxcywh_to_xyxy, overlap_and_giou
from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.recipe import Recipe

_KINDS = ("template", "search")


class Taught(NamedTuple):
    """What a teacher says of pairs, in its student's crop and grid.

    Attributes:
        score: the teacher's score at the student's cells, ``(B, G, G)`` float32.
        known: which of them the teacher sees, ``(G, G)`` float32, 1 or 0.
        cells: flat index of the student's cell where the teacher reads its box, ``(B,)``.
        boxes_xyxy_norm: the teacher's boxes in units of the student's search region, ``(B, 4)``.
        trust: the teacher's peak score, 0 where it lies outside the student's crop, ``(B,)``.
    """

    score: Tensor
    known: Tensor
    cells: Tensor
    boxes_xyxy_norm: Tensor
    trust: Tensor


def crops_to_make(recipe: Recipe) -> ModelConfig:
    """The crops that a recipe's pairs are made in: the model's own, or its teacher's with them.

    Raises:
        WeightsError: the teacher cannot be read.
        ConfigError: there is no such model.
    """
    student = recipe.model_config()
    if not recipe.teacher:
        return student
    return common_crops(student, load_weights(Path(recipe.teacher)).model_config)


def common_crops(student: ModelConfig, teacher: ModelConfig) -> ModelConfig:
    """The student's configuration with crops that hold both models' at the finer resolution."""
    values: dict[str, float | int] = {}
    for kind in _KINDS:
        factors = [getattr(model, f"{kind}_factor") for model in (student, teacher)]
        sizes = [getattr(model, f"{kind}_size") for model in (student, teacher)]
        finest = max(size / factor for size, factor in zip(sizes, factors, strict=True))
        strides = math.ceil(finest * max(factors) / student.stride - 1e-6)
        values |= {f"{kind}_factor": max(factors), f"{kind}_size": strides * student.stride}
    return dataclasses.replace(student, **values)  # type: ignore[arg-type]  # by their names


def seen_by(model: ModelConfig, batch: PairBatch, made: ModelConfig) -> PairBatch:
    """What a model sees of pairs that were made in larger crops.

    A target whose centre is outside the model's crop counts as absent.

    Args:
        model: whose crops to cut.
        batch: images ``(B, S, S, 3)`` uint8 in the crops of ``made``.
        made: of :func:`common_crops`.
    """
    if all(
        getattr(model, f"{kind}_{what}") == getattr(made, f"{kind}_{what}")
        for kind in _KINDS
        for what in ("factor", "size")
    ):
        return batch
    templates, template_part = _middle(batch.templates, model, made, "template")
    searches, part = _middle(batch.searches, model, made, "search")
    corners = batch.template_boxes_xyxy_norm.unflatten(1, (2, 2))
    template_boxes = _moved(corners, template_part, made, model, "template").flatten(1)
    old = batch.search_boxes_cxcywh_norm
    centers = _moved(old[:, :2], part, made, model, "search")
    boxes = torch.cat([centers, old[:, 2:] / part], dim=1)
    inside = ((centers >= 0) & (centers < 1)).all(dim=1)
    boxes = torch.where((old[:, 2:] > 0).all(dim=1, keepdim=True), boxes, old)
    seen = PairBatch(templates, template_boxes, searches, boxes, batch.present & inside)
    if batch.recents is None or batch.recent_boxes_xyxy_norm is None:
        return seen
    corners = batch.recent_boxes_xyxy_norm.unflatten(1, (2, 2))
    return seen._replace(
        recents=_middle(batch.recents, model, made, "template")[0],
        recent_boxes_xyxy_norm=_moved(corners, template_part, made, model, "template").flatten(1),
    )


class Teacher:
    """A trained model that answers for the student's pairs.

    Args:
        path: its weights file.
        student: the configuration that is trained.
        device: what to run on.

    Raises:
        WeightsError: the file cannot be read.
    """

    def __init__(self, path: Path, student: ModelConfig, device: torch.device) -> None:
        model = load_weights(path).model
        self.config, self.student = model.config, student
        self.made = common_crops(student, model.config)
        self.network = TrainedNetwork(model, freeze_stem=False).eval().requires_grad_(False)
        self.network.to(device)

    @torch.no_grad()
    def answer(self, batch: PairBatch) -> Taught:
        """What it says of a batch of images in the crops of :attr:`made`."""
        maps: HeadMaps = self.network(seen_by(self.config, batch, self.made))
        parts = [_part(model, self.made, "search") for model in (self.student, self.config)]
        shifts = [_half_px(model, "search") for model in (self.student, self.config)]
        return translated(maps, self.student.search_grid, parts[0] / parts[1], *shifts)


def translated(
    maps: HeadMaps,
    grid: int,
    ratio: float = 1.0,
    student_half_px: float = 0.0,
    teacher_half_px: float = 0.0,
) -> Taught:
    """A teacher's maps in the grid of its student, whose crop has the same centre.

    Args:
        maps: the teacher's.
        grid: cells along a side of the student's map.
        ratio: side of the student's search region over the teacher's.
        student_half_px, teacher_half_px: where each model's coordinates begin, in units of its
            crop's side: half a pixel for the official convention, else 0.
    """
    score = maps.score.float()
    theirs = score.shape[-1]
    middles = (torch.arange(grid, device=score.device) + 0.5) / grid
    there = (middles - 0.5) * ratio + 0.5
    inside = (there >= 0) & (there <= 1)
    known = (inside[:, None] & inside[None, :]).float()
    found = score[:, 0]
    if grid != theirs or ratio != 1.0:
        y, x = torch.meshgrid(2 * there - 1, 2 * there - 1, indexing="ij")
        places = torch.stack([x, y], dim=-1).expand(len(score), -1, -1, -1)
        # The outer half of a border cell is beyond the last middle: its own value stands there.
        found = F.grid_sample(score, places, padding_mode="border", align_corners=False)[:, 0]
    top = score.flatten(1).max(dim=1)
    boxes = boxes_at(maps, top.indices[:, None])[:, 0]
    centers = (boxes[:, :2] + teacher_half_px - 0.5) / ratio + 0.5 - student_half_px
    peaks = torch.stack([top.indices % theirs, top.indices // theirs], dim=1)
    at = ((peaks + 0.5) / theirs - 0.5) / ratio + 0.5
    seen = ((at >= 0) & (at < 1)).all(dim=1)
    column, row = (at * grid).floor().long().clamp(0, grid - 1).unbind(dim=1)
    moved = torch.cat([centers, boxes[:, 2:] / ratio], dim=1)
    return Taught(found, known, row * grid + column, cxcywh_to_xyxy(moved), top.values * seen)


def distillation_loss(student: HeadMaps, taught: Taught) -> Tensor:
    """How far a student is from its teacher.

    The score maps are compared by the cross entropy less the teacher's own, summed over the cells
    that the teacher sees; boxes by GIoU (weight 2) and L1 (weight 5) in the cell where the teacher
    reads its own, which counts as much as the teacher trusts it.

    Args:
        student: maps of the pairs.
        taught: what the teacher says of them.

    Returns:
        A scalar of at least about 0, with the student's gradient.
    """
    wanted = taught.score
    entropy = F.binary_cross_entropy(wanted, wanted, reduction="none")
    cross = F.binary_cross_entropy(student.score[:, 0].float(), wanted, reduction="none")
    score = ((cross - entropy) * taught.known).flatten(1).sum(dim=1).mean()
    ours = cxcywh_to_xyxy(boxes_at(student, taught.cells[:, None])[:, 0])
    _, giou = overlap_and_giou(ours, taught.boxes_xyxy_norm)
    distance = (ours - taught.boxes_xyxy_norm).abs().mean(dim=1)
    weight = taught.trust.sum().clamp(min=1e-6)
    return score + ((2 * (1 - giou) + 5 * distance) * taught.trust).sum() / weight


def _margin(model: ModelConfig, made: ModelConfig, kind: str) -> int:
    """Pixels between the border of the made crop and that of the model's."""
    whole: int = getattr(made, f"{kind}_size")
    factors = getattr(model, f"{kind}_factor") / getattr(made, f"{kind}_factor")
    return round(whole * (1 - factors) / 2)


def _part(model: ModelConfig, made: ModelConfig, kind: str) -> float:
    """Side of the model's crop over that of the made one, in whole pixels of the latter."""
    whole: int = getattr(made, f"{kind}_size")
    return (whole - 2 * _margin(model, made, kind)) / whole


def _middle(
    images: Tensor, model: ModelConfig, made: ModelConfig, kind: str
) -> tuple[Tensor, float]:
    """A model's own crops out of the made ones, and their part of a side."""
    whole, margin = images.shape[1], _margin(model, made, kind)
    size: int = getattr(model, f"{kind}_size")
    inner = images[:, margin : whole - margin, margin : whole - margin]
    if inner.shape[1] != size:
        planes = inner.permute(0, 3, 1, 2).float()
        planes = F.interpolate(planes, (size, size), mode="bilinear", antialias=True)
        inner = planes.round().clamp(0, 255).to(images.dtype).permute(0, 2, 3, 1)
    return inner, _part(model, made, kind)


def _half_px(model: ModelConfig, kind: str) -> float:
    """Models of the official convention count from the middle of the first pixel."""
    return 0.5 / getattr(model, f"{kind}_size") if model.decode == "official" else 0.0


def _moved(points: Tensor, part: float, made: ModelConfig, model: ModelConfig, kind: str) -> Tensor:
    """Points ``(..., 2)`` of a made crop in units of a model's own."""
    # The made crops follow the student's convention, as their boxes do.
    return (points + _half_px(made, kind) - 0.5) / part + 0.5 - _half_px(model, kind)
