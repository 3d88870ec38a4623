"""Every figure computed again, a frame at a time, from the definitions alone."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from litetrack_ros.evaluation.conventions import ScoredSequence, score

WIDTH, HEIGHT = 320, 240
Box = list[float]


def made_sequences() -> list[ScoredSequence]:
    """Boxes inside, over every border, outside, at 0, without a size, and absent targets."""
    sequences = []
    for k in range(8):
        rng = np.random.default_rng(k)
        count = 20 + 9 * k
        size = rng.uniform(8, 90, 2) * np.exp(0.1 * rng.standard_normal((count, 2)))
        corner = np.array([120.0, 90.0]) + rng.uniform(-160, 200, (count, 2))
        truth = np.concatenate([corner, size], axis=1)
        boxes = truth + rng.standard_normal((count, 4)) * rng.choice([0.5, 4, 30], (count, 1))
        boxes[:, 2:] = np.maximum(boxes[:, 2:], 1.0)
        truth[2, :2], boxes[2, :2] = 0.0, 0.0
        truth[3, 0], truth[4, 1] = 0.0, -3.0
        truth[5], truth[6, 2:] = 0.0, 0.0
        boxes[7, :2] = 1000.0
        boxes[8, 2:] = 0.0
        boxes[10] = truth[10]
        truth[0, :2] = np.maximum(truth[0, :2], 1.0)
        visible = rng.random(count) > 0.2
        visible[0] = True
        # Quarters of a pixel have exact sums: a box on itself has an overlap of exactly 1.
        boxes, truth = (np.round(4 * rows) / 4 for rows in (boxes, truth))
        sequences.append(ScoredSequence(f"s{k}", boxes, truth, visible, (WIDTH, HEIGHT)))
    return sequences


def overlap_of(a: Box, b: Box) -> float:
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(wide, 0.0) * max(high, 0.0)
    union = a[2] * a[3] + b[2] * b[3] - common
    return common / union if union > 0 else 0.0


def distance_of(a: Box, b: Box, relative: bool) -> float:
    x = a[0] + a[2] / 2 - b[0] - b[2] / 2
    y = a[1] + a[3] / 2 - b[1] - b[3] / 2
    return math.hypot(x / b[2], y / b[3]) if relative else math.hypot(x, y)


def whole_run(sequence: ScoredSequence, absent: Callable[[Box], bool]) -> dict[str, float]:
    """The measures that count every frame, the first one as right; absent frames as missed."""
    overlaps, errors, relatives = [], [], []
    boxes, truth = sequence.boxes_xywh.tolist(), sequence.truth_xywh.tolist()
    boxes[0] = truth[0]
    for t in range(1, len(boxes)):
        if 0.0 in boxes[t][2:]:
            boxes[t] = boxes[t - 1]
    for box, true in zip(boxes, truth, strict=True):
        if absent(true):
            overlaps.append(-1.0)
            errors.append(math.inf)
            relatives.append(-1.0)
        else:
            overlaps.append(overlap_of(box, true))
            errors.append(distance_of(box, true, relative=False))
            relatives.append(distance_of(box, true, relative=True))
    steps = [sum(o > 0.05 * k for o in overlaps) / len(overlaps) for k in range(21)]
    return {
        "AUC": sum(steps) / 21,
        "P": sum(e <= 20 for e in errors) / len(errors),
        "P_norm": sum(r <= 0.2 for r in relatives) / len(relatives),
    }


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}


ABSENT: dict[str, Callable[[Box], bool]] = {
    "authors": lambda box: box[2] <= 0 or box[3] <= 0,
    "pytracking": lambda box: min(box) <= 0,
}


@pytest.mark.parametrize("convention", list(ABSENT))
def test_auc_and_precision(convention: str) -> None:
    sequences = made_sequences()
    wanted = mean_of([whole_run(s, ABSENT[convention]) for s in sequences])
    found = score(convention, sequences).overall
    assert {key: found[key] for key in wanted} == pytest.approx(wanted, abs=1e-6)


def test_the_two_conventions_at_the_border_differ() -> None:
    sequences = made_sequences()
    found = {name: score(name, sequences).overall["AUC"] for name in ABSENT}
    assert found["authors"] > found["pytracking"] + 0.01


def test_plain() -> None:
    rows = []
    for sequence in made_sequences():
        assert sequence.visible is not None
        frames = zip(sequence.boxes_xywh.tolist(), sequence.truth_xywh.tolist(), strict=True)
        scored = [
            (box, true)
            for (box, true), seen in list(zip(frames, sequence.visible, strict=True))[1:]
            if seen
        ]
        overlaps = [overlap_of(box, true) for box, true in scored]
        near = [distance_of(box, true, False) <= 20 for box, true in scored]
        known = [(b, t) for b, t in scored if 0.0 not in t[2:]]
        rows.append(
            {
                "AO": sum(overlaps) / len(scored),
                "SR50": sum(o > 0.5 for o in overlaps) / len(scored),
                "P": sum(near) / len(scored),
                "P_norm": sum(distance_of(b, t, True) <= 0.2 for b, t in known) / len(scored),
            }
        )
    wanted, found = mean_of(rows), score("plain", made_sequences()).overall
    assert {key: found[key] for key in wanted} == pytest.approx(wanted, abs=1e-6)


def test_got10k_pools_the_frames_and_clips_the_boxes() -> None:
    def clipped(box: Box) -> Box:
        x, y = min(max(box[0], 0.0), WIDTH), min(max(box[1], 0.0), HEIGHT)
        return [x, y, min(max(box[2], 0), WIDTH - x), min(max(box[3], 0), HEIGHT - y)]

    total, count = 0.0, 0
    for sequence in made_sequences():
        assert sequence.visible is not None
        for t in range(1, len(sequence.boxes_xywh)):
            if sequence.visible[t]:
                boxes = (sequence.boxes_xywh[t].tolist(), sequence.truth_xywh[t].tolist())
                total, count = total + overlap_of(*map(clipped, boxes)), count + 1
    assert score("got10k", made_sequences()).overall["AO"] == pytest.approx(total / count, abs=1e-6)
