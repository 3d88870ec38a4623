"""Long-term figures of a tracker: tables, JSON, intervals over sequences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.bootstrap import interval, resampled_counts
from litetrack_ros.evaluation.long_term import FIGURES, LongTermRun, RunFrames, long_term_run
from litetrack_ros.evaluation.reliability import Reliability
from litetrack_ros.evaluation.results import read_run, result_path
from litetrack_ros.evaluation.runner import STATELESS
from litetrack_ros.geometry import FloatArray

# What stands in the table of sequences.
_OF_SEQUENCES = (
    "ao", "f", "tpr", "tracking_right", "wrong_tracking", "absent_tracking", "false_lost",
    "found_within_1s", "calibration_error",
)  # fmt: skip


class Estimate(NamedTuple):
    """A figure over all sequences.

    Attributes:
        value: NaN where nothing is behind it; infinite where a median is never reached.
        low, high: of its 95 % interval over sequences; NaN for a single sequence.
        frames: how many of them, or reappearances, are behind it.
    """

    value: float
    low: float
    high: float
    frames: int


@dataclass(frozen=True)
class LongTermReport:
    """All figures of a tracker.

    Attributes:
        names: of the sequences.
        pooled: over all of them, by the keys of :data:`FIGURES`.
        per_sequence: by the same keys, ``(S,)`` each.
        reliability: of the scores; None where no frame has one.
        frame_rate_hz: what a second was taken for.
    """

    names: Sequence[str]
    pooled: dict[str, Estimate]
    per_sequence: dict[str, FloatArray]
    reliability: Reliability | None
    frame_rate_hz: float

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Titles, and a row for every figure that is defined."""
        rows = [
            [FIGURES[key], *_cells(key, e), str(e.frames)]
            for key, e in self.pooled.items()
            if not math.isnan(e.value)
        ]
        return ["long-term figure", "value", "95 % interval", "frames"], rows

    def sequence_table(self) -> tuple[list[str], list[list[str]]]:
        """Titles, and a row for every sequence, with the most telling figures."""
        rows = [
            [name, *(_cell(float(self.per_sequence[key][k])) for key in _OF_SEQUENCES)]
            for k, name in enumerate(self.names)
        ]
        return ["sequence", *_OF_SEQUENCES], rows

    def as_json(self) -> dict[str, Any]:
        """Everything for JSON; what is not finite is null."""
        bins = self.reliability
        return {
            "frame_rate_hz": self.frame_rate_hz,
            "pooled": {
                key: {name: _number(value) for name, value in estimate._asdict().items()}
                for key, estimate in self.pooled.items()
            },
            "sequences": [
                {"name": name, **{key: _number(v[k]) for key, v in self.per_sequence.items()}}
                for k, name in enumerate(self.names)
            ],
            "reliability": None
            if bins is None
            else [
                {"score": float(s), "right": float(r), "mass": float(m)}
                for s, r, m in zip(bins.mean_score, bins.share_right, bins.mass, strict=True)
            ],
        }


def measure_long_term(
    runs: Sequence[LongTermRun], frame_rate_hz: float = 30.0, resamples: int = 1000
) -> LongTermReport:
    """All figures, per sequence and over all, with intervals over sequences by bootstrap.

    Args:
        runs: at least one, of different sequences.
        frame_rate_hz: of the sequences; it says how many frames a second has.
        resamples: of the sequences, for the intervals; the seed is fixed.

    Raises:
        DatasetError: no run.
    """
    if not runs:
        raise DatasetError("there is no run to measure")
    frames = RunFrames(runs, frame_rate_hz)
    everything = np.ones(len(runs))
    values, counts = frames.figures(everything), frames.counts()
    rows = [frames.figures(weights) for weights in resampled_counts(len(runs), resamples)]
    pooled = {
        key: Estimate(value, *interval([row[key] for row in rows], len(runs)), counts[key])
        for key, value in values.items()
    }
    each = [frames.figures(weights) for weights in np.eye(len(runs))]
    per_sequence = {key: np.array([row[key] for row in each]) for key in values}
    bins = frames.published.reliability(everything)
    return LongTermReport([r.name for r in runs], pooled, per_sequence, bins, frame_rate_hz)


def long_term_of_results(
    sequences: Sequence[AnnotatedSequence], folder: Path, frame_rate_hz: float
) -> LongTermReport:
    """The figures of a tracker's result files, those of runs without states beside them if any.

    Args:
        sequences: all of which there are results.
        folder: of the tracker.
        frame_rate_hz: as for :func:`measure_long_term`.

    Raises:
        DatasetError: a result is missing or does not fit.
    """
    runs = []
    for sequence in sequences:
        other = folder / STATELESS
        held = read_run(other, sequence.name) if result_path(other, sequence.name) else None
        runs.append(long_term_run(sequence, read_run(folder, sequence.name), held))
    return measure_long_term(runs, frame_rate_hz)


def _cells(key: str, estimate: Estimate) -> tuple[str, str]:
    """A figure and its interval in a table."""
    digits = 0 if key == "median_frames_to_find" else 3
    value, low, high = (_cell(v, digits) for v in (estimate.value, estimate.low, estimate.high))
    return value, f"{low} to {high}"


def _cell(value: float, digits: int = 3) -> str:
    if math.isnan(value):
        return "-"
    return "never" if math.isinf(value) else f"{value:.{digits}f}"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
