"""Faults that may repeat a thousand times a second: logged now and then, shown in diagnostics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

LOG_PERIOD_S = 5.0
ACTIVE_S = 10.0


@dataclass
class Notice:
    """A kind of fault: its latest message and how often it came.

    Attributes:
        message: one sentence.
        count: times since the node was configured.
        last_s: when it came last, monotonic.
        last_log_s: when it was logged last.
        unlogged: times since then.
    """

    message: str
    count: int
    last_s: float
    last_log_s: float
    unlogged: int


class NoticeBoard:
    """Collects faults by kind. Thread-safe.

    Args:
        log: takes a line for the log.
        clock: monotonic seconds.
    """

    def __init__(
        self, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._clock = clock
        self._notices: dict[str, Notice] = {}
        self._lock = threading.Lock()

    def post(self, kind: str, message: str) -> None:
        """Note a fault; it reaches the log at once if its kind was quiet for a while."""
        now = self._clock()
        with self._lock:
            notice = self._notices.get(kind)
            if notice is None:
                notice = self._notices[kind] = Notice(message, 0, now, -LOG_PERIOD_S + now, 0)
            notice.message, notice.last_s = message, now
            notice.count += 1
            if now - notice.last_log_s < LOG_PERIOD_S:
                notice.unlogged += 1
                return
            more = f" ({notice.unlogged} more like it before)" if notice.unlogged else ""
            notice.last_log_s, notice.unlogged = now, 0
        self._log(f"{message}{more}")

    def active(self, *kinds: str) -> dict[str, Notice]:
        """The faults of the last seconds, of the kinds given or of all."""
        now = self._clock()
        with self._lock:
            return {
                kind: Notice(**vars(notice))
                for kind, notice in self._notices.items()
                if now - notice.last_s <= ACTIVE_S and (not kinds or kind in kinds)
            }

    def count(self, kind: str) -> int:
        """How often a kind came."""
        with self._lock:
            notice = self._notices.get(kind)
            return notice.count if notice else 0

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._notices.clear()
