"""First boxes as a person or a detector draws them: a few per cent off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from litetrack_ros.evaluation.metrics import scored_overlaps, summarise
from litetrack_ros.evaluation.report import number
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
        runs: for each sequence, as many as there are seeds.
    """

    def __init__(self, runs: Sequence[Sequence[SequenceRun]]) -> None:
        self._names = [of_sequence[0].sequence.name for of_sequence in runs]
        self._scores = [[_ao(run) for run in of_sequence] for of_sequence in runs]

    @property
    def over_sequences(self) -> list[float]:
        """Mean AO over the sequences, of each seed."""
        return [float(np.nanmean(values)) for values in zip(*self._scores, strict=True)]

    def table(self) -> list[list[str]]:
        """Rows under :data:`HEADER`: every sequence, then their mean."""
        names = [*self._names, "mean over sequences"]
        rows = zip(names, [*self._scores, self.over_sequences], strict=True)
        return [
            [name, *(f"{v:.3f}" for v in (np.mean(values), min(values), max(values)))]
            for name, values in rows
        ]

    def figures(self) -> dict[str, Any]:
        """For JSON: AO of every run; a value without a frame behind it is null."""
        return {
            "amount": AMOUNT,
            "sequences": [
                {"name": name, "ao": [number(value) for value in values]}
                for name, values in zip(self._names, self._scores, strict=True)
            ],
            "mean_over_sequences": [number(value) for value in self.over_sequences],
        }


def _ao(run: SequenceRun) -> float:
    return summarise(scored_overlaps(run.boxes_xywh, run.sequence.boxes_xywh)).ao
