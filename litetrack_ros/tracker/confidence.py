"""How sure a tracker may be: probabilities read from the whole score map, by a fitted calibration.

The raw score at the peak says as much about where the target lies in the grid as about whether it
is the target: a centre on a cell's corner spreads one peak over four cells. Sums over neighbouring
cells do not depend on that, their share of the map's total tells a single peak from many, and what
the candidate would mean for the target, its motion and change of size, tells jumps from tracking.
"""

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Predictions
from litetrack_ros.config import Logistic
from litetrack_ros.geometry import FloatArray, xywh_to_cxcywh

_REACH = 2  # cells beside the peak that belong to it; what lies further away is another peak
_FLOOR = 1e-4  # of scores and probabilities before a logarithm
_STILL = 0.02  # of the target's size, so that no motion has a logarithm
_LARGEST_LOGIT = 30.0


def candidate_features(
    predictions: Predictions, candidates_xywh: FloatArray, previous_xywh: FloatArray
) -> FloatArray:
    """What the answer for N targets says of each candidate, in the order of the weights.

    Logarithms of the peak (as odds), of the largest sum of 2x2 and of 3x3 cells with the peak and
    of the whole map's sum; the shares of both sums in the whole; the highest score beyond two cells
    over the peak, and beyond one cell over the sum of 3x3; how far the centre is from its cell's
    centre; change of size, motion, size in the crop and change of shape.

    Args:
        predictions: finite, of N targets.
        candidates_xywh: their boxes in the image, px, ``(N, 4)``.
        previous_xywh: the boxes around which was searched, px, ``(N, 4)``.

    Returns:
        ``(N, 13)``.
    """
    maps = predictions.score_maps.astype(np.float64)
    count, grid = maps.shape[:2]
    flat = maps.reshape(count, -1)
    peak = predictions.scores.astype(np.float64)
    rows, columns = np.divmod(np.abs(flat - peak[:, None]).argmin(axis=1), grid)
    padded = np.zeros((count, grid + 2 * _REACH, grid + 2 * _REACH))
    padded[:, _REACH:-_REACH, _REACH:-_REACH] = maps
    steps = np.arange(2 * _REACH + 1)
    block = np.arange(count)[:, None, None], rows[:, None, None] + steps[:, None]
    near = (*block, columns[:, None, None] + steps)
    around = padded[near]  # (N, 5, 5), the peak in the middle
    padded[near] = 0.0
    far = padded.reshape(count, -1).max(axis=1)
    pairs = around[:, 1:3, 1:4] + around[:, 2:4, 1:4]
    quad = (pairs[:, :, :2] + pairs[:, :, 1:]).reshape(count, -1).max(axis=1)
    nine = around[:, 1:4, 1:4].sum(axis=(1, 2))
    around[:, 1:4, 1:4] = 0.0
    ring = around.reshape(count, -1).max(axis=1)
    total = flat.sum(axis=1)
    box = predictions.boxes_cxcywh_norm.astype(np.float64)
    from_cell = np.abs(box[:, :2] * grid - np.stack([columns, rows], axis=1) - 0.5).max(axis=1)
    new, old = xywh_to_cxcywh(candidates_xywh), xywh_to_cxcywh(previous_xywh)
    old_size = np.sqrt(old[:, 2] * old[:, 3])
    grown = new[:, 2:] / old[:, 2:]
    motion = np.hypot(*(new[:, :2] - old[:, :2]).T) / old_size
    return np.stack(
        [
            _log_odds(peak),
            _log(quad),
            _log(nine),
            nine / np.maximum(total, _FLOOR),
            far / np.maximum(peak, _FLOOR),
            _log(total),
            from_cell,
            np.abs(np.log(grown).sum(axis=1)) / 2,
            np.log(_STILL + motion),
            _log(box[:, 2] * box[:, 3]) / 2,
            np.abs(np.log(grown[:, 0] / grown[:, 1])),
            np.maximum(far, ring) / np.maximum(nine, _FLOOR),
            quad / np.maximum(total, _FLOOR),
        ],
        axis=1,
    )


def held_features(
    candidate_scores: FloatArray, overlaps: FloatArray, ages: FloatArray
) -> FloatArray:
    """What is known of a box that is held while its target is LOST.

    Args:
        candidate_scores: the candidates' probabilities, ``(N,)``.
        overlaps: of candidate and held box, ``(N,)``.
        ages: frames since the held box was trusted, ``(N,)``.

    Returns:
        ``(N, 4)``: the candidate's log odds, the overlap, the probability times the overlap, and
        the logarithm of the age.
    """
    return np.stack(
        [_log_odds(candidate_scores), overlaps, candidate_scores * overlaps, np.log1p(ages)], axis=1
    )


def probability(logistic: Logistic, features: FloatArray) -> FloatArray:
    """Probabilities ``(N,)`` of features ``(N, F)``."""
    logits = features @ np.asarray(logistic.weights) + logistic.bias
    return np.asarray(1 / (1 + np.exp(-logits.clip(-_LARGEST_LOGIT, _LARGEST_LOGIT))))


def _log(values: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(values, _FLOOR)))


def _log_odds(p: npt.NDArray[np.float64]) -> FloatArray:
    p = p.clip(_FLOOR, 1 - _FLOOR)
    return np.asarray(np.log(p / (1 - p)))
