"""Result files with everything that trips a measure, the same on every machine."""

from __future__ import annotations

import numpy as np


def made_results() -> list[dict[str, np.ndarray]]:
    """Sequences: ground truth, result and visibility; rounded, so that text keeps every bit."""
    sequences = []
    for k in range(6):
        rng = np.random.RandomState(k)
        count = 1 if k == 5 else 30 + 17 * k
        size = rng.uniform(10, 120, 2) * np.exp(0.05 * rng.standard_normal((count, 2)))
        path = [160, 120] + 12 * rng.standard_normal((count, 2)).cumsum(axis=0)
        truth = np.concatenate([path - size / 2, size], axis=1)
        noise = 0.05 + 0.3 * (rng.random_sample((count, 1)) < 0.3)
        result = truth + noise * size.mean() * rng.standard_normal((count, 4))
        result[:, 2:] = np.maximum(result[:, 2:], 0.5)
        result[0] = truth[0]
        visible = rng.random_sample(count) > 0.15
        visible[0] = True
        if count > 1:
            truth[7] = 0.0  # absent, as LaSOT and TrackingNet write it
            truth[12, 2:] = 0.0
            result[9, 2:] = 0.0  # an empty result repeats the one before
            result[[3, 4], 2] = 0.0
            result[20] += [500, 400, 0, 0]  # outside the image
            if k == 2:
                result[5] = truth[5]
        truth[0, :2] = np.maximum(truth[0, :2], 1.0)
        result[0] = truth[0]
        sequences.append({"truth": truth.round(3), "result": result.round(3), "visible": visible})
    return sequences
