"""Frames lost in transport, replaced in the node and never answered are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from replay_rows import frame, rows_of

from litetrack_ros.replay.fates import KINDS, attribute_fates

NONE = dict.fromkeys(KINDS, 0)


def _counts(received: int, **fates: int) -> dict[str, int]:
    counts = {"replaced": 0, "caught_up": 0, "rejected": 0, "ignored": 0, **fates}
    return {"received": received, "processed": received - sum(counts.values()), **counts}


def _answered(index: int, received: int, **fates: int):
    return frame(index, 0.02, counts=_counts(received, **fates))


def test_all_answered(tmp_path: Path) -> None:
    rows = rows_of([_answered(i, i + 1) for i in range(4)], tmp_path)
    fates = attribute_fates(rows, _counts(4))
    assert fates.by_frame == ["answered"] * 4
    assert fates.totals == {"answered": 4, **NONE}


def test_a_frame_that_never_reached_the_node(tmp_path: Path) -> None:
    rows = rows_of([_answered(0, 1), frame(1, None), _answered(2, 2), _answered(3, 3)], tmp_path)
    fates = attribute_fates(rows, _counts(3))
    assert fates.by_frame == ["answered", "lost_in_transport", "answered", "answered"]
    assert fates.totals == {"answered": 3, **NONE, "lost_in_transport": 1}


def test_frames_replaced_while_another_was_in_work(tmp_path: Path) -> None:
    # Frame 0 took long: 1 and 2 came and were replaced by 3, which was waiting.
    busy = frame(0, 0.35, counts={**_counts(4, replaced=2), "processed": 1})
    rows = rows_of([busy, frame(1, None), frame(2, None), _answered(3, 4, replaced=2)], tmp_path)
    fates = attribute_fates(rows, _counts(4, replaced=2))
    assert fates.by_frame == ["answered", "replaced", "replaced", "answered"]
    assert fates.totals == {"answered": 2, **NONE, "replaced": 2}


def test_each_stretch_has_its_own_kind(tmp_path: Path) -> None:
    rows = rows_of(
        [
            _answered(0, 1),
            frame(1, None),  # lost
            _answered(2, 2),
            frame(3, None),  # replaced
            _answered(4, 4, replaced=1),
            frame(5, None),  # processed, but its boxes did not arrive
            _answered(6, 6, replaced=1),
            frame(7, None),  # rejected, the last one
        ],
        tmp_path,
    )
    fates = attribute_fates(rows, _counts(7, replaced=1, rejected=1))
    assert fates.by_frame[1::2] == ["lost_in_transport", "replaced", "never_answered", "rejected"]
    assert fates.totals == {
        "answered": 4,
        **NONE,
        "lost_in_transport": 1,
        "replaced": 1,
        "never_answered": 1,
        "rejected": 1,
    }


def test_two_kinds_in_one_stretch_are_counted_but_not_assigned(tmp_path: Path) -> None:
    frames = [_answered(0, 1), frame(1, None), frame(2, None), _answered(3, 3, replaced=1)]
    fates = attribute_fates(rows_of(frames, tmp_path), _counts(3, replaced=1))
    assert fates.by_frame == ["answered", "missed", "missed", "answered"]
    assert fates.totals == {"answered": 2, **NONE, "lost_in_transport": 1, "replaced": 1}


def test_a_node_that_died_leaves_frames_unanswered(tmp_path: Path) -> None:
    rows = rows_of([_answered(0, 1), _answered(1, 2), frame(2, None), frame(3, None)], tmp_path)
    fates = attribute_fates(rows, {})
    assert fates.by_frame == ["answered", "answered", "never_answered", "never_answered"]
    assert fates.totals == {"answered": 2, **NONE, "never_answered": 2}


@pytest.mark.parametrize("count", [0, 1])
def test_short_replays(tmp_path: Path, count: int) -> None:
    rows = rows_of([_answered(i, i + 1) for i in range(count)], tmp_path)
    assert attribute_fates(rows, _counts(count)).totals == {"answered": count, **NONE}
