"""What prediction is worth: boxes of one run, as late as they came, moved on to the moment of use.

Lockstep accuracy compares each frame's box with that frame. Streaming accuracy (Li, Wang and
Ramanan, "Towards Streaming Perception", ECCV 2020) compares the newest box that has arrived by the
time of a frame with that frame. Prediction is given the same boxes at the same times, and moves
them on to the time of the frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from litetrack_ros.control.motion import Prediction, TargetMotion, box_sigma
from litetrack_ros.evaluation.results import SequenceRun
from litetrack_ros.geometry import FloatArray, overlap, xywh_to_cxcywh
from litetrack_ros.tracker.state import State

_DRAWS = 2000
_LEAST_RMS_PX = 1e-3  # below it a made run has no errors to compare with
_BLOCK = 30  # frames that are drawn together where there is one sequence


@dataclass(frozen=True)
class PredictedRun:
    """A run of T frames, of which the scored ones count.

    Attributes:
        name: the sequence's.
        lockstep, streaming, predicted: overlaps with the truth, ``(N,)`` each.
        errors_px: predicted centre less true, ``(M, 2)``, while TRACKING.
        sigmas_px: standard deviations that the prediction gives, ``(M, 2)``.
        sizes_px: root of the area, ``(M,)``.
        scores: the tracker's, of the box that was moved on, ``(M,)``.
        is_hit: whether that box touches the target, ``(M,)``.
    """

    name: str
    lockstep: FloatArray
    streaming: FloatArray
    predicted: FloatArray
    errors_px: FloatArray
    sigmas_px: FloatArray
    sizes_px: FloatArray
    scores: FloatArray
    is_hit: npt.NDArray[np.bool_]

    @property
    def means(self) -> tuple[float, float, float]:
        """Mean overlaps: lockstep, streaming, predicted."""
        return (
            float(self.lockstep.mean()),
            float(self.streaming.mean()),
            float(self.predicted.mean()),
        )


@dataclass(frozen=True)
class Share:
    """Which share of the gap between lockstep and streaming accuracy prediction closes.

    Attributes:
        share: of the mean gap.
        low, high: of its 95 % interval, by bootstrap.
    """

    share: float
    low: float
    high: float


def arrival_times(call_s: FloatArray, rate_hz: float, transport_s: float) -> FloatArray:
    """When the boxes of frames at a rate are there, s, ``(T,)``.

    As in the node the newest frame is taken; those that it replaced are infinitely late.

    Args:
        call_s: seconds in the tracker, ``(T,)``.
        rate_hz: of the frames; the first comes at 0.
        transport_s: the way there and back.
    """
    arrivals = np.full(len(call_s), np.inf)
    free, index = 0.0, 0
    while index < len(call_s):
        free = max(free, index / rate_hz) + float(call_s[index])
        arrivals[index] = free + transport_s
        index = max(index + 1, min(int(free * rate_hz), len(call_s)))
    return arrivals


def predict_run(
    run: SequenceRun, truth_xywh: FloatArray, rate_hz: float, transport_s: float
) -> PredictedRun:
    """Score a run's boxes, with probabilities as scores, in lockstep, streamed and predicted.

    Args:
        run: of a calibrated tracker, with the times of its calls.
        truth_xywh: ``(T, 4)``, NaN where the target is absent.
        rate_hz: at which the frames come.
        transport_s: the way of an image and of its box.
    """
    frames, boxes = len(truth_xywh), run.boxes_xywh
    arrivals = arrival_times(run.call_s, rate_hz, transport_s)
    moments = np.arange(frames) / rate_hz
    taken = np.flatnonzero(np.isfinite(arrivals))
    newest = np.append(taken, -1)[np.searchsorted(arrivals[taken], moments, side="right") - 1]
    follower = _Follower(run, rate_hz, set(taken.tolist()))
    streamed, predicted = np.empty((frames, 4)), np.empty((frames, 4))
    notes = []
    for index in range(frames):
        last = max(int(newest[index]), 0)
        streamed[index] = predicted[index] = boxes[last]
        found = follower.at(int(newest[index]), float(moments[index]))
        if found is not None:
            predicted[index] = found.box_xywh
            error = xywh_to_cxcywh(found.box_xywh) - xywh_to_cxcywh(truth_xywh[index])
            sigma = np.sqrt(np.diag(found.covariance)[:2])
            size = float(np.sqrt(boxes[last][2] * boxes[last][3]))
            hit = overlap(boxes[last], truth_xywh[last]) > 0
            notes.append((*error[:2], *sigma, size, float(run.scores[last]), float(hit)))
    scored = np.flatnonzero(np.isfinite(truth_xywh).all(axis=1))
    scored = scored[scored > 0]
    table = np.array(notes).reshape(-1, 7)
    table = table[np.isfinite(table).all(axis=1)]
    return PredictedRun(
        run.name,
        lockstep=overlap(boxes, truth_xywh)[scored],
        streaming=overlap(streamed, truth_xywh)[scored],
        predicted=overlap(predicted, truth_xywh)[scored],
        errors_px=table[:, :2],
        sigmas_px=table[:, 2:4],
        sizes_px=table[:, 4],
        scores=table[:, 5],
        is_hit=table[:, 6] > 0,
    )


class _Follower:
    """Follows the motion of a run's boxes, as they come."""

    def __init__(self, run: SequenceRun, rate_hz: float, taken: set[int]) -> None:
        self._run = run
        self._frames = taken
        self._rate_hz = rate_hz
        self._motion: TargetMotion | None = None
        self._taken = -1
        self._is_seen = False

    def at(self, newest: int, time_s: float) -> Prediction | None:
        """The target at a time, with all boxes up to a frame's; None unless it is TRACKING."""
        run = self._run
        for index in range(self._taken + 1, newest + 1):
            if index not in self._frames:
                continue
            was_seen, self._is_seen = self._is_seen, bool(run.states[index] == State.TRACKING)
            self._taken = index
            if not (self._is_seen or index == 0):
                continue
            self._is_seen = True
            box, at_s = run.boxes_xywh[index], index / self._rate_hz
            sigma = box_sigma(box, float(run.scores[index]), True)
            if self._motion is None or not was_seen:
                self._motion = TargetMotion(box, sigma, at_s)
            else:
                self._motion.update(box, sigma, at_s)
        return self._motion.at(time_s) if self._motion is not None and self._is_seen else None


