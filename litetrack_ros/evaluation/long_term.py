"""How well a tracker knows when its target is there, and how soon it finds it again.

All measures are functions of what was written down of every frame: boxes, scores and states, beside
the truth. The first frame, which a tracker is given, counts in none of them. A frame is *reported*
where the state is TRACKING; a box is *right* from an overlap of a half on, *wrong* below a fifth,
and *near* between.

Two published protocols are among them.

- VOT's long-term one (Lukezic et al., "Now you see me: evaluating performance in long-term visual
  tracking", 2018; ``vot/analysis/longterm.py`` of the toolkit): precision is the mean overlap of
  the reported frames, recall the sum of their overlaps over the number of visible frames, an absent
  target having no overlap. Both are taken a sequence and averaged over sequences; their harmonic
  mean is F. Where nothing is reported precision is 1. A score takes the place of the state for the
  best F over all thresholds. The toolkit tries 100 thresholds, counts the first frame as a visible
  one that is not reported, and clips boxes to the image; none of that is done here.
- OxUvA's (Valmadre et al., "Long-term tracking in the wild: a benchmark", ECCV 2018;
  ``oxuva/assess.py``): TPR is the share of visible frames that are reported with a right box, TNR
  the share of absent ones that are not reported, frames pooled. The largest geometric mean of both
  is that of a tracker that also withholds its report in a part of the frames, drawn by chance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.reliability import BINS, ScoredFrames, ratio
from litetrack_ros.evaluation.results import SequenceRun
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.tracker.state import State

Flags = npt.NDArray[np.bool_]

RIGHT, WRONG = 0.5, 0.2  # overlaps from and below which a box is called so
ABSENT_FROM = 6  # the frame of an absence from which on a tracker must have noticed
_MOST_THRESHOLDS = 1000

# The figures in the order of tables, and what they are.
FIGURES: dict[str, str] = {
    "ao": "mean overlap on visible frames, mean over sequences",
    "precision": "VOT-LT precision, state as shipped",
    "recall": "VOT-LT recall",
    "f": "VOT-LT F",
    "best_precision": "VOT-LT precision, best threshold over the score",
    "best_recall": "VOT-LT recall",
    "best_f": "VOT-LT F",
    "best_threshold": "that threshold",
    "tpr": "OxUvA TPR: visible frames TRACKING and right",
    "tnr": "OxUvA TNR: absent frames not TRACKING",
    "max_gm": "OxUvA largest geometric mean",
    "tracking_right": "of TRACKING frames: right",
    "tracking_near": "of TRACKING frames: overlap 0.2 to 0.5",
    "tracking_wrong": "of TRACKING frames: overlap below 0.2, target visible",
    "near_tracking": "of frames with overlap 0.2 to 0.5: TRACKING",
    "wrong_tracking": "of visible frames with overlap below 0.2: TRACKING",
    "absent_tracking": f"of absent frames from the {ABSENT_FROM}th on: TRACKING",
    "false_lost": "of visible frames: LOST or held, though right without states",
    "found_within_1s": "of reappearances: found within 1 s",
    "median_frames_to_find": "frames until found, median",
    "roc_area": "ROC area of the score, published boxes",
    "candidate_roc_area": "ROC area of the candidate's score, candidate boxes",
    "candidate_roc_area_clear": "the same without overlaps of 0.2 to 0.5",
    "calibration_error": f"calibration error, {BINS} bins, sequences of equal weight",
    "brier": "Brier score, sequences of equal weight",
    "brier_constant": "Brier score of the best constant",
    "brier_gain": "Brier score below the constant's, share of it",
}


@dataclass(frozen=True)
class LongTermRun:
    """What is known of every frame of a run, T of them.

    Attributes:
        name: the sequence's.
        truth_xywh: ``(T, 4)``, NaN where the target is absent.
        boxes_xywh: the published ones, ``(T, 4)``; NaN is no box.
        tracking: whether the state is TRACKING, ``(T,)``.
        scores: of the published boxes, ``(T,)``; NaN where there is none.
        candidate_boxes_xywh: what the tracker pointed at, ``(T, 4)``.
        candidate_scores: of these, ``(T,)``.
        stateless_boxes_xywh: candidates of a second run, without the state machine, ``(T, 4)``;
            None where there was none.
    """

    name: str
    truth_xywh: FloatArray
    boxes_xywh: FloatArray
    tracking: Flags
    scores: FloatArray
    candidate_boxes_xywh: FloatArray
    candidate_scores: FloatArray
    stateless_boxes_xywh: FloatArray | None = None

    def __post_init__(self) -> None:
        for key, values in vars(self).items():
            if key != "name" and values is not None and len(values) != len(self.truth_xywh):
                raise DatasetError(
                    f"{self.name}: {len(values)} {key} for {len(self.truth_xywh)} frames"
                )


def long_term_run(
    sequence: AnnotatedSequence, run: SequenceRun, stateless: SequenceRun | None = None
) -> LongTermRun:
    """Bring a run and the truth together.

    Args:
        sequence: what was tracked; frames that it flags as hidden count as absent.
        run: of the tracker as it ships.
        stateless: of the same one without its state machine.

    Raises:
        DatasetError: the run does not fit the sequence.
    """
    truth = sequence.boxes_xywh.copy()
    present = (truth[:, 2:] > 0).all(axis=1)  # sizes of NaN are not above 0
    truth[~present if sequence.visible is None else ~(present & sequence.visible)] = np.nan
    return LongTermRun(
        sequence.name,
        truth,
        run.boxes_xywh,
        run.states == State.TRACKING,
        run.scores,
        run.candidate_boxes_xywh,
        run.candidate_scores,
        None if stateless is None else stateless.candidate_boxes_xywh,
    )


def largest_geometric_mean(tpr: float, tnr: float) -> float:
    """OxUvA's: over all shares of reports that are withheld by chance; NaN for a NaN."""
    # With a share p withheld, TPR becomes (1 - p) TPR and TNR (1 - p) TNR + p; the product of both
    # is largest where its derivative by p is 0, or at an end.
    withheld = 0.0 if tnr >= 0.5 else (0.5 - tnr) / (1.0 - tnr)
    return math.sqrt((1 - withheld) * tpr * ((1 - withheld) * tnr + withheld))


