"""The named conventions of scoring: which frames count, and what boxes over the border are worth.

:data:`CONVENTIONS` lists them. ``plain`` is this package's own, for sequences of one's own; the
others compute exactly what the benchmarks' own toolkits compute, which differ in more than name:

- ``plain``: boxes as the tracker gave them; the first frame is not scored, nor are frames without
  the target; a box that is not a number is a miss; every sequence counts once. Success, precision
  and normalised precision of continuous boxes, whose centre is ``x + w / 2``.
- ``got10k``: boxes of both sides are clipped to the image; the first frame is not scored, nor are
  frames whose target is wholly covered; the frames of all sequences are pooled.
- ``authors``: as the LiteTrack authors' own script (and OSTrack's), which made the paper's tables:
  the first frame counts as right; a frame without a target has no overlap; every sequence counts
  once. A target is absent where its box has no width or height.
- ``authors_lasot``: the same, with LaSOT's occlusion and out-of-view flags as absent targets.
- ``authors_uav123``: the same as ``authors``, but frames without a target count as precise.
- ``authors_flagged``: as ``authors_lasot``, for the other sets with such flags: there a frame in
  which the target is hidden counts as near by the normalised precision, as every other frame
  without a target does.
- ``pytracking``, ``pytracking_lasot``, ``pytracking_uav123``, ``pytracking_flagged``: as these
  four, but as in one version of pytracking (``analysis/extract_results.py``) a target is absent
  too where its box begins at ``x <= 0`` or ``y <= 0``.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.metrics import summarise
from litetrack_ros.geometry import FloatArray, overlap

PLAIN = "plain"
SUCCESS, PRECISION, NORMALISED = "Success", "Precision", "Normalised precision"
_OVERLAPS = np.linspace(0, 1, 101)  # GOT-10k's thresholds
_COARSE_OVERLAPS = np.arange(21, dtype=np.float64) * 0.05  # pytracking's
_ERRORS_PX = np.arange(51, dtype=np.float64)
_RELATIVE_ERRORS = np.arange(51) / 100
_AT_20_PX, _AT_A_FIFTH, _AT_50, _AT_75 = 20, 20, 10, 15  # indices of the three


@dataclass(frozen=True)
class ScoredSequence:
    """A tracker's boxes on a sequence and what they are compared with.

    Attributes:
        name: the sequence's; entries of one name are repetitions, whose frames are pooled.
        boxes_xywh: the tracker's, ``(T, 4)``.
        truth_xywh: ground truth as published, ``(T, 4)``.
        visible: ``(T,)`` bool where the data set says so, else None.
        image_size: width and height in px; only ``got10k`` needs it.
    """

    name: str
    boxes_xywh: FloatArray
    truth_xywh: FloatArray
    visible: npt.NDArray[np.bool_] | None = None
    image_size: tuple[int, int] | None = None


class _Row(NamedTuple):
    """Figures ``(K,)`` and curves of one sequence, and how many frames are behind them."""

    figures: FloatArray
    curves: tuple[FloatArray, ...]
    frames: int


class Convention(NamedTuple):
    """How results are scored.

    Attributes:
        about: which frames count and how, in a line.
        columns: names of the figures; the first is the main one.
        curves: thresholds by the curves' titles.
        score_one: scores a sequence.
        pools_frames: whether every frame counts once, rather than every sequence.
        clips: whether boxes are clipped to the image, so that its size must be known.
    """

    about: str
    columns: tuple[str, ...]
    curves: Mapping[str, FloatArray]
    score_one: Callable[[ScoredSequence], _Row]
    pools_frames: bool = False
    clips: bool = False


@dataclass(frozen=True)
class Scores:
    """What a tracker reached by one convention; every figure is in [0, 1].

    Attributes:
        convention: its name.
        figures: of each sequence, ``(S, K)`` for the convention's K columns; NaN where no frame of
            it is scored.
        frames: how many frames of each sequence are scored, ``(S,)``.
        weights: of each sequence in the convention's own mean, ``(S,)``.
        over_sequences: every sequence counting once, ``(K,)``.
        over_frames: every frame counting once, ``(K,)``.
        curves: shares of frames by the curves' titles, over the convention's thresholds.
    """

    convention: str
    figures: FloatArray
    frames: npt.NDArray[np.int64]
    weights: npt.NDArray[np.int64]
    over_sequences: FloatArray
    over_frames: FloatArray
    curves: dict[str, FloatArray]

    @property
    def overall(self) -> dict[str, float]:
        """The convention's own mean of each column."""
        convention = CONVENTIONS[self.convention]
        means = self.over_frames if convention.pools_frames else self.over_sequences
        return dict(zip(convention.columns, means.tolist(), strict=True))


