"""Fits what a tracker's probabilities are read with, and chooses the thresholds on them.

Everything that is reported of a sequence comes from a calibration and thresholds that have not seen
it: one calibration a sequence is fitted on all others, and the setting is chosen on all others. The
frames come from two runs of each sequence, one with the state machine off and one with a machine on
a first calibration, in which the search region of a LOST target has grown. These search around the
last box alone; the runs that are reported search elsewhere too, as the tracker in use does.
Sequences count the same whatever their length.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend, PassingBackend, Predictions, TemplateFeatures
from litetrack_ros.config import Calibration, Logistic, TrackerConfig
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.geometry import BoxLike, FloatArray, overlap
from litetrack_ros.images import Image, Uint8Image
from litetrack_ros.tracker.camera_motion import ReducedPicture, camera_shift, reduce_picture
from litetrack_ros.tracker.confidence import candidate_features, held_features, probability
from litetrack_ros.tracker.following import OneTargetTracker, follow
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

GOOD_OVERLAP, FALSE_OVERLAP = 0.5, 0.2
_FRAMES = 100.0  # each run weighs as much as so many frames, against the penalty ...
_PENALTY = 3.0  # ... on the squares of the weights of standardised features
_FEW_FRAMES = 50  # a run of fewer weighs less


class Thresholds(NamedTuple):
    """A setting to try; see :class:`litetrack_ros.config.TrackerConfig`."""

    lost_threshold: float
    lost_after_frames: int
    found_threshold: float
    found_after_frames: int = 1


_FIRST = Thresholds(0.3, 3, 0.5)  # of the runs that are fitted on


class RememberingBackend(PassingBackend):
    """Passes on to a backend, and never asks it twice for the same crop and template.

    Runs that differ in their thresholds ask for the same crops until their states part.

    Args:
        backend: runs the network.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._known: dict[bytes, Predictions] = {}
        self.latest: Predictions | None = None
        self._template = self._encoded_before = b""

    def encode_template(
        self, crops: Uint8Image, boxes_xyxy_norm: npt.NDArray[np.float32]
    ) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`; for one target at a time."""
        self._encoded_before = self._template
        self._template = hashlib.blake2b(crops.tobytes() + boxes_xyxy_norm.tobytes()).digest()
        return super().encode_template(crops, boxes_xyxy_norm)

    def with_recent(self, first: TemplateFeatures, recent: TemplateFeatures) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`; ``recent`` is the latest encoded."""
        self._template = self._encoded_before[: len(self._template)] + self._template
        return super().with_recent(first, recent)

    def search(self, crops: Uint8Image, templates: TemplateFeatures) -> Predictions:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        key = hashlib.blake2b(crops.tobytes() + self._template).digest()
        if key not in self._known:
            self._known[key] = super().search(crops, templates)
        self.latest = self._known[key]
        return self.latest


@dataclass(frozen=True)
class Observed:
    """What a run showed, every frame but the first.

    Attributes:
        features: of each candidate, ``(T, F)``.
        held_features: of each held box, ``(T, H)``; meaningless while TRACKING.
        overlaps: of the published box, ``(T,)``; 0 where the target is absent.
        candidate_overlaps: of the candidate, as ``overlaps``.
        scores: of the published box, ``(T,)``.
        candidate_scores: ``(T,)``.
        tracking: whether the state is TRACKING, ``(T,)``.
        visible: whether the target is, ``(T,)``.
    """

    features: FloatArray
    held_features: FloatArray
    overlaps: FloatArray
    candidate_overlaps: FloatArray
    scores: FloatArray
    candidate_scores: FloatArray
    tracking: npt.NDArray[np.bool_]
    visible: npt.NDArray[np.bool_]


class _Recorder:
    """A tracker that keeps the features of every candidate."""

    def __init__(self, backend: RememberingBackend, config: TrackerConfig) -> None:
        self._backend, self._tracker = backend, Tracker(backend, config)
        self._follows_camera = config.follows_camera
        self._previous: TrackResult | None = None
        self._picture: ReducedPicture | None = None
        self.rows: list[FloatArray] = []

    def init(self, image: Image, box_xywh: BoxLike) -> TrackResult:
        self._previous = self._tracker.init(image, box_xywh)
        self._picture = reduce_picture(image)
        return self._previous

    def update(self, image: Image) -> TrackResult | None:
        result = self._tracker.update(image)
        assert result is not None and self._previous is not None and self._backend.latest
        assert self._picture is not None  # with the first result
        searched = self._previous.box_xywh.copy()
        picture = reduce_picture(image)
        if self._follows_camera:
            searched[:2] += camera_shift(self._picture, picture)
        boxes = [box[None] for box in (result.candidate_box_xywh, searched)]
        self.rows.append(candidate_features(self._backend.latest, *boxes)[0])
        self._previous, self._picture = result, picture
        return result


def observe(
    backend: RememberingBackend, config: TrackerConfig, sequence: AnnotatedSequence
) -> Observed:
    """Track a sequence once, around the last box alone."""
    near = dataclasses.replace(config, idle_after_frames=0, search_crops=0)
    recorder = _Recorder(backend, near)
    return _observe(recorder, config, sequence, recorder.rows)


def observe_as_used(
    backend: Backend, config: TrackerConfig, sequence: AnnotatedSequence
) -> Observed:
    """Track a sequence once, searching elsewhere for a LOST target; there are no features."""
    endless = dataclasses.replace(config, idle_after_frames=0)
    return _observe(Tracker(backend, endless), endless, sequence, [np.zeros(0)])


def _observe(
    tracker: OneTargetTracker,
    config: TrackerConfig,
    sequence: AnnotatedSequence,
    rows: list[FloatArray],
) -> Observed:
    """Track a sequence with a tracker that appends each frame's features to the rows."""
    images = (frame.image for frame in sequence.frames())
    steps = follow(tracker, images, sequence.boxes_xywh[0])
    results = [step.result for step in steps][1:]
    truth = sequence.boxes_xywh[1:]
    boxes = np.stack([result.box_xywh for result in results])
    candidates = np.stack([result.candidate_box_xywh for result in results])
    tracking = np.array([result.state is State.TRACKING for result in results])
    candidate_scores = np.array([result.candidate_score for result in results])
    ages = _ages(tracking & (candidate_scores >= config.lost_threshold))
    return Observed(
        np.stack(rows),
        held_features(candidate_scores, overlap(candidates, boxes), ages),
        np.nan_to_num(overlap(boxes, truth)),
        np.nan_to_num(overlap(candidates, truth)),
        np.array([result.score for result in results]),
        candidate_scores,
        tracking,
        np.asarray(np.isfinite(truth).all(axis=1)),
    )