class RunFrames:
    """All frames but the first of several runs, and figures of the sequences with any weights.

    Args:
        runs: of S sequences.
        frame_rate_hz: how many frames a second has.
    """

    def __init__(self, runs: Sequence[LongTermRun], frame_rate_hz: float) -> None:
        self._owner = np.repeat(np.arange(len(runs)), [len(run.truth_xywh) - 1 for run in runs])
        self._count = len(runs)
        present = [np.asarray(np.isfinite(run.truth_xywh).all(axis=1)) for run in runs]
        overlaps = [_overlaps(run.boxes_xywh, run.truth_xywh) for run in runs]
        self._present, self._overlap = _joined(present), _joined(overlaps)
        self._tracking = _joined([run.tracking for run in runs])
        self._scores = _joined([run.scores for run in runs])
        self._right = self._overlap >= RIGHT
        self._late = _joined([_absent_for(flags) for flags in present]) >= ABSENT_FROM
        self._times = [
            _frames_to_find(seen, run.tracking & (overlap >= RIGHT))
            for seen, overlap, run in zip(present, overlaps, runs, strict=True)
        ]
        self._soon = [(times <= frame_rate_hz).sum() for times in self._times]
        stateless = [
            _held_though_right(run) for run in runs if run.stateless_boxes_xywh is not None
        ]
        self._false_lost = _joined(stateless) if len(stateless) == len(runs) else None
        self.published = ScoredFrames(self._scores, self._right, self._owner)
        scores = _joined([run.candidate_scores for run in runs])
        found = _joined([_overlaps(run.candidate_boxes_xywh, run.truth_xywh) for run in runs])
        right = found >= RIGHT
        clear = right | (found < WRONG)
        self._candidates = ScoredFrames(scores, right, self._owner)
        self._clear = ScoredFrames(scores[clear], right[clear], self._owner[clear])

    def _sums(self, values: npt.NDArray[Any]) -> FloatArray:
        """By sequence, ``(S,)``."""
        return np.bincount(self._owner, values, self._count).astype(np.float64)

    @cached_property
    def _visible(self) -> FloatArray:
        return self._sums(self._present)

    @cached_property
    def _shares(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Counts above and below the line by sequence, ``(S,)``."""
        present, tracking = self._present, self._tracking
        wrong = present & (self._overlap < WRONG)
        near = present & ~wrong & ~self._right
        pairs = {  # a part, and of what
            "tpr": (tracking & self._right, present),
            "tnr": (~tracking, ~present),
            "tracking_right": (self._right, tracking),
            "tracking_near": (near, tracking),
            "tracking_wrong": (wrong, tracking),
            "near_tracking": (tracking, near),
            "wrong_tracking": (tracking, wrong),
            "absent_tracking": (tracking, self._late),
        }
        if self._false_lost is not None:
            pairs["false_lost"] = (self._false_lost, present)
        found = {
            key: (self._sums(part & whole), self._sums(whole))
            for key, (part, whole) in pairs.items()
        }
        reappearances = np.array([times.size for times in self._times], np.float64)
        found["found_within_1s"] = (np.array(self._soon, np.float64), reappearances)
        return found

    @cached_property
    def _thresholds(self) -> FloatArray:
        known = np.unique(self._scores[np.isfinite(self._scores)])
        picked = np.linspace(0, len(known) - 1, min(len(known), _MOST_THRESHOLDS))
        return known[picked.round().astype(int)]

    @cached_property
    def _by_threshold(self) -> tuple[FloatArray, FloatArray]:
        """Frames reported from each threshold on, and the sum of their overlaps, ``(S, K)``."""
        scores = np.where(np.isnan(self._scores), -np.inf, self._scores)
        columns = len(self._thresholds) + 1  # a frame in column k passes the first k thresholds
        place = self._owner * columns + np.searchsorted(self._thresholds, scores, "right")

        def passing(values: FloatArray) -> FloatArray:
            sums = np.bincount(place, values, self._count * columns).reshape(-1, columns)
            return np.asarray(np.cumsum(sums[:, ::-1], axis=1)[:, ::-1][:, 1:], dtype=np.float64)

        return passing(np.ones(len(place))), passing(self._overlap)

    def figures(self, weights: FloatArray) -> dict[str, float]:
        """By the keys of :data:`FIGURES`, sequences weighted ``(S,)``; NaN where not defined."""
        found = dict.fromkeys(FIGURES, math.nan)
        weights = weights * (self._sums(np.ones(len(self._owner))) > 0)
        if not weights.any():
            return found
        visible = self._visible
        seen = weights * (visible > 0)
        ao = self._sums(self._overlap) / np.maximum(visible, 1)
        found["ao"] = ratio(float(seen @ ao), float(seen.sum()))
        reported, total = self._sums(self._tracking), self._sums(self._tracking * self._overlap)
        curve = _precision_recall(reported[:, None], total[:, None], visible, weights)
        found["precision"], found["recall"], found["f"] = (float(values[0]) for values in curve)
        if len(self._thresholds):
            curve = _precision_recall(*self._by_threshold, visible, weights)
            if np.isfinite(curve[2]).any():
                best = int(np.nanargmax(curve[2]))
                names = ("best_precision", "best_recall", "best_f")
                found |= {n: float(v[best]) for n, v in zip(names, curve, strict=True)}
                found["best_threshold"] = float(self._thresholds[best])
        for key, (above, below) in self._shares.items():
            found[key] = ratio(float(weights @ above), float(weights @ below))
        found["max_gm"] = largest_geometric_mean(found["tpr"], found["tnr"])
        found["median_frames_to_find"] = self._median_time(weights)
        found["roc_area"] = self.published.roc_area(weights)
        found["candidate_roc_area"] = self._candidates.roc_area(weights)
        found["candidate_roc_area_clear"] = self._clear.roc_area(weights)
        bins = self.published.reliability(weights)
        if bins is not None:
            found["calibration_error"], found["brier"] = bins.error, bins.brier
            found["brier_constant"] = bins.brier_constant
            found["brier_gain"] = 1.0 - ratio(bins.brier, bins.brier_constant)
        return found

    def counts(self) -> dict[str, int]:
        """Frames, or reappearances, behind each figure."""
        counts = dict.fromkeys(FIGURES, len(self._owner))
        counts |= {key: int(below.sum()) for key, (_, below) in self._shares.items()}
        counts["ao"] = int(self._present.sum())
        counts["median_frames_to_find"] = counts["found_within_1s"]
        scored = ("roc_area", "calibration_error", "brier", "brier_constant", "brier_gain")
        counts |= dict.fromkeys(scored, self.published.size)
        counts["candidate_roc_area"] = self._candidates.size
        counts["candidate_roc_area_clear"] = self._clear.size
        return counts

    def _median_time(self, weights: FloatArray) -> float:
        times = np.concatenate(self._times)
        mass = np.repeat(weights, [t.size for t in self._times])
        if not mass.sum():
            return math.nan
        order = np.argsort(times)
        above = np.cumsum(mass[order]) >= 0.5 * mass.sum()
        return float(times[order][np.argmax(above)])


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """What is known of every frame but the first, ``(F,)``."""
    return np.concatenate([part[1:] for part in parts])


def _overlaps(boxes_xywh: FloatArray, truth_xywh: FloatArray) -> FloatArray:
    """``(T,)``, 0 where the target or the box is absent."""
    return np.nan_to_num(overlap(boxes_xywh, truth_xywh), nan=0.0)


def _held_though_right(run: LongTermRun) -> Flags:
    """Where a box is not TRACKING, or is the last one again, though without states it is right."""
    assert run.stateless_boxes_xywh is not None
    boxes, other = run.boxes_xywh, (run.boxes_xywh != run.candidate_boxes_xywh).any(axis=1)
    again = np.append(False, (boxes[1:] == boxes[:-1]).all(axis=1))
    right = _overlaps(run.stateless_boxes_xywh, run.truth_xywh) >= RIGHT
    return np.asarray((~run.tracking | (again & other)) & right)


def _absent_for(present: Flags) -> npt.NDArray[np.int64]:
    """Which frame of an absence each one is, from 1; 0 where the target is present."""
    frame = np.arange(len(present))
    last_seen = np.maximum.accumulate(np.where(present, frame, -1))
    return frame - last_seen


def _frames_to_find(present: Flags, found: Flags) -> FloatArray:
    """Frames from each reappearance to the first found one, infinite where there is none.

    A target that is gone again before it is found was not found.

    Args:
        present, found: ``(T,)``.
    """
    begins = np.flatnonzero(present[1:] & ~present[:-1]) + 1
    times = np.full(len(begins), np.inf)
    for k, begin in enumerate(begins):
        gone = np.flatnonzero(~present[begin:])
        stay = found[begin : begin + gone[0]] if gone.size else found[begin:]
        if stay.any():
            times[k] = np.argmax(stay)
    return times


def _precision_recall(
    reported: FloatArray, total: FloatArray, visible: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """VOT's three, averaged over sequences, for each of K ways to report, ``(K,)``.

    Args:
        reported: frames reported of each sequence, ``(S, K)``.
        total: the sum of their overlaps, ``(S, K)``.
        visible: frames with the target, ``(S,)``; without one a sequence has no recall.
        weights: of the sequences, ``(S,)``.
    """
    precision = np.where(reported > 0, total / np.maximum(reported, 1), 1.0)
    recall = total / np.maximum(visible, 1)[:, None]
    seen = weights * (visible > 0)
    with np.errstate(invalid="ignore"):  # NaN where no sequence has a weight
        p, r = weights @ precision / weights.sum(), seen @ recall / seen.sum()
        f = np.where(p + r > 0, 2 * p * r / (p + r), 0.0)
    return p, r, np.where(np.isfinite(r), f, np.nan)