def score(convention: str, sequences: Sequence[ScoredSequence]) -> Scores:
    """Score a tracker's results.

    Args:
        convention: a key of :data:`CONVENTIONS`.
        sequences: at least one.

    Raises:
        DatasetError: no sequence; boxes that do not fit the ground truth, or, but for ``plain``,
            that are no numbers; no frame that ``got10k`` scores.
    """
    if not sequences:
        raise DatasetError("there is no sequence to score")
    rule = CONVENTIONS[convention]
    rows: dict[str, list[_Row]] = {}
    for sequence in sequences:
        rows.setdefault(sequence.name, []).append(rule.score_one(sequence))
    frames = np.array([sum(row.frames for row in group) for group in rows.values()])
    if rule.pools_frames and not frames.any():
        raise DatasetError("no frame is left to score: GOT-10k's measures drop each first frame")
    parts = [_pooled(group) for group in rows.values()]
    figures = np.stack([part.figures for part in parts])
    weights = frames if rule.pools_frames else (frames > 0).astype(frames.dtype)
    curves = {
        title: _mean(np.stack([part.curves[k] for part in parts]), weights)
        for k, title in enumerate(rule.curves)
    }
    means = _mean(figures, frames > 0), _mean(figures, frames)
    return Scores(convention, figures, frames, weights, *means, curves)


def _mean(rows: FloatArray, weights: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> FloatArray:
    """Weighted mean over the first axis; NaN without a weight."""
    used = weights > 0
    if not used.any():
        return np.full(rows.shape[1:], np.nan)
    return np.asarray(np.average(rows[used], axis=0, weights=weights[used]), dtype=np.float64)


def _pooled(rows: Sequence[_Row]) -> _Row:
    """Repetitions of a sequence as one."""
    if len(rows) == 1:
        return rows[0]
    frames = np.array([row.frames for row in rows])
    figures = _mean(np.stack([row.figures for row in rows]), frames)
    curves = [_mean(np.stack(c), frames) for c in zip(*(row.curves for row in rows), strict=True)]
    return _Row(figures, tuple(curves), int(frames.sum()))


def _plain(sequence: ScoredSequence) -> _Row:
    boxes, truth = _same_length(sequence)
    present = np.asarray(np.isfinite(truth).all(axis=1))
    if sequence.visible is not None:
        present &= sequence.visible
    present[0] = False
    boxes, truth = boxes[present], truth[present]
    row = _overlap_row(np.nan_to_num(overlap(boxes, truth), nan=0.0))
    offset = boxes[:, :2] + boxes[:, 2:] / 2 - truth[:, :2] - truth[:, 2:] / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = (np.ones(2), truth[:, 2:])
        errors, relative = (np.hypot(*(offset / size).T) for size in sizes)
    # A NaN is no number below any threshold: a miss.
    precision = _shares(errors[:, None] <= _ERRORS_PX)
    normalised = _shares(relative[:, None] <= _RELATIVE_ERRORS)
    figures = np.append(row.figures, (precision[_AT_20_PX], normalised[_AT_A_FIFTH]))
    return _Row(figures, (*row.curves, precision, normalised), row.frames)


def _shares(hits: npt.NDArray[np.bool_]) -> FloatArray:
    """Part of the frames at each threshold; NaN without a frame."""
    return np.asarray(hits.mean(axis=0)) if len(hits) else np.full(hits.shape[1], np.nan)


def _got10k(sequence: ScoredSequence) -> _Row:
    """As the GOT-10k toolkit's ``ExperimentGOT10k``."""
    if sequence.image_size is None:
        raise DatasetError(f"{sequence.name}: GOT-10k's measures need the size of the images")
    boxes, truth = _same_length(sequence)
    if np.isnan(boxes).any():
        raise DatasetError(f"{sequence.name}: a result holds a NaN, which GOT-10k cannot score")
    truth = np.nan_to_num(truth, nan=0.0)
    overlaps = overlap(*(_clipped(x[1:], *sequence.image_size) for x in (boxes, truth)))
    return _overlap_row(overlaps if sequence.visible is None else overlaps[sequence.visible[1:]])


def _overlap_row(overlaps: FloatArray) -> _Row:
    figures = np.array(dataclasses.astuple(summarise(overlaps)))
    return _Row(figures, (_shares(overlaps[:, None] > _OVERLAPS),), overlaps.size)


def _pytracking(
    sequence: ScoredSequence,
    at_border: bool,
    flagged: bool = False,
    hidden_is_near: bool = False,
    absent_is_near: bool = False,
) -> _Row:
    """As pytracking's analysis and what the authors made of it; all frames are in the denominator.

    Args:
        sequence: what to score.
        at_border: whether a target whose box begins at ``x <= 0`` or ``y <= 0`` can be present.
        flagged: take frames that the data set flags as hidden for absent, as for LaSOT.
        hidden_is_near: those raise the normalised precision as absent ones do, but not for LaSOT.
        absent_is_near: frames without a target raise the precision, as for UAV123.
    """
    truth = np.asarray(sequence.truth_xywh, dtype=np.float64)
    boxes = np.array(sequence.boxes_xywh, dtype=np.float64)
    visible = _flags(sequence, short=hidden_is_near) if flagged else None
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
        valid = ((truth[:, 2:] if at_border else truth) > 0).all(axis=1)
    valid &= np.isfinite(truth).all(axis=1)
    if visible is not None:
        valid &= visible
    overlaps = np.full(len(truth), -1.0)
    errors = np.full(len(truth), np.inf)
    relative = np.full(len(truth), np.inf)
    a, b = boxes[valid], truth[valid]
    overlaps[valid] = _inclusive_overlap(a, b)
    center_a, center_b = (x[:, :2] + 0.5 * (x[:, 2:] - 1.0) for x in (a, b))
    errors[valid] = np.sqrt(((center_a - center_b) ** 2).sum(axis=1))
    relative[valid] = np.sqrt(((center_a / b[:, 2:] - center_b / b[:, 2:]) ** 2).sum(axis=1))
    # As published: in a frame without an annotated box any box counts as near.
    absent = ~valid if visible is None or hidden_is_near else ~valid & visible
    relative[absent] = -1.0
    if absent_is_near:
        errors[~valid] = -1.0
    success = (overlaps[:, None] > _COARSE_OVERLAPS).mean(axis=0)
    precision = (errors[:, None] <= _ERRORS_PX).mean(axis=0)
    normalised = (relative[:, None] <= _RELATIVE_ERRORS).mean(axis=0)
    figures = (
        success.mean(),
        normalised[_AT_A_FIFTH],
        precision[_AT_20_PX],
        success[_AT_50],
        success[_AT_75],
    )
    return _Row(np.array(figures), (success, precision, normalised), len(truth))


def _inclusive_overlap(a: FloatArray, b: FloatArray) -> FloatArray:
    """:func:`litetrack_ros.geometry.overlap` with pytracking's order of sums, for boxes with sizes.

    Corners are last pixels there. That changes nothing but the last bit, which decides on which
    side of the threshold 1 a box on itself lies.
    """
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, :2] + a[:, 2:] - 1.0, b[:, :2] + b[:, 2:] - 1.0)
    common = np.maximum(high - low + 1.0, 0).prod(axis=1)
    return np.asarray(common / (a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - common))


