"""Searches the highest rate that a node keeps up with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from litetrack_ros.replay.records import PlayedMessage

MAX_MISSED = 0.01  # share of frames
LOAD_LEVELS = (50, 80, 95)  # percent of the peak rate
RUNS = 5
_FIRST_RATE_HZ = 20.0
_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 0.25, 5000.0
_PRECISION = 1.04  # ratio of the rates between which the peak lies in the end


def search_peak_rate(
    missed_at: Callable[[float], float], first_rate_hz: float = _FIRST_RATE_HZ
) -> float:
    """The highest rate at which at most :data:`MAX_MISSED` is missed: doubled, then bisected.

    Args:
        missed_at: plays at a rate in Hz and returns the share of frames missed.
        first_rate_hz: where to begin.

    Returns:
        Hz; 0 if even the lowest rate is too much.
    """
    low, high = 0.0, 0.0
    rate = first_rate_hz
    while not (low and high):
        if missed_at(rate) <= MAX_MISSED:
            low, rate = rate, 2 * rate
            if low >= _HIGHEST_RATE_HZ:
                return low
        else:
            high, rate = rate, rate / 2
            if high <= _LOWEST_RATE_HZ:
                return 0.0
    while high / low > _PRECISION:
        middle = (low * high) ** 0.5
        if missed_at(middle) <= MAX_MISSED:
            low = middle
        else:
            high = middle
    return low


def mean_without_extremes(values: Sequence[float]) -> float:
    """The mean without the least and the greatest value; of one or two values, of all."""
    kept = sorted(values)[1:-1] if len(values) > 2 else list(values)
    return sum(kept) / len(kept)


def at_rate(
    loaded: Sequence[PlayedMessage], rate_hz: float, duration_s: float, least: int
) -> Iterator[PlayedMessage]:
    """Messages over and over at a constant rate.

    Args:
        loaded: one pass.
        rate_hz: how many a second.
        duration_s: for how long.
        least: how many to play at least.
    """
    count = max(least, round(rate_hz * duration_s))
    for index, message in enumerate(itertools.islice(itertools.cycle(loaded), count)):
        # Counted on, so that the target is selected once: selecting makes the player wait.
        yield PlayedMessage(index, index, message.recorded_ns, index / rate_hz, message.data)
