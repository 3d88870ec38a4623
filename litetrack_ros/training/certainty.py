"""Figures of how far a tracker's state and scores can be trusted, with intervals over sequences."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.evaluation.metrics import roc_area
from litetrack_ros.geometry import FloatArray
from litetrack_ros.training.calibration import FALSE_OVERLAP, GOOD_OVERLAP, Observed

BINS = 10  # of equal mass, of the calibration error
_RESAMPLES = 1000
_SETTLED_FRAMES = 6  # absent frames count from this one on


class Pair(NamedTuple):
    """A run of a sequence, and one of the same with the state machine off."""

    run: Observed
    off: Observed


class Figure(NamedTuple):
    """A figure.

    Attributes:
        name: what it is.
        value: over all frames, or for AO, calibration error and Brier score over sequences.
        low, high: the 95 % interval over sequences, by bootstrap.
        frames: how many it is made of.
    """

    name: str
    value: float
    low: float
    high: float
    frames: int


def certainty(runs: Sequence[Pair]) -> list[Figure]:
    """All figures of runs, one a sequence."""
    rng = np.random.default_rng(0)
    picks = [rng.integers(0, len(runs), len(runs)) for _ in range(_RESAMPLES)]
    figures = []
    for name, measure in _MEASURES.items():
        parts = [measure(pair) for pair in runs]
        reduce = _REDUCED.get(name, _share)
        value = reduce(parts)
        again = [reduce([parts[k] for k in pick]) for pick in picks]
        finite = [v for v in again if np.isfinite(v)] or [float("nan")]
        low, high = np.quantile(finite, [0.025, 0.975])
        count = sum(len(part[0]) for part in parts)
        figures.append(Figure(name, value, float(low), float(high), count))
    return figures


def table(figures: Sequence[Figure]) -> tuple[list[str], list[list[str]]]:
    """Titles and a row for each figure."""
    return ["figure", "value", "95 % interval", "frames"], [
        [f.name, f"{f.value:.3f}", f"{f.low:.3f} to {f.high:.3f}", str(f.frames)] for f in figures
    ]


# What a sequence contributes: a value a frame, and for scores whether the box was right.
_Part = tuple[FloatArray, FloatArray]


def _right(pair: Pair) -> npt.NDArray[np.bool_]:
    return np.asarray(pair.run.candidate_overlaps >= GOOD_OVERLAP)


def _of(values: npt.NDArray[np.bool_], frames: npt.NDArray[np.bool_]) -> _Part:
    chosen = values[frames].astype(np.float64)
    return chosen, chosen


def _tracked_right(pair: Pair) -> npt.NDArray[np.bool_]:
    return np.asarray(pair.run.tracking & (pair.run.overlaps >= GOOD_OVERLAP))


def _between(pair: Pair, low: float, high: float) -> npt.NDArray[np.bool_]:
    overlaps = pair.run.candidate_overlaps
    return np.asarray(pair.run.visible & (overlaps >= low) & (overlaps < high))


def _settled_absence(pair: Pair) -> npt.NDArray[np.bool_]:
    numbers = np.arange(1, len(pair.run.visible) + 1)
    seen = np.maximum.accumulate(np.where(pair.run.visible, numbers, 0))
    return np.asarray(numbers - seen >= _SETTLED_FRAMES)


def _without_middle(pair: Pair) -> _Part:
    kept = ~_between(pair, FALSE_OVERLAP, GOOD_OVERLAP)
    return pair.run.candidate_scores[kept], _right(pair)[kept].astype(np.float64)


def _candidate(pair: Pair) -> _Part:
    return pair.run.candidate_scores, _right(pair).astype(np.float64)


def _published(pair: Pair) -> _Part:
    return pair.run.scores, (pair.run.overlaps >= GOOD_OVERLAP).astype(np.float64)


def _false_lost(pair: Pair) -> _Part:
    right_anyway = pair.off.candidate_overlaps >= GOOD_OVERLAP
    return _of(~pair.run.tracking & right_anyway, pair.run.visible)


def _share(parts: Sequence[_Part]) -> float:
    values = np.concatenate([part[0] for part in parts])
    return float(values.mean()) if values.size else float("nan")


def _mean_of_sequences(parts: Sequence[_Part]) -> float:
    return float(np.mean([part[0].mean() for part in parts]))


def _area(parts: Sequence[_Part]) -> float:
    scores, right = _joined(parts)
    return roc_area(scores[right > 0], scores[right == 0])


def _joined(parts: Sequence[_Part]) -> tuple[FloatArray, FloatArray]:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def calibration_error(parts: Sequence[_Part]) -> float:
    """Mean distance of score and share of right boxes in bins of equal mass.

    Args:
        parts: scores and whether right of each sequence; every sequence has the same mass.
    """
    scores, right = _joined(parts)
    weight = np.concatenate([np.full(len(part[0]), 1 / len(part[0])) for part in parts])
    order = np.argsort(scores, kind="stable")
    mass = np.cumsum(weight[order]) / weight.sum()
    bins = np.minimum((mass * BINS - 1e-9).astype(int), BINS - 1)
    gaps = np.bincount(bins, (weight * (scores - right))[order], minlength=BINS)
    return float(np.abs(gaps).sum() / weight.sum())


def _brier_ratio(parts: Sequence[_Part]) -> float:
    score = np.mean([((scores - right) ** 2).mean() for scores, right in parts])
    share = np.mean([right.mean() for _, right in parts])
    return float(score / (share * (1 - share))) if 0 < share < 1 else float("nan")


_MEASURES: dict[str, Callable[[Pair], _Part]] = {
    "AO": lambda p: (p.run.overlaps[p.run.visible], p.run.overlaps[p.run.visible]),
    "visible: TRACKING and overlap >= 0.5": lambda p: _of(_tracked_right(p), p.run.visible),
    "TRACKING: overlap >= 0.5": lambda p: _of(_tracked_right(p), p.run.tracking),
    "overlap < 0.2: TRACKING": lambda p: _of(p.run.tracking, _between(p, 0.0, FALSE_OVERLAP)),
    "overlap 0.2 to 0.5: TRACKING": lambda p: _of(
        p.run.tracking, _between(p, FALSE_OVERLAP, GOOD_OVERLAP)
    ),
    "absent for 6 frames: TRACKING": lambda p: _of(p.run.tracking, _settled_absence(p)),
    "visible: false LOST": _false_lost,
    "ROC area of the candidate's score": _candidate,
    "ROC area without overlap 0.2 to 0.5": _without_middle,
    "calibration error, candidate": _candidate,
    "calibration error, published box": _published,
    "Brier score over the constant's, candidate": _candidate,
    "Brier score over the constant's, published box": _published,
}
_REDUCED: dict[str, Callable[[Sequence[_Part]], float]] = {
    name: {
        "AO": _mean_of_sequences,
        "ROC": _area,
        "calibration": calibration_error,
        "Brier": _brier_ratio,
    }[name.split()[0]]
    for name in _MEASURES
    if name.split()[0] in ("AO", "ROC", "calibration", "Brier")
}
