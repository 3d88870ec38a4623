"""Times taken in turns, so that what disturbs one of the things measured disturbs all."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

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
    """Time every measure once a round.

    Right before the timed call there is one that does not count. It leaves the caches and the
    threads as a program finds them that does nothing else: what ran before is another library,
    whose idle threads spin on the cores for a while.

    Args:
        measures: what to call, by name.
        rounds: how often.
        on_round: called after each, for a progress bar.
    """
    times = {name: Times([], []) for name in measures}
    for _ in range(rounds):
        for name, call in measures.items():
            call()
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            spent = 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)
            times[name].wall.append(spent[0])
            times[name].cpu.append(spent[1])
        if on_round is not None:
            on_round()
    return times


def median_ratio(times_ms: list[float], reference_ms: list[float]) -> float:
    """The median over rounds of a time over another of the same round."""
    return float(np.median(np.divide(times_ms, reference_ms)))