def fit_logistic(features: Sequence[FloatArray], hits: Sequence[npt.NDArray[np.bool_]]) -> Logistic:
    """A logistic regression with an L2 penalty, by Newton's method.

    Args:
        features: of each run, ``(T, F)``; every run weighs the same, unless it is short.
        hits: what is to be predicted, ``(T,)`` each. Without a frame it is one half.
    """
    x, y = np.concatenate(features), np.concatenate(hits).astype(np.float64)
    if not len(x):
        return Logistic((0.0,) * x.shape[1], 0.0)
    weights_of = [np.full(len(part), _FRAMES / max(len(part), _FEW_FRAMES)) for part in features]
    weight = np.concatenate(weights_of)
    mean = np.average(x, axis=0, weights=weight)
    scale = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight)) + 1e-9
    z = np.column_stack([(x - mean) / scale, np.ones(len(x))])
    penalty = np.diag(np.append(np.full(x.shape[1], _PENALTY), 1e-6))
    beta = np.zeros(z.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-(z @ beta).clip(-30, 30)))
        gradient = z.T @ (weight * (p - y)) + penalty @ beta
        hessian = (z * (weight * p * (1 - p))[:, None]).T @ z + penalty
        step = np.linalg.solve(hessian, gradient)
        beta -= step
        if np.abs(step).max() < 1e-9:
            break
    weights = beta[:-1] / scale
    return Logistic(tuple(weights.tolist()), float(beta[-1] - weights @ mean))


def fit_calibration(runs: Iterable[Observed]) -> Calibration:
    """Both regressions; that of held boxes is fitted on the frames that were LOST."""
    flat = list(runs)
    candidate = fit_logistic(
        [run.features for run in flat], [run.candidate_overlaps >= GOOD_OVERLAP for run in flat]
    )
    held = []
    for run in flat:
        # Its features depend on the candidates' probabilities, which the run did not know yet.
        found = run.held_features.copy()
        p = probability(candidate, run.features)
        again = held_features(p, found[:, 1], np.expm1(found[:, 3]))
        held.append((again[~run.tracking], (run.overlaps >= GOOD_OVERLAP)[~run.tracking]))
    return Calibration(candidate, fit_logistic(*zip(*held, strict=True)))


