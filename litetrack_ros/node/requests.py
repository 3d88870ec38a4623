"""What an operator asks for: a request has exactly one end, as an image has exactly one fate.

A request is opened once, waits, may be taken into work, and ends once: whoever ends it first is
the one who did. Knows nothing of ROS: whoever asked is told through a callback.
"""

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litetrack_ros.node.detections import DetectionQuery, DetectionSet
from litetrack_ros.node.frames import ReceivedFrame
from litetrack_ros.node.sizes import Box


class Outcome(enum.Enum):
    """How a request ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    REPLACED = "replaced"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Ending:
    """The end of a request.

    Attributes:
        outcome: which of the four.
        reason: a sentence, empty where accepted.
        header: of the image the target started on, where accepted; a ``std_msgs/Header``.
        stamp_ns: of that image.
        caught_up: later images through which it was followed before it was adopted.
        box_xywh: the box on that image, px.
    """

    outcome: Outcome
    reason: str = ""
    header: Any = None
    stamp_ns: int = 0
    caught_up: int = 0
    box_xywh: Box = (0.0, 0.0, 0.0, 0.0)


@dataclass(eq=False)
class InitRequest:
    """A box, a point or a detection to start a track from.

    Attributes:
        target_id: names the target.
        stamp_ns: of the image that the operator saw; 0 is the newest.
        box_xywh: pixels of that image; of a point the size is 0.
        arrival_s: when the request came, ``time.perf_counter``.
        newest: the newest frame held at that moment, None when there was none.
        is_point: the target is what lies under ``box_xywh``'s corner.
        class_id: what the target is, where the operator or the detector says so.
        query: the detection that is meant, None where it is none or has been found.
        detected_in: the detections that it was found among.
        meant: the frame held then that has the stamp, None where none had; it stays this one,
            however long the request waits for others.
        image_size: width and height of the images at that moment, None where unknown.
        on_end: told of the end, in the thread that brought it about.
        ending: how it ended, None while it is open.
    """

    target_id: str
    stamp_ns: int
    box_xywh: Box
    arrival_s: float
    newest: ReceivedFrame | None
    is_point: bool = False
    class_id: str = ""
    query: DetectionQuery | None = None
    detected_in: DetectionSet | None = None
    meant: ReceivedFrame | None = None
    image_size: tuple[int, int] | None = None
    on_end: Callable[["InitRequest"], None] | None = None
    ending: Ending | None = None


@dataclass(frozen=True)
class RequestCounts:
    """Requests by outcome; ``requested`` is their sum, those still open are counted apart."""

    requested: int = 0
    accepted: int = 0
    refused: int = 0
    replaced: int = 0
    dropped: int = 0
    open: int = 0


class RequestDesk:
    """All requests that are open, and the count of those that ended. Thread-safe.

    Args:
        on_end: told of every request that ended, before the request's own callback.
    """

    def __init__(self, on_end: Callable[[InitRequest], None] = lambda _: None) -> None:
        self.max_targets = 1
        self._on_end = on_end
        self._open: list[InitRequest] = []
        self._waiting: dict[str, InitRequest] = {}
        self._counts = dict.fromkeys(Outcome, 0)
        self._lock = threading.Lock()

    def put(self, request: InitRequest, refusal: str = "") -> None:
        """Take a request in place of an earlier one of its target that waits.

        With one target a request replaces whatever waits; with several, one of another target is
        refused where ``max_targets`` of them are waiting.

        Args:
            request: new.
            refusal: a sentence that refuses it at once.
        """
        replaced: list[InitRequest] = []
        with self._lock:
            self._open.append(request)
            if not refusal:
                if self.max_targets == 1:
                    replaced = list(self._waiting.values())
                    self._waiting.clear()
                elif request.target_id in self._waiting:
                    replaced = [self._waiting[request.target_id]]
                elif len(self._waiting) >= self.max_targets:
                    refusal = f"{self.max_targets} requests of other targets (max_targets) wait"
            if not refusal:
                self._waiting[request.target_id] = request
        for old in replaced:
            reason = f"a later request, for target '{request.target_id}', took its place"
            self.end(old, Ending(Outcome.REPLACED, reason))
        if refusal:
            self.refuse(request, refusal)

    def waiting(self) -> list[InitRequest]:
        """The requests that nobody took yet, in order of their targets' first request."""
        with self._lock:
            return list(self._waiting.values())

    def take(self, request: InitRequest) -> bool:
        """Take a request into work; False if it does not wait any more."""
        with self._lock:
            if self._waiting.get(request.target_id) is not request:
                return False
            del self._waiting[request.target_id]
            return True

    def end(self, request: InitRequest, ending: Ending) -> bool:
        """End a request; False if it has ended already, and then nothing is done."""
        with self._lock:
            if request.ending is not None:
                return False
            request.ending = ending
            self._counts[ending.outcome] += 1
            self._open.remove(request)
            if self._waiting.get(request.target_id) is request:
                del self._waiting[request.target_id]
        self._on_end(request)
        if request.on_end is not None:
            request.on_end(request)
        return True

    def refuse(self, request: InitRequest, reason: str) -> None:
        """End a request that comes to nothing."""
        self.end(request, Ending(Outcome.REFUSED, reason))

    def drop(self, reason: str, target_id: str | None = None) -> int:
        """End every open request, or those of one target, whether they wait or are in work.

        Returns:
            How many there were.
        """
        with self._lock:
            ended = [r for r in self._open if target_id is None or r.target_id == target_id]
        return sum(self.end(request, Ending(Outcome.DROPPED, reason)) for request in ended)

    @property
    def counts(self) -> RequestCounts:
        """The counts at this moment."""
        with self._lock:
            by_name = {outcome.value: count for outcome, count in self._counts.items()}
            still_open = len(self._open)
        return RequestCounts(sum(by_name.values()), open=still_open, **by_name)
