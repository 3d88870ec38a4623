"""Watches over the tracking thread: calls that take too long, a GPU's end, and the thread's death.

A call that never returns cannot be ended, only its process can: that is left to a supervisor. So is
a GPU that has failed, which this process cannot use again. A
thread that died is started again once; what dies twice in a minute is taken down, and with
``autostart`` tried again after growing pauses. Knows nothing of ROS.
"""

import contextlib
import enum
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import (
    Backend,
    Crops,
    PassingBackend,
    Predictions,
    TemplateFeatures,
)
from litetrack_ros.crop import CropRegion
from litetrack_ros.errors import DeviceFaultError
from litetrack_ros.images import ColorOrder, Image, Uint8Image
from litetrack_ros.node.diagnostics import NoticeBoard
from litetrack_ros.node.events import Event, EventKind

DEATHS_APART_S = 60.0
PAUSES_S = (2.0, 4.0, 8.0, 16.0, 32.0)
SLOW_CALL, DEATH, DEVICE = "slow_call", "worker_died", "device_failed"  # kinds of notices
CONVERSION = "an image's conversion"
_MODEL_CALL = "a model call"


class CallTime(NamedTuple):
    """How long a call took, or has taken so far, and what it is."""

    seconds: float
    what: str


_NO_CALL = CallTime(0.0, "")


