"""Rates and percentiles over a sliding window of time. Thread-safe, bounded."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_MAX_SAMPLES = 4096


class Percentiles(NamedTuple):
    """Of the samples in a window, in the samples' unit; NaN where there are none."""

    p50: float
    p95: float
    p99: float
    samples: int


class SlidingWindow:
    """The samples of the last seconds.

    Args:
        length_s: age at which a sample is forgotten.
        clock: monotonic seconds.
    """

    def __init__(self, length_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.length_s = length_s
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque(maxlen=_MAX_SAMPLES)
        self._lock = threading.Lock()

    def add(self, value: float = 0.0) -> None:
        """Take a sample now."""
        with self._lock:
            self._samples.append((self._clock(), value))

    def values(self) -> list[float]:
        """The samples still in the window, oldest first."""
        with self._lock:
            self._forget()
            return [value for _, value in self._samples]

    def percentiles(self) -> Percentiles:
        """Of the samples in the window."""
        values = self.values()
        if not values:
            return Percentiles(np.nan, np.nan, np.nan, 0)
        p50, p95, p99 = (float(v) for v in np.percentile(values, [50, 95, 99]))
        return Percentiles(p50, p95, p99, len(values))

    def rate_hz(self) -> float:
        """Samples per second, from the first sample in the window to the last; 0 with fewer than 2.

        A stream that has stopped counts up to now, so that its rate falls.
        """
        with self._lock:
            self._forget()
            if len(self._samples) < 2:
                return 0.0
            first, last = self._samples[0][0], self._samples[-1][0]
            intervals = len(self._samples) - 1
            mean_s = (last - first) / intervals
            silent_s = self._clock() - last
        span_s = last - first + max(0.0, silent_s - 2 * mean_s)
        return intervals / span_s if span_s > 0 else 0.0

    def clear(self) -> None:
        """Forget all samples."""
        with self._lock:
            self._samples.clear()

    def _forget(self) -> None:
        oldest = self._clock() - self.length_s
        while self._samples and self._samples[0][0] < oldest:
            self._samples.popleft()
