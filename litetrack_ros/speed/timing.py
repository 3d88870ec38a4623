"""Times taken in turns, so that what disturbs one of the things measured disturbs all."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

WARM_UP_ROUNDS = 2

Key = TypeVar("Key", bound=Hashable)


class Times(NamedTuple):
    """Of every round, in milliseconds.

    Attributes:
        wall: passed on the clock.
        cpu: of all processors together, by this process; other programs hardly change it.
    """

    wall: list[float]
    cpu: list[float]


def interleave(
    measures: Mapping[Key, Callable[[], object]],
    rounds: int,
    on_round: Callable[[], None] | None = None,
) -> dict[Key, Times]:
    """Call every measure once a round.

    Args:
        measures: what to call, by name.
        rounds: how often, after :data:`WARM_UP_ROUNDS` that do not count.
        on_round: called after each, for a progress bar.
    """
    times = {name: Times([], []) for name in measures}
    for index in range(-WARM_UP_ROUNDS, rounds):
        for name, call in measures.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            spent = 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)
            if index >= 0:
                times[name].wall.append(spent[0])
                times[name].cpu.append(spent[1])
        if on_round is not None:
            on_round()
    return times


def median_ratio(times_ms: list[float], reference_ms: list[float]) -> float:
    """The median over rounds of a time over another of the same round."""
    return float(np.median(np.divide(times_ms, reference_ms)))
