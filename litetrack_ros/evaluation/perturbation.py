"""First boxes as a person or a detector draws them: a few per cent off."""

from __future__ import annotations

from typing import Any

import numpy as np

from litetrack_ros.evaluation.metrics import scored_overlaps, summarise
from litetrack_ros.evaluation.runner import SequenceRun
from litetrack_ros.geometry import FloatArray

AMOUNT = 0.05

HEADER = ("sequence", "AO, mean", "lowest", "highest")


def perturb_box(box_xywh: FloatArray, seed: int) -> FloatArray:
    """A box whose centre and sides are off by up to :data:`AMOUNT` of its sides, xywh ``(4,)``.

    Args:
        box_xywh: the true box.
        seed: which of them; the same seed gives the same error in units of the sides.
    """
    shift_x, shift_y, grow_x, grow_y = np.random.default_rng(seed).uniform(-AMOUNT, AMOUNT, 4)
    x, y, w, h = box_xywh
    width, height = w * (1.0 + grow_x), h * (1.0 + grow_y)
    center_x, center_y = x + w * (0.5 + shift_x), y + h * (0.5 + shift_y)
    return np.array([center_x - 0.5 * width, center_y - 0.5 * height, width, height])


class PerturbedRuns:
    """Scores of runs that started from perturbed boxes.

    Args:
        runs: several for each sequence.
    """

    def __init__(self, runs: list[SequenceRun]) -> None:
        self._scores: dict[str, list[float]] = {}
        for run in runs:
            overlaps = scored_overlaps(run.boxes_xywh, run.sequence.boxes_xywh)
            self._scores.setdefault(run.sequence.name, []).append(summarise(overlaps).ao)

    @property
    def over_sequences(self) -> list[float]:
        """Mean AO over the sequences, of each seed."""
        return [float(np.mean(values)) for values in zip(*self._scores.values(), strict=True)]

    def table(self) -> list[list[str]]:
        """Rows under :data:`HEADER`: every sequence, then their mean."""
        rows = {**self._scores, "mean over sequences": self.over_sequences}
        return [
            [name, *(f"{v:.3f}" for v in (np.mean(values), min(values), max(values)))]
            for name, values in rows.items()
        ]

    def figures(self) -> dict[str, Any]:
        """For JSON: AO of every run."""
        return {
            "amount": AMOUNT,
            "sequences": self._scores,
            "mean_over_sequences": self.over_sequences,
        }
