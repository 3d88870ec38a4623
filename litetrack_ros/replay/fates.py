"""What became of every published image, from the answers and the node's own counts.

The node counts images by fate, and sends the counts with every answer. Where no image is waiting
or in work, every image published so far has its final fate: between two such moments the counts
tell how many images never reached the node, how many a newer one replaced there, and so on. Which
image had which fate is certain where all unanswered ones between two moments had the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from litetrack_ros.replay.records import COUNTS
from litetrack_ros.replay.rows import Rows

ANSWERED = "answered"
LOST_IN_TRANSPORT = "lost_in_transport"
NEVER_ANSWERED = "never_answered"
IN_NODE = ("replaced", "caught_up", "rejected", "ignored")
KINDS = (LOST_IN_TRANSPORT, *IN_NODE, NEVER_ANSWERED)
MISSED = "missed"  # one of several kinds: the counts do not tell which

_SETTLED = ("processed", *IN_NODE)


@dataclass(frozen=True)
class Fates:
    """Fates of N images.

    Attributes:
        totals: number of images of each of :data:`KINDS`, and of :data:`ANSWERED`.
        by_frame: :data:`ANSWERED`, one of :data:`KINDS`, or :data:`MISSED`.
    """

    totals: dict[str, int]
    by_frame: list[str]


def attribute_fates(
    rows: Rows, final_counts: Mapping[str, int], first_counts: Mapping[str, int] | None = None
) -> Fates:
    """Tell the fates apart.

    Args:
        rows: the published frames.
        final_counts: the node's counts when nothing was in work any more; empty where it died.
        first_counts: its counts before the first frame; zeros by default.
    """
    answered = rows.is_answered
    by_frame = np.where(answered, ANSWERED, NEVER_ANSWERED).astype(object)
    totals = dict.fromkeys(KINDS, 0)
    begin, before = 0, dict(first_counts or dict.fromkeys(COUNTS, 0))
    for end, counts in _moments(rows, final_counts):
        unanswered = np.flatnonzero(~answered[begin:end]) + begin
        found = _kinds(end - begin, len(unanswered), before, counts)
        for kind, number in found.items():
            totals[kind] += number
            if number and number == len(unanswered):
                by_frame[unanswered] = kind
                break
        else:
            by_frame[unanswered] = MISSED
        begin, before = end, dict(counts)
    totals[NEVER_ANSWERED] += int((~answered[begin:]).sum())
    return Fates({ANSWERED: int(answered.sum()), **totals}, list(by_frame))


def _moments(rows: Rows, final_counts: Mapping[str, int]) -> list[tuple[int, Mapping[str, int]]]:
    """Moments without an image in work: number of frames published before, and the counts."""
    settled = np.sum([rows.counts[name] for name in _SETTLED], axis=0)
    quiet: npt.NDArray[np.bool_] = (rows.counts["received"] >= 0) & (
        rows.counts["received"] == settled
    )
    moments: list[tuple[int, Mapping[str, int]]] = [
        (int(at) + 1, {name: int(rows.counts[name][at]) for name in COUNTS})
        for at in np.flatnonzero(quiet)
    ]
    if final_counts:
        moments = [moment for moment in moments if moment[0] < len(rows)]
        moments.append((len(rows), final_counts))
    return moments


def _kinds(
    published: int, unanswered: int, before: Mapping[str, int], after: Mapping[str, int]
) -> dict[str, int]:
    """Number of each kind between two moments."""
    growth = {name: after[name] - before[name] for name in COUNTS}
    lost = published - growth["received"]
    in_node = {name: growth[name] for name in IN_NODE}
    return {
        LOST_IN_TRANSPORT: lost,
        **in_node,
        NEVER_ANSWERED: unanswered - lost - sum(in_node.values()),
    }
