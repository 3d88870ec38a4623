"""What happens to targets, told once each: the kinds, one target's story, and lines for the log."""

import enum
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from litetrack_ros.node.sizes import Box
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State


class EventKind(enum.IntEnum):
    """The numbers are those of ``msg/TargetEvent``."""

    SELECTED = 0
    REFUSED = 1
    TRACKING = 2
    LOST = 3
    FOUND = 4
    REMOVED = 5
    GIVEN_UP = 6
    RESCALED = 7
    FAULT = 8


@dataclass(frozen=True)
class Event:
    """Something that happened to a target.

    Attributes:
        kind: what.
        target_id: to whom.
        reason: a sentence, or empty.
        header: of the image, a ``std_msgs/Header``; None where there was none.
        box_xywh: in that image, px.
    """

    kind: EventKind
    target_id: str
    reason: str = ""
    header: Any = None
    box_xywh: Box | None = None


class TargetStory:
    """The states of one target that is followed, image by image, as events.

    Attributes:
        class_id: what it is, empty where nobody said.
        lost_since_s: when it was lost, None while it is not.
        note: what the next event says, empty for the score.
    """

    def __init__(self, class_id: str = "") -> None:
        self.class_id = class_id
        self.note = ""
        self._was_found = False
        self.lost_since_s: float | None = None

    def step(self, state: State, now_s: float) -> EventKind | None:
        """What to tell of the state after an image, None where there is no news."""
        if state is State.TRACKING:
            is_news = not self._was_found or self.lost_since_s is not None
            kind = EventKind.FOUND if self._was_found else EventKind.TRACKING
            self._was_found, self.lost_since_s = True, None
            return kind if is_news else None
        if state is State.LOST and self.lost_since_s is None:
            self.lost_since_s = now_s
            return EventKind.LOST
        return EventKind.GIVEN_UP if state is State.IDLE else None


class TargetStories:
    """Whom the node follows: what goes out, and what is told, is of these targets only.

    Not thread-safe.

    Args:
        tell: takes the events.
    """

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._stories: dict[str, TargetStory] = {}

    @property
    def target_ids(self) -> tuple[str, ...]:
        """The targets followed, in the order of their first selection."""
        return tuple(self._stories)

    @property
    def classes(self) -> dict[str, str]:
        """The classes of the targets that have one, by id."""
        return {name: story.class_id for name, story in self._stories.items() if story.class_id}

    def begin(self, target_id: str, class_id: str = "") -> None:
        """Follow a target; one that is followed already begins anew."""
        self._stories[target_id] = TargetStory(class_id)

    def note(self, target_id: str, text: str) -> None:
        """Say why the next news of a target that is followed comes about."""
        self._stories[target_id].note = text

    def end(self, target_id: str, kind: EventKind, reason: str, header: Any = None) -> bool:
        """Follow a target no more and tell why; False if it was not followed."""
        if self._stories.pop(target_id, None) is None:
            return False
        self._tell(Event(kind, target_id, reason, header))
        return True

    def step(
        self, results: Iterable[TrackResult], header: Any, now_s: float, lost_timeout_s: float
    ) -> tuple[TrackResult, ...]:
        """Take the results of an image, tell what is new, and end the targets that are gone.

        Args:
            results: of all targets that the tracker holds.
            header: of the image.
            now_s: when it arrived, monotonic.
            lost_timeout_s: how long a target may be lost; 0 is for ever.

        Returns:
            The results of the targets still followed.
        """
        kept = []
        for result in results:
            story = self._stories.get(result.target_id)
            if story is None:
                continue
            kind = story.step(result.state, now_s)
            lost_s = 0.0 if story.lost_since_s is None else now_s - story.lost_since_s
            if kind is EventKind.GIVEN_UP:
                self.end(result.target_id, kind, "lost in too many images in a row", header)
            elif 0.0 < lost_timeout_s <= lost_s:
                reason = f"lost for {lost_s:.0f} s (lost_timeout_s)"
                self.end(result.target_id, EventKind.GIVEN_UP, reason, header)
            else:
                kept.append(result)
                if kind is not None:
                    x, y, width, height = (float(v) for v in result.box_xywh)
                    reason, story.note = story.note or f"score {result.score:.2f}", ""
                    box = (x, y, width, height)
                    self._tell(Event(kind, result.target_id, reason, header, box))
        return tuple(kept)


class LineLimiter:
    """Lets a few lines a second into the log, and says how many it left out. Thread-safe.

    Args:
        per_s: how many at most in any second.
        clock: monotonic seconds.
    """

    def __init__(self, per_s: int = 2, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._latest = [float("-inf")] * per_s
        self._left_out = 0
        self._lock = threading.Lock()

    def admit(self, line: str) -> str:
        """The line to log, or nothing where it is left out.

        Args:
            line: empty to ask for the count of those left out, if there is room for it now.
        """
        with self._lock:
            now = self._clock()
            if now - self._latest[0] < 1.0:
                self._left_out += bool(line)
                return ""
            left_out, self._left_out = self._left_out, 0
            if not line and not left_out:
                return ""
            self._latest = [*self._latest[1:], now]
        if not line:
            return f"{left_out} lines on targets left out: see ~/events"
        return line + (f" ({left_out} more left out before)" if left_out else "")
