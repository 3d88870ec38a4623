"""When a run stops before its last step: a signal or a time limit, never in mid-step."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Says whether to stop after the current step.

    Args:
        max_minutes: of wall time from now on; None is no limit.
    """

    def __init__(self, max_minutes: float | None) -> None:
        self._deadline = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        self._signalled = False

    @property
    def due(self) -> bool:
        """Whether a signal came or the time is up."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return self._signalled or late

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as requests to stop while the block runs."""
        previous = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
