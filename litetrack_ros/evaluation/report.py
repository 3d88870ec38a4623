"""Turns runs into the table that is printed and the figures that are saved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from litetrack_ros.evaluation.metrics import (
    OverlapScores,
    mean_over_sequences,
    scored_overlaps,
    summarise,
)
from litetrack_ros.evaluation.runner import SequenceRun

HEADER = ("sequence", "frames scored", "AO", "SR50", "SR75", "fps")


class Report:
    """Scores of one tracker's runs.

    Args:
        runs: one a sequence, at least one.
    """

    def __init__(self, runs: Sequence[SequenceRun]) -> None:
        self.runs = list(runs)
        self._overlaps = [scored_overlaps(r.boxes_xywh, r.sequence.boxes_xywh) for r in self.runs]
        self.per_sequence = [summarise(overlaps) for overlaps in self._overlaps]
        self.over_sequences = mean_over_sequences(self.per_sequence)
        self.over_frames = summarise(np.concatenate(self._overlaps))

    @property
    def frames_scored(self) -> int:
        """Frames that count, all sequences together."""
        return sum(len(overlaps) for overlaps in self._overlaps)

    @property
    def fps(self) -> float:
        """Updates a second over all sequences."""
        updates = sum(len(run.boxes_xywh) - 1 for run in self.runs)
        seconds = sum(run.update_s for run in self.runs)
        return updates / seconds if seconds else math.nan

    def table(self) -> list[list[str]]:
        """Rows under :data:`HEADER`: every sequence, then both means."""
        rows = [
            _row(run.sequence.name, len(overlaps), scores, run.fps)
            for run, overlaps, scores in zip(
                self.runs, self._overlaps, self.per_sequence, strict=True
            )
        ]
        rows.append(_row("mean over sequences", self.frames_scored, self.over_sequences, self.fps))
        rows.append(_row("mean over frames", self.frames_scored, self.over_frames, self.fps))
        return rows

    def figures(self) -> dict[str, Any]:
        """Everything for JSON; a value without a frame behind it is null."""
        return {
            "protocol": "one pass; first frame and absent frames not scored",
            "sequences": [
                {
                    "name": run.sequence.name,
                    "frames_scored": len(overlaps),
                    **_figures(scores),
                    "update_fps": number(run.fps),
                }
                for run, overlaps, scores in zip(
                    self.runs, self._overlaps, self.per_sequence, strict=True
                )
            ],
            "mean_over_sequences": _figures(self.over_sequences),
            "mean_over_frames": _figures(self.over_frames),
            "frames_scored": self.frames_scored,
            "update_fps": number(self.fps),
        }


def _row(name: str, frames: int, scores: OverlapScores, fps: float) -> list[str]:
    values = [f"{value:.3f}" for value in (scores.ao, scores.sr50, scores.sr75)]
    return [name, str(frames), *values, f"{fps:.1f}"]


def _figures(scores: OverlapScores) -> dict[str, float | None]:
    return {
        "ao": number(scores.ao),
        "sr50": number(scores.sr50),
        "sr75": number(scores.sr75),
    }


def number(value: float) -> float | None:
    """A figure for JSON: None where it is not finite."""
    return value if math.isfinite(value) else None