def _flags(sequence: ScoredSequence, short: bool) -> npt.NDArray[np.bool_]:
    """In which frames the target is shown; fewer boxes than frames only where they may be short."""
    if sequence.visible is None:
        raise DatasetError(f"{sequence.name} has no occlusion and out-of-view flags")
    if len(sequence.boxes_xywh) < len(sequence.truth_xywh) and not short:
        raise DatasetError(
            f"{sequence.name}: {len(sequence.boxes_xywh)} boxes for "
            f"{len(sequence.truth_xywh)} frames"
        )
    return sequence.visible


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


_OVERLAP_COLUMNS = ("AO", "SR50", "SR75")
_PRECISION_COLUMNS = ("AUC", "P_norm", "P", "OP50", "OP75")
_PRECISION_CURVES = {
    SUCCESS: _COARSE_OVERLAPS,
    PRECISION: _ERRORS_PX,
    NORMALISED: _RELATIVE_ERRORS,
}

_ABOUT = "first frame counted as right, absent targets as missed"
_ABOUT_LASOT = "first frame counted as right, absent and hidden targets as missed"
_ABOUT_FLAGGED = "first frame counted as right, absent and hidden targets as missed (P_norm: near)"
_ABOUT_UAV123 = "first frame counted as right, absent targets as precise"
_INSIDE = "; targets at x <= 0 or y <= 0 absent"
_AT_BORDER = partial(_pytracking, at_border=True)
_WITHIN = partial(_pytracking, at_border=False)
_FLAGGED = {"flagged": True, "hidden_is_near": True}


def _counting_all(about: str, rule: Callable[[ScoredSequence], _Row]) -> Convention:
    return Convention(about, _PRECISION_COLUMNS, _PRECISION_CURVES, rule)


CONVENTIONS: Mapping[str, Convention] = {
    PLAIN: Convention(
        "first frame and absent frames not scored",
        (*_OVERLAP_COLUMNS, "P", "P_norm"),
        {SUCCESS: _OVERLAPS, PRECISION: _ERRORS_PX, NORMALISED: _RELATIVE_ERRORS},
        _plain,
    ),
    "got10k": Convention(
        "boxes clipped to the image, first frame and covered targets not scored, frames pooled",
        _OVERLAP_COLUMNS,
        {SUCCESS: _OVERLAPS},
        _got10k,
        pools_frames=True,
        clips=True,
    ),
    "authors": _counting_all(_ABOUT, _AT_BORDER),
    "authors_lasot": _counting_all(_ABOUT_LASOT, partial(_AT_BORDER, flagged=True)),
    "authors_flagged": _counting_all(_ABOUT_FLAGGED, partial(_AT_BORDER, **_FLAGGED)),
    "authors_uav123": _counting_all(_ABOUT_UAV123, partial(_AT_BORDER, absent_is_near=True)),
    "pytracking": _counting_all(_ABOUT + _INSIDE, _WITHIN),
    "pytracking_lasot": _counting_all(_ABOUT_LASOT + _INSIDE, partial(_WITHIN, flagged=True)),
    "pytracking_flagged": _counting_all(_ABOUT_FLAGGED + _INSIDE, partial(_WITHIN, **_FLAGGED)),
    "pytracking_uav123": _counting_all(
        _ABOUT_UAV123 + _INSIDE, partial(_WITHIN, absent_is_near=True)
    ),
}
