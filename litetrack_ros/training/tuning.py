"""Chooses the settings that travel with a trained model, on sequences kept for that.

Window and size smoothing are chosen by mean AO with the state machine off; the thresholds of the
state machine from the scores of that run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.config import TrackerConfig
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.evaluation.metrics import mean_over_sequences, scored_overlaps, summarise
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.model.checkpoint import LoadedWeights
from litetrack_ros.tracker.tracker import Tracker

GOOD_OVERLAP = 0.5  # from here on a box counts as right
FOUND_PRECISION = 0.9  # of the frames that score at least the found threshold


class Setting(NamedTuple):
    """What is tried: see ``ModelConfig.window_power`` and ``TrackerConfig.size_smoothing``."""

    window_power: float
    size_smoothing: float


@dataclass(frozen=True)
class Track:
    """A model's answers on one sequence, the first frame left out.

    Attributes:
        boxes_xywh: ``(T, 4)``, the init box first.
        scores: ``(T - 1,)`` raw scores.
        truth_xywh: ``(T, 4)``, NaN where absent.
    """

    boxes_xywh: FloatArray
    scores: FloatArray
    truth_xywh: FloatArray

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each frame's box overlaps the target by half; not where it is absent."""
        overlaps = overlap(self.boxes_xywh[1:], self.truth_xywh[1:])
        return np.asarray(np.nan_to_num(overlaps, nan=0.0) >= GOOD_OVERLAP)


class ScoreReport(NamedTuple):
    """How well the score tells right frames from the rest.

    Attributes:
        roc_area: pooled over all frames.
        right, wrong: how many frames of each class there were.
        lost_threshold: the score that parts the classes best (largest Youden index).
        found_threshold: the lowest score from which on nine of ten frames are right.
    """

    roc_area: float
    right: int
    wrong: int
    lost_threshold: float
    found_threshold: float


def with_setting(weights: LoadedWeights, setting: Setting) -> LoadedWeights:
    """The same weights with other settings and the state machine off."""
    model = weights.model
    model.config = dataclasses.replace(model.config, window_power=setting.window_power)
    config = TrackerConfig(size_smoothing=setting.size_smoothing)
    return dataclasses.replace(weights, model=model, tracker_config=config)


def run_tracks(
    weights: LoadedWeights,
    sequences: Sequence[AnnotatedSequence],
    on_frame: Callable[[], None] = lambda: None,
) -> list[Track]:
    """Track every sequence once from its first box.

    Args:
        weights: the model with its settings.
        sequences: frames and ground truth.
        on_frame: called after every frame, for a progress bar.
    """
    backend = TorchBackend(weights)
    tracks = []
    for sequence in sequences:
        tracker = Tracker(backend)
        boxes, scores = [sequence.boxes_xywh[0]], []
        for number, frame in enumerate(sequence.frames()):
            if number == 0:
                tracker.init(frame.image, boxes[0])
            else:
                result = tracker.update(frame.image)
                # A target that was given up stays where it was, with no score.
                boxes.append(boxes[-1] if result is None else result.box_xywh)
                scores.append(0.0 if result is None else result.score)
            on_frame()
        tracks.append(Track(np.stack(boxes), np.array(scores), sequence.boxes_xywh))
    return tracks


def mean_ao(tracks: Sequence[Track]) -> float:
    """Mean AO, each sequence counting once."""
    scores = [summarise(scored_overlaps(t.boxes_xywh, t.truth_xywh)) for t in tracks]
    return mean_over_sequences(scores).ao


def score_report(tracks: Sequence[Track]) -> ScoreReport:
    """Pool the frames of all tracks; areas and thresholds are 0 where a class is empty."""
    scores = np.concatenate([track.scores for track in tracks])
    right = np.concatenate([track.right for track in tracks])
    count, others = int(right.sum()), int((~right).sum())
    if not count or not others:
        return ScoreReport(0.0, count, others, 0.0, 0.0)
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], right[order]
    true_rate, false_rate = np.cumsum(hits) / count, np.cumsum(~hits) / others
    last = np.append(ranked[1:] != ranked[:-1], True)  # ties are taken together
    true_rate, false_rate, ranked = true_rate[last], false_rate[last], ranked[last]
    heights = (true_rate + np.append(0.0, true_rate[:-1])) / 2  # trapezoids
    area = float((heights * np.diff(false_rate, prepend=0.0)).sum())
    lost = float(ranked[np.argmax(true_rate - false_rate)])
    precision = true_rate * count / (true_rate * count + false_rate * others)
    precise = ranked[precision >= FOUND_PRECISION]
    found = float(precise[-1]) if precise.size else float(ranked[0])
    return ScoreReport(area, count, others, lost, max(lost, found))
