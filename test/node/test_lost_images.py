"""Images lost on the way are counted from numbers, else from gaps of stamps."""

from __future__ import annotations

from collections.abc import Iterable

from litetrack_ros.node.lost_images import LossCounter

MS = 10**6


def _counter(sequences: Iterable[int | None], stamps_ms: Iterable[int]) -> LossCounter:
    counter = LossCounter()
    for sequence, stamp_ms in zip(sequences, stamps_ms, strict=True):
        counter.take(sequence, stamp_ms * MS)
    return counter


def test_gaps_of_the_numbers_are_losses() -> None:
    counter = _counter([4, 5, 8, 9, 10], [0, 33, 66, 99, 132])
    assert (counter.lost, counter.source) == (2, "publication sequence numbers")


def test_a_camera_that_starts_again_lost_nothing() -> None:
    assert _counter([400, 401, 1, 2], [0, 33, 5000, 5033]).lost == 0


def test_without_numbers_gaps_of_stamps_are_losses() -> None:
    stamps = [0, 33, 66, 100, 133, 166, 200, 300, 333, 333, 366]
    counter = _counter([None] * len(stamps), stamps)
    assert (counter.lost, counter.source) == (2, "stamp gaps")


def test_numbers_of_several_publishers_are_not_compared() -> None:
    counter = LossCounter()
    counter.has_one_publisher = False
    for index in range(20):
        counter.take(1 + index + 500 * (index % 2), index * 33 * MS)
    assert (counter.lost, counter.source) == (0, "stamp gaps")
