"""What a model is chosen by: held-out pairs, with the right template and with a wrong one; or the
tracking of sequences that are kept for that.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from litetrack_ros.config import TrackerConfig
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.evaluation.metrics import roc_area
from litetrack_ros.model.checkpoint import LoadedWeights
from litetrack_ros.model.head import boxes_at
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.training.batches import PairBatch, roll_templates
from litetrack_ros.training.derived import mean_ao, track_all
from litetrack_ros.training.losses import (
    cxcywh_to_xyxy,
    overlap_and_giou,
    peak_is_near,
)
from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.processes import ALONE, ProcessGroup


class ValidationReport(NamedTuple):
    """Figures over the held-out pairs.

    Attributes:
        hit_right: part of the pairs with their target whose peak is within a cell of it.
        hit_wrong: the same with another pair's template, which should find nothing: high where the
            model finds whatever stands out rather than what the template shows.
        overlap_peak: mean overlap at the peak, over the pairs with their target.
        score_right, score_wrong: mean peak of the score map.
        roc_area: how well the score tells right templates from wrong ones and absent targets.
    """

    hit_right: float
    hit_wrong: float
    overlap_peak: float
    score_right: float
    score_wrong: float
    roc_area: float

    @property
    def selection(self) -> float:
        """What the best checkpoint is chosen by: tight boxes and a score that can be trusted."""
        return self.overlap_peak + self.roc_area


@torch.no_grad()
def validate(
    network: TrainedNetwork, batches: Sequence[PairBatch], group: ProcessGroup = ALONE
) -> ValidationReport:
    """Run a network in evaluation mode over held-out batches, twice: right and wrong templates.

    Args:
        network: the same in every process.
        batches: this process's share of them.
        group: the processes that share them; each gets the whole report.
    """
    own = []
    for batch in batches:
        rolled = roll_templates(batch, 1.0, torch.Generator().manual_seed(0))
        own.append((batch.present.cpu(), *_examine(network, batch), *_examine(network, rolled)))
    examined = zip(*group.gather(own), strict=True)
    present, hits, overlaps, scores, wrong_hits, _, wrong_scores = (
        torch.cat(parts) for parts in examined
    )
    negatives = torch.cat([wrong_scores, scores[~present]])
    return ValidationReport(
        hit_right=float(hits[present].float().mean()),
        hit_wrong=float(wrong_hits[present].float().mean()),
        overlap_peak=float(overlaps[present].mean()),
        score_right=float(scores[present].mean()),
        score_wrong=float(wrong_scores.mean()),
        roc_area=roc_area(scores[present].float().numpy(), negatives.float().numpy()),
    )


def tracked_ao(
    model: LiteTrack, sequences: Sequence[AnnotatedSequence], group: ProcessGroup = ALONE
) -> float:
    """Mean AO of a model over sequences, its state machine off, by the plain convention.

    Args:
        model: the same in every process.
        sequences: all of them; they are shared among the processes.
        group: those processes.

    Raises:
        MediaError: a frame cannot be read.
        DatasetError: fewer frames than boxes.
    """
    weights = LoadedWeights(model, TrackerConfig(), "", {})
    reached = [
        mean_ao(track_all(weights, [sequence], str(group.device)))
        for sequence in group.share(sequences)
    ]
    return float(np.nanmean(group.gather(reached)))


def _examine(network: TrainedNetwork, batch: PairBatch) -> tuple[Tensor, Tensor, Tensor]:
    maps = network(batch)
    score = maps.score[:, 0]
    top = score.flatten(1).max(dim=1)
    boxes = cxcywh_to_xyxy(boxes_at(maps, top.indices[:, None])[:, 0])
    overlap, _ = overlap_and_giou(boxes, cxcywh_to_xyxy(batch.search_boxes_cxcywh_norm))
    hits = peak_is_near(score, batch.search_boxes_cxcywh_norm)
    return hits.cpu(), overlap.cpu(), top.values.cpu()
