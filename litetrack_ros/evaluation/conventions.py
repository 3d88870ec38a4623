"""Accuracy measures exactly as the benchmarks' own toolkits compute them, one function each.

The toolkits differ in more than name, so each convention says what it does with the first frame,
absent targets and boxes that reach over the border:

- :func:`got10k`: the first frame is not scored, nor are frames whose target is wholly covered;
  boxes are clipped to the image; the frames of all sequences are pooled.
- :func:`pytracking`: the first frame counts as right; a frame without a target has no overlap;
  every sequence counts once.
- :func:`lasot`: the same, with LaSOT's occlusion and out-of-view flags as absent targets.
- :func:`uav123`: the same, but frames without a target count as precise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray

OVERLAP_THRESHOLDS = np.arange(21, dtype=np.float64) * 0.05
CENTER_THRESHOLDS_PX = np.arange(51, dtype=np.float64)
NORMALISED_THRESHOLDS = np.arange(51) / 100
GOT10K_THRESHOLDS = np.linspace(0, 1, 101)
PRECISION_AT_PX = 20
NORMALISED_PRECISION_AT = 20  # index of 0.2


@dataclass(frozen=True)
class ScoredSequence:
    """A tracker's boxes on a sequence and what they are compared with.

    Attributes:
        name: the sequence's.
        boxes_xywh: the tracker's, ``(T, 4)``.
        truth_xywh: ground truth as published, ``(T, 4)``.
        visible: ``(T,)`` bool where the benchmark says so, else None.
        image_size: width and height in px; only :func:`got10k` needs it.
    """

    name: str
    boxes_xywh: FloatArray
    truth_xywh: FloatArray
    visible: npt.NDArray[np.bool_] | None = None
    image_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Got10kScores:
    """AO, SR50 and SR75 in [0, 1] and the success curve over :data:`GOT10K_THRESHOLDS`."""

    ao: float
    sr50: float
    sr75: float
    success: FloatArray


@dataclass(frozen=True)
class PrecisionScores:
    """AUC, P and P_norm in per cent, their curves, and each sequence's three figures.

    Attributes:
        auc: mean of the success curve.
        precision: part of frames whose centre is at most 20 px off.
        normalised_precision: at most 0.2 of the target's size off.
        op50, op75: part of frames with an overlap above 0.5 and 0.75.
        success: over :data:`OVERLAP_THRESHOLDS`, ``(21,)``.
        precision_curve: over :data:`CENTER_THRESHOLDS_PX`, ``(51,)``.
        normalised_curve: over :data:`NORMALISED_THRESHOLDS`, ``(51,)``.
        per_sequence: AUC, P and P_norm of each, ``(S, 3)``.
    """

    auc: float
    precision: float
    normalised_precision: float
    op50: float
    op75: float
    success: FloatArray
    precision_curve: FloatArray
    normalised_curve: FloatArray
    per_sequence: FloatArray


def got10k_overlaps(sequence: ScoredSequence) -> FloatArray:
    """Overlaps of the frames that the GOT-10k toolkit scores, ``(F,)`` with F < T.

    Boxes of both sides are clipped to the image; the first frame and those whose target is wholly
    covered are left out.

    Raises:
        DatasetError: the image size is unknown, or the numbers of boxes differ.
    """
    if sequence.image_size is None:
        raise DatasetError(f"{sequence.name}: GOT-10k's measures need the size of the images")
    boxes, truth = _same_length(sequence)
    a, b = (_clipped(x[1:], *sequence.image_size) for x in (boxes, truth))
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    common = np.maximum(high - low, 0).prod(axis=1)
    union = a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - common
    overlaps = np.clip(common / (union + np.finfo(np.float64).eps), 0.0, 1.0)
    return overlaps if sequence.visible is None else overlaps[sequence.visible[1:]]


def got10k(sequences: Sequence[ScoredSequence]) -> Got10kScores:
    """AO and SR as the GOT-10k toolkit's ``ExperimentGOT10k`` reports them: frames are pooled.

    Raises:
        DatasetError: as :func:`got10k_overlaps`, or no frame is left to score.
    """
    pooled = np.concatenate([got10k_overlaps(s) for s in sequences]) if sequences else np.empty(0)
    if not pooled.size:
        raise DatasetError("no frame is left to score: GOT-10k's measures drop each first frame")
    curve = (pooled[:, None] > GOT10K_THRESHOLDS).mean(axis=0)
    return Got10kScores(
        float(pooled.mean()), float((pooled > 0.5).mean()), float((pooled > 0.75).mean()), curve
    )


def pytracking(sequences: Sequence[ScoredSequence]) -> PrecisionScores:
    """AUC, P and P_norm as pytracking's analysis reports them (OTB-100, NFS, UAV123 and others).

    The first frame counts as right; frames without a target count as missed. Curves are averaged
    over sequences, and all frames are in the denominator.

    Raises:
        DatasetError: no sequence, a box with a NaN or of negative size, or an annotated first frame
            without a box.
    """
    return _precision_scores([_pytracking_curves(s) for s in sequences])


def uav123(sequences: Sequence[ScoredSequence]) -> PrecisionScores:
    """AUC, P and P_norm of UAV123 as pytracking's analysis reports them.

    As :func:`pytracking`, but frames without a target (NaN in UAV123) raise the precision.

    Raises:
        DatasetError: as :func:`pytracking`.
    """
    return _precision_scores([_pytracking_curves(s, absent_is_near=True) for s in sequences])


def lasot(sequences: Sequence[ScoredSequence]) -> PrecisionScores:
    """AUC, P and P_norm of LaSOT as pytracking's analysis reports them.

    As :func:`pytracking`, but frames that are flagged as fully occluded or out of view count as
    missed too.

    Raises:
        DatasetError: as :func:`pytracking`, or a sequence without flags or with too few boxes.
    """
    for sequence in sequences:
        if sequence.visible is None:
            raise DatasetError(f"{sequence.name} has no occlusion and out-of-view flags")
        if len(sequence.boxes_xywh) < len(sequence.truth_xywh):
            raise DatasetError(
                f"{sequence.name}: {len(sequence.boxes_xywh)} boxes for "
                f"{len(sequence.truth_xywh)} frames"
            )
    return _precision_scores([_pytracking_curves(s, s.visible) for s in sequences])


def _pytracking_curves(
    sequence: ScoredSequence,
    visible: npt.NDArray[np.bool_] | None = None,
    absent_is_near: bool = False,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    truth = np.asarray(sequence.truth_xywh, dtype=np.float64)
    boxes = np.array(sequence.boxes_xywh, dtype=np.float64)
    if np.isnan(boxes).any() or (boxes[:, 2:] < 0).any():
        raise DatasetError(f"{sequence.name}: a result holds a NaN or a negative size")
    for row in range(1, len(boxes)):
        known = row >= len(truth) or not np.isnan(truth[row]).any()
        if (boxes[row, 2:] == 0).any() and known:
            boxes[row] = boxes[row - 1]  # an empty box repeats the previous one
    missing = max(0, len(truth) - len(boxes))
    boxes = np.concatenate([boxes[: len(truth)], np.zeros((missing, 4))])
    boxes[0] = truth[0]
    with np.errstate(invalid="ignore"):
        valid = (truth > 0).all(axis=1)
    if visible is not None:
        valid &= visible
    overlaps = np.full(len(truth), -1.0)
    errors = np.full(len(truth), np.inf)
    relative = np.full(len(truth), np.inf)
    a, b = boxes[valid], truth[valid]
    # The order of the sums is theirs: a box on itself must round to their side of the threshold 1.
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, :2] + a[:, 2:] - 1.0, b[:, :2] + b[:, 2:] - 1.0)
    common = np.maximum(high - low + 1.0, 0).prod(axis=1)
    overlaps[valid] = common / (a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - common)
    center_a, center_b = (x[:, :2] + 0.5 * (x[:, 2:] - 1.0) for x in (a, b))
    errors[valid] = np.sqrt(((center_a - center_b) ** 2).sum(axis=1))
    relative[valid] = np.sqrt(((center_a / b[:, 2:] - center_b / b[:, 2:]) ** 2).sum(axis=1))
    # As published: in a frame without an annotated box any box counts as near.
    absent = ~valid if visible is None else ~valid & visible
    relative[absent] = -1.0
    if absent_is_near:
        errors[~valid] = -1.0
    return (
        (overlaps[:, None] > OVERLAP_THRESHOLDS).mean(axis=0),
        (errors[:, None] <= CENTER_THRESHOLDS_PX).mean(axis=0),
        (relative[:, None] <= NORMALISED_THRESHOLDS).mean(axis=0),
    )


def _precision_scores(
    curves: Sequence[tuple[FloatArray, FloatArray, FloatArray]],
) -> PrecisionScores:
    if not curves:
        raise DatasetError("there is no sequence to score")
    success, precision, normalised = (100 * np.stack(part) for part in zip(*curves, strict=True))
    per_sequence = np.stack(
        [
            success.mean(axis=1),
            precision[:, PRECISION_AT_PX],
            normalised[:, NORMALISED_PRECISION_AT],
        ],
        axis=1,
    )
    auc, at_20_px, at_a_fifth = per_sequence.mean(axis=0)
    mean_success = success.mean(axis=0)
    return PrecisionScores(
        float(auc),
        float(at_20_px),
        float(at_a_fifth),
        float(mean_success[10]),
        float(mean_success[15]),
        mean_success,
        precision.mean(axis=0),
        normalised.mean(axis=0),
        per_sequence,
    )


def _same_length(sequence: ScoredSequence) -> tuple[FloatArray, FloatArray]:
    boxes = np.asarray(sequence.boxes_xywh, dtype=np.float64)
    truth = np.asarray(sequence.truth_xywh, dtype=np.float64)
    if boxes.shape != truth.shape:
        raise DatasetError(f"{sequence.name}: {len(boxes)} boxes for {len(truth)} frames")
    return boxes, truth


def _clipped(boxes: FloatArray, width: int, height: int) -> FloatArray:
    x = np.clip(boxes[:, 0], 0, width)
    y = np.clip(boxes[:, 1], 0, height)
    w = np.clip(boxes[:, 2], 0, width - x)
    h = np.clip(boxes[:, 3], 0, height - y)
    return np.stack([x, y, w, h], axis=1)