@dataclass(frozen=True)
class Calibrated:
    """What was fitted and chosen, and what it reached on sequences it had not seen.

    Attributes:
        config: fitted and chosen on all sequences.
        tried: the mean usefulness of each setting over all sequences.
        unseen: a run of each sequence as the tracker is used, with what was fitted and chosen on
            the others.
        off: a run of each with the state machine off.
    """

    config: TrackerConfig
    tried: dict[Thresholds, float]
    unseen: dict[str, Observed]
    off: dict[str, Observed]


def calibrate(
    backend: Backend,
    sequences: Sequence[AnnotatedSequence],
    settings: Sequence[Thresholds],
    search_crops: int = 0,
    on_run: Callable[[], None] = lambda: None,
) -> Calibrated:
    """Fit the calibration and choose a setting; needs at least two sequences.

    Args:
        backend: runs the network.
        sequences: at least two, with ground truth, absences among it.
        settings: what to choose from, by runs around the last box alone.
        search_crops: of the configuration that comes out, and of the runs on sequences unseen.
        on_run: called after every run, of which there are three and one a setting a sequence.
    """
    base = dataclasses.replace(
        backend.tracker_config, calibration=None, lost_threshold=0.0, search_crops=search_crops
    )
    remembering = RememberingBackend(backend)

    def run(config: TrackerConfig, sequence: AnnotatedSequence) -> Observed:
        observed = observe(remembering, config, sequence)
        on_run()
        return observed

    def run_as_used(config: TrackerConfig, sequence: AnnotatedSequence) -> Observed:
        observed = observe_as_used(backend, config, sequence)
        on_run()
        return observed

    off = {sequence.name: run(base, sequence) for sequence in sequences}
    names, first = list(off), {}
    for sequence in sequences:
        rough = fit_calibration([off[n] for n in names if n != sequence.name])
        first[sequence.name] = run(with_thresholds(base, _FIRST, rough), sequence)
    tried: dict[Thresholds, dict[str, Observed]] = {setting: {} for setting in settings}
    by_others: dict[str, Calibration] = {}
    for sequence in sequences:
        others = [n for n in names if n != sequence.name]
        fitted = fit_calibration(runs[n] for n in others for runs in (off, first))
        by_others[sequence.name] = fitted
        for setting in settings:
            config = with_thresholds(base, setting, fitted)
            tried[setting][sequence.name] = run(config, sequence)
    useful = {s: {n: usefulness(run) for n, run in runs.items()} for s, runs in tried.items()}

    def best(among: Sequence[str]) -> Thresholds:
        return max(settings, key=lambda s: float(np.mean([useful[s][n] for n in among])))

    unseen = {}
    for sequence in sequences:
        setting = best([name for name in names if name != sequence.name])
        config = with_thresholds(base, setting, by_others[sequence.name])
        unseen[sequence.name] = run_as_used(config, sequence)
    final = fit_calibration(runs[n] for n in names for runs in (off, first))
    config = with_thresholds(base, best(names), final)
    means = {s: float(np.mean(list(values.values()))) for s, values in useful.items()}
    return Calibrated(config, means, unseen, off)


def with_thresholds(
    config: TrackerConfig, thresholds: Thresholds, calibration: Calibration
) -> TrackerConfig:
    """A configuration with other thresholds and another calibration."""
    return dataclasses.replace(config, calibration=calibration, **thresholds._asdict())


def usefulness(run: Observed) -> float:
    """What a robot has of a run: right frames that are TRACKING less false ones, over all frames.

    False is an overlap below 0.2, and every frame without the target.
    """
    right = run.tracking & (run.overlaps >= GOOD_OVERLAP)
    false = run.tracking & (run.overlaps < FALSE_OVERLAP)
    return float(right.mean() - false.mean())


def _ages(trusted: npt.NDArray[np.bool_]) -> FloatArray:
    """Frames since the last trusted one, ``(T,)``; the frame before the first is trusted."""
    numbers = np.arange(1, len(trusted) + 1)
    return (numbers - np.maximum.accumulate(np.where(trusted, numbers, 0))).astype(np.float64)