def closed_share(runs: Sequence[PredictedRun], seed: int = 0) -> Share:
    """The share of the gap that prediction closes, with an interval.

    Of several sequences the gaps' means count, and sequences are drawn; of one, blocks of frames.
    """
    if len(runs) == 1:
        (run,) = runs
        table = np.stack([run.lockstep, run.streaming, run.predicted], axis=1)
        blocks = max(1, len(table) // _BLOCK)
        rows = np.array([part.mean(axis=0) for part in np.array_split(table, blocks)])
    else:
        rows = np.array([run.means for run in runs])
    rng = np.random.default_rng(seed)
    drawn = rows[rng.integers(len(rows), size=(_DRAWS, len(rows)))].mean(axis=1)
    low, high = np.nanpercentile(_closed(drawn), [2.5, 97.5])
    return Share(float(_closed(rows.mean(axis=0, keepdims=True))[0]), float(low), float(high))


def _closed(means: FloatArray) -> FloatArray:
    gap = means[:, 0] - means[:, 1]
    return np.asarray((means[:, 2] - means[:, 1]) / np.where(np.abs(gap) > 1e-9, gap, np.nan))


@dataclass(frozen=True)
class Coverage:
    """How the predicted covariance fits the errors of a part of the frames.

    Attributes:
        part: such as ``"size 1/3"``.
        frames: in it.
        covered: share within two standard deviations, across and down.
        sigma_over_rms: mean standard deviation over the RMS error, across and down.
    """

    part: str
    frames: int
    covered: tuple[float, float]
    sigma_over_rms: tuple[float, float]


def coverage(runs: Sequence[PredictedRun], only_hits: bool) -> list[Coverage]:
    """Coverage in each third by target size and each third by score.

    Args:
        runs: taken together.
        only_hits: leave out frames in which the tracker was on something else.
    """
    kept = [run.is_hit if only_hits else np.ones(len(run.scores), bool) for run in runs]
    errors, sigmas, sizes, scores = (
        np.concatenate([getattr(run, name)[keep] for run, keep in zip(runs, kept, strict=True)])
        for name in ("errors_px", "sigmas_px", "sizes_px", "scores")
    )
    rows = []
    for by, values in (("size", sizes), ("confidence", scores)):
        thirds = np.array_split(np.argsort(values, kind="stable"), 3)
        for number, third in enumerate(thirds, 1):
            if not len(third):
                continue
            covered = (np.abs(errors[third]) <= 2 * sigmas[third]).mean(axis=0)
            rms = np.sqrt((errors[third] ** 2).mean(axis=0))
            ratio = sigmas[third].mean(axis=0) / np.maximum(rms, _LEAST_RMS_PX)
            rows.append(
                Coverage(
                    f"{by} {number}/3",
                    len(third),
                    (float(covered[0]), float(covered[1])),
                    (float(ratio[0]), float(ratio[1])),
                )
            )
    return rows