class CallWatch:
    """How long calls take, those at work included. Thread-safe.

    Args:
        clock: monotonic seconds.

    Attributes:
        device_fault: what a call said of a device that has failed, if one has.
        moves: where the calls' work went on after that, to be taken from here.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.device_fault = ""
        self.moves: deque[str] = deque()
        self._clock = clock
        self._began: dict[int, tuple[float, str]] = {}  # by thread
        self._longest = _NO_CALL
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def call(self, what: str) -> Iterator[None]:
        """Time a block as one call, not inside another one of the same thread."""
        thread, began_s = threading.get_ident(), self._clock()
        with self._lock:
            self._began[thread] = (began_s, what)
        try:
            yield
        except DeviceFaultError as error:
            self.device_fault = str(error)
            raise
        finally:
            with self._lock:
                del self._began[thread]
                self._longest = max(self._longest, CallTime(self._clock() - began_s, what))

    def at_work(self) -> CallTime:
        """The oldest call at work."""
        with self._lock:
            now_s = self._clock()
            calls = (CallTime(now_s - began_s, what) for began_s, what in self._began.values())
            return max(calls, default=_NO_CALL)

    def take_longest(self) -> CallTime:
        """The longest of the calls at work and of those that ended since this was asked last."""
        at_work = self.at_work()
        with self._lock:
            longest, self._longest = self._longest, _NO_CALL
        return max(longest, at_work)


class WatchedBackend(PassingBackend):
    """A backend whose calls are timed, and what comes of its device.

    Args:
        backend: does the work.
        calls: takes the times.
    """

    def __init__(self, backend: Backend, calls: CallWatch) -> None:
        super().__init__(backend)
        self._calls = calls

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        with self._calls.call(_MODEL_CALL):
            yield
        if self._backend.info is not self.info:
            before, self.info = self.info, self._backend.info
            text = f"{before.provider} has failed: the model runs on {self.info.provider} now"
            self._calls.moves.append(text)

    def encode_template(
        self, crops: Uint8Image, boxes_xyxy_norm: npt.NDArray[np.float32]
    ) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        with self._watched():
            return super().encode_template(crops, boxes_xyxy_norm)

    def with_recent(self, first: TemplateFeatures, recent: TemplateFeatures) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        with self._watched():
            return super().with_recent(first, recent)

    def stack(self, templates: Sequence[TemplateFeatures]) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        with self._watched():
            return super().stack(templates)

    def cut(self, image: Image, regions: Sequence[CropRegion], color_order: ColorOrder) -> Crops:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        with self._watched():
            return super().cut(image, regions, color_order)

    def search(self, crops: Crops, templates: TemplateFeatures) -> Predictions:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        with self._watched():
            return super().search(crops, templates)


class Verdict(enum.Enum):
    """What the node is to do after a look."""

    NOTHING = "nothing"
    RESTART = "start another tracking thread, without targets"
    GIVE_UP = "go back to unconfigured"
    START = "configure and activate again"
    STUCK = "end the process"


@dataclass(frozen=True)
class Limits:
    """How long a call may take.

    Attributes:
        slow_s: beyond it is an ERROR and an event.
        stuck_s: beyond it the process is to end; 0 is never.
    """

    slow_s: float
    stuck_s: float


class Watchdog:
    """Looks after the tracking thread, now and then, in the executor's thread.

    Args:
        board: takes what is wrong.
        tell: takes it as an event.
        clock: monotonic seconds.

    Attributes:
        calls: time the thread's calls with it.
    """

    def __init__(
        self,
        board: NoticeBoard,
        tell: Callable[[Event], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._tell = tell
        self._clock = clock
        self.calls = CallWatch(clock)
        self._is_slow = False
        self._last_death_s = float("-inf")
        self._attempts = 0
        self._start_at_s: float | None = None

    def look(self, is_alive: bool | None, limits: Limits) -> Verdict:
        """See what is to be done.

        Args:
            is_alive: whether the tracking thread lives; None where there is none.
            limits: of the calls.
        """
        now_s = self._clock()
        if is_alive is None:
            if self._start_at_s is None or now_s < self._start_at_s:
                return Verdict.NOTHING
            self._start_at_s = None
            return Verdict.START
        self._start_at_s = None  # somebody started it
        if not is_alive:
            return self._take_death(now_s)
        if self._attempts and now_s - self._last_death_s > DEATHS_APART_S + sum(PAUSES_S):
            self._attempts = 0
        return self._look_at_calls(limits)

    def plan_start(self) -> str:
        """Have the node started again after a pause; says when, or that it was tried enough."""
        if self._attempts == len(PAUSES_S):
            self._attempts = 0
            return f"given up after {len(PAUSES_S)} more attempts; configure the node to try again"
        pause_s = PAUSES_S[self._attempts]
        self._attempts += 1
        self._start_at_s = self._clock() + pause_s
        return (
            f"attempt {self._attempts} of {len(PAUSES_S)} to start again follows in {pause_s:g} s"
        )

    def _take_death(self, now_s: float) -> Verdict:
        is_second = now_s - self._last_death_s <= DEATHS_APART_S
        self._last_death_s = now_s
        if is_second:
            self._report(DEATH, f"the tracking thread died twice within {DEATHS_APART_S:g} s")
            return Verdict.GIVE_UP
        self._report(DEATH, "the tracking thread died: started again, without targets")
        return Verdict.RESTART

    def _look_at_calls(self, limits: Limits) -> Verdict:
        while self.calls.moves:
            self._report(DEVICE, self.calls.moves.popleft())
        if self.calls.device_fault:
            self._report(DEVICE, f"{self.calls.device_fault}: the process ends with status 3")
            return Verdict.STUCK
        at_work_s, what = self.calls.at_work()
        if 0.0 < limits.stuck_s <= at_work_s:
            text = f"{what} has not returned for {at_work_s:.0f} s (stuck_call_s)"
            self._report(SLOW_CALL, f"{text}: the process ends with status 3")
            return Verdict.STUCK
        longest_s, what = self.calls.take_longest()
        was_slow, self._is_slow = self._is_slow, longest_s > limits.slow_s
        if not self._is_slow:
            self._board.end(SLOW_CALL)
            return Verdict.NOTHING
        text = f"{what} takes longer than model_call_max_s = {limits.slow_s:g} s"
        if was_slow:
            self._board.post(SLOW_CALL, text)
        else:
            self._report(SLOW_CALL, text)
        return Verdict.NOTHING

    def _report(self, kind: str, text: str) -> None:
        self._board.post(kind, text)
        self._tell(Event(EventKind.FAULT, "", text))
