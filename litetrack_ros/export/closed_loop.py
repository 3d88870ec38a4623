"""What a reduced precision costs in a closed loop: overlap per sequence, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from litetrack_ros.backends.base import Backend
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.evaluation.metrics import scored_overlaps, summarise
from litetrack_ros.evaluation.runner import LiteTrackSequenceTracker, run_sequence

_RESAMPLES = 10_000


@dataclass(frozen=True)
class PairedOverlap:
    """AO of two backends on the same sequences.

    Attributes:
        names: of the sequences.
        first, second: AO of each, NaN where no frame is scored.
    """

    names: list[str]
    first: list[float]
    second: list[float]

    @property
    def mean_difference(self) -> float:
        """Second minus first, every sequence counting once."""
        return float(np.nanmean(np.subtract(self.second, self.first)))

    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of :attr:`mean_difference` over sequences."""
        differences = np.subtract(self.second, self.first)
        differences = differences[np.isfinite(differences)]
        rng = np.random.default_rng(0)
        rows = rng.integers(0, len(differences), (_RESAMPLES, len(differences)))
        low, high = np.percentile(differences[rows].mean(axis=1), [2.5, 97.5])
        return float(low), float(high)


def compare_overlap(
    first: Backend, second: Backend, sequences: Sequence[AnnotatedSequence]
) -> PairedOverlap:
    """Track every sequence once with each backend.

    Raises:
        MediaError, DatasetError, BoxError: a sequence cannot be read or started.
    """
    scores: list[list[float]] = [[], []]
    for sequence in sequences:
        for backend, column in zip((first, second), scores, strict=True):

            def make(backend: Backend = backend) -> LiteTrackSequenceTracker:
                return LiteTrackSequenceTracker(backend)

            boxes = run_sequence(sequence, make).boxes_xywh
            column.append(summarise(scored_overlaps(boxes, sequence.boxes_xywh)).ao)
    return PairedOverlap([sequence.name for sequence in sequences], *scores)
