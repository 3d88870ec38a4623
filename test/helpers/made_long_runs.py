"""Small made runs for the long-term measures: every case that trips one, told in a few letters."""

import numpy as np

from litetrack_ros.evaluation.long_term import LongTermRun

SIDE = 100.0


def box(overlap: float) -> list[float]:
    """A box that overlaps the target by so much: the target's own, cut off at the right."""
    return [10.0, 20.0, SIDE * overlap, SIDE]


def made_run(
    frames: str,
    scores: list[float] | None = None,
    stateless: str | None = None,
    name: str = "made",
) -> LongTermRun:
    """A run of which every frame is two letters, parted by blanks.

    Args:
        frames: the first letter is ``T`` (TRACKING) or ``L`` (LOST); the second a digit, the
            overlap of the published box in tenths, ``x`` for 1, ``-`` for an absent target.
        scores: of each frame; None gives none.
        stateless: a letter a frame as the second above, of a run without states.
        name: the sequence's.
    """
    words = frames.split()
    absent = np.array([word[1] == "-" for word in words])
    truth = np.array([box(1.0)] * len(words))
    truth[absent] = np.nan
    boxes = np.array([box(tenths(word[1])) for word in words])
    known = np.full(len(words), np.nan) if scores is None else np.array(scores)
    free = None if stateless is None else np.array([box(tenths(c)) for c in stateless])
    tracking = np.array([word[0] == "T" for word in words])
    return LongTermRun(name, truth, boxes, tracking, known, boxes, known, free)


def tenths(letter: str) -> float:
    """``5`` is 0.5, ``x`` is 1; an absent target's box lies somewhere."""
    return {"x": 1.0, "-": 0.4}.get(letter) or int(letter) / 10 if letter != "0" else 1e-3
