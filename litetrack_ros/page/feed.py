"""What the page has to show, whoever it comes from: a node over topics, or a video tracked here.

A source puts pictures, boxes, times and words in, from any thread; the server takes out what is
newest. A picture is shown with the boxes of its own stamp or with none.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol

STALE_S = 1.0  # a picture older than this must not look live
SILENT_S = 3.0  # a node says how it is every second
BIN_S = 0.5
BINS = 120  # of the last minute
STAGES = ("transport", "queue_wait", "conversion", "crop", "model", "decode", "publish")
DROPPED = ("replaced", "caught_up", "rejected")
_HELD_BOXES = 60  # arrays that wait for their pictures
_HELD_STAMPS = 300  # of pictures that went out: a selection must be of one of them
_HELD_EVENTS = 30
_PATIENCE_S = 0.15  # a picture is shown without boxes when they are later than this


class Box(NamedTuple):
    """A target in one image: its name, state by name, ``x y w h`` in px of the image, score."""

    target_id: str
    state: str
    box_xywh: tuple[float, float, float, float]
    score: float


class Picture(NamedTuple):
    """A picture.

    Attributes:
        stamp_ns: of its image.
        jpeg: the file, perhaps smaller than the image.
        width, height: of the image, px: boxes count in them.
    """

    stamp_ns: int
    jpeg: bytes
    width: int
    height: int


class Shown(NamedTuple):
    """A picture to show: its number from 1 on, and its boxes, None where none came."""

    number: int
    picture: Picture
    boxes: tuple[Box, ...] | None


class Command(NamedTuple):
    """What an operator asks for.

    Attributes:
        kind: ``box``, ``point``, ``remove``, ``reset`` or ``enable``.
        target_id: the target's name; empty for reset and enable.
        stamp_ns: of the picture that was shown, for box and point.
        numbers: ``x y w h`` of a box, ``x y`` of a point, px of the image.
        on: for enable.
    """

    kind: str
    target_id: str = ""
    stamp_ns: int = 0
    numbers: tuple[float, ...] = ()
    on: bool = False


class Answer(NamedTuple):
    """What came of a command, with a sentence."""

    ok: bool
    text: str


class Tracker(Protocol):
    """Whom the page shows and asks."""

    def abilities(self) -> tuple[str, ...]:
        """The kinds of commands it takes now."""

    def watch(self, is_watched: bool) -> None:
        """Somebody looks, or nobody does any more: then no pictures are wanted."""

    def ask(self, command: Command) -> Future[Answer]:
        """Carry out a command; the future is always answered or times out at the asker's."""


class Feed:
    """The newest of everything. Thread-safe.

    Args:
        name: of what is shown, for the page's title.
        now_ns: the clock of the stamps.
        has_diagnostics: whether the source reports every second, so that silence is a fault.
    """

    def __init__(
        self,
        name: str,
        now_ns: Callable[[], int] = time.time_ns,
        has_diagnostics: bool = True,
    ) -> None:
        self.name = name
        self.now_ns = now_ns
        self._has_diagnostics = has_diagnostics
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._boxes: OrderedDict[int, tuple[Box, ...]] = OrderedDict()
        self._waiting: Picture | None = None
        self._shown: Shown | None = None
        self._stamps: deque[int] = deque(maxlen=_HELD_STAMPS)
        self._picture_s = -1.0
        self._states: dict[str, str] = {}
        self._targets: tuple[Box, ...] = ()
        self._statuses: dict[str, tuple[int, str]] = {}
        self._is_enabled = True
        self._heard_s = time.monotonic()
        self._notices: dict[str, dict[str, Any]] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=_HELD_EVENTS)
        self.has_own_events = False
        self._minute = Minute()
        self._last_choice: dict[str, Any] | None = None

    def listen(self, listener: Callable[[], None]) -> None:
        """Call a function whenever there is another picture, from the source's thread."""
        self._listeners.append(listener)

    # What the source puts in

    def add_picture(self, picture: Picture) -> None:
        """A picture came; it goes out with its boxes, or alone when they do not come."""
        with self._lock:
            late, self._waiting = self._waiting, None
            if picture.stamp_ns in self._boxes:
                self._show(picture, self._boxes[picture.stamp_ns])
            elif late is not None or not self._boxes:
                self._show(picture, None)  # the last one waited in vain: so would this one
            else:
                self._waiting = picture
                threading.Timer(_PATIENCE_S, self._give_up, (picture,)).start()
                return
        self._tell()

    def add_boxes(self, stamp_ns: int, boxes: Sequence[Box]) -> None:
        """The boxes of an image came, often before its picture."""
        with self._lock:
            self._boxes[stamp_ns] = self._targets = tuple(boxes)
            while len(self._boxes) > _HELD_BOXES:
                self._boxes.popitem(last=False)
            self._note_states(boxes)
            waiting = self._waiting
            if waiting is None or waiting.stamp_ns != stamp_ns:
                return
            self._waiting = None
            self._show(waiting, self._boxes[stamp_ns])
        self._tell()

    def add_timing(self, stages_ms: Mapping[str, float], counts: Mapping[str, int]) -> None:
        """Where the time of an image went, and how many images were dropped up to it."""
        with self._lock:
            self._minute.add(stages_ms, sum(counts.get(name, 0) for name in DROPPED))

    def add_diagnostics(
        self, statuses: Mapping[str, tuple[int, str]], is_enabled: bool = True
    ) -> None:
        """What the node says of itself: a level (0 is well) and a sentence for each task."""
        with self._lock:
            self._is_enabled = is_enabled
            if time.monotonic() - self._heard_s > SILENT_S:
                self._statuses.clear()
            self._heard_s = time.monotonic()
            refused = statuses.get("targets", (0, ""))
            known = self._statuses.get("targets", (0, ""))
            if refused[0] and refused[1] != known[1] and not self.has_own_events:
                self._note(refused[1])
            self._statuses.update(statuses)

    def add_event(self, text: str, at_ns: int) -> None:
        """Something happened at a time, in words."""
        with self._lock:
            self._note(text, at_ns)

    def set_notice(self, kind: str, text: str, level: int = 2) -> None:
        """Say that something is wrong (2) or worth knowing (1); an empty text takes it back."""
        with self._lock:
            if text:
                self._notices[kind] = {"level": level, "text": text}
            else:
                self._notices.pop(kind, None)

    # What the server takes out

    @property
    def shown(self) -> Shown | None:
        """The newest picture with its boxes."""
        return self._shown

    def is_of_a_picture(self, stamp_ns: int) -> bool:
        """Whether a picture with this stamp went out lately."""
        with self._lock:
            return stamp_ns in self._stamps

    def size_px(self) -> tuple[int, int]:
        """Width and height of the newest image; zeros before the first."""
        shown = self._shown
        return (0, 0) if shown is None else (shown.picture.width, shown.picture.height)

    def note_choice(self, who: str, command: Command, answer: Answer) -> None:
        """An operator asked for something; everybody learns who it was."""
        name = f" '{command.target_id}'" if command.target_id else ""
        what = {"enable": "enabled" if command.on else "disabled", "reset": "dropped all targets"}
        text = what.get(command.kind, f"asked to {_VERBS.get(command.kind, '')}{name}")
        with self._lock:
            if command.kind in ("box", "point") and answer.ok:
                self._last_choice = {"who": who, "target": command.target_id, "at": self._now_ms()}
            self._note(f"{who} {text}: {answer.text}")

    def minute(self) -> list[list[float]]:
        """The bins of the last minute; see :class:`Minute`."""
        with self._lock:
            return self._minute.bins(BINS)

    def summary(self) -> dict[str, Any]:
        """State, words and the newest figures, for JSON."""
        with self._lock:
            age_s = time.monotonic() - self._picture_s if self._shown else None
            return {
                "now": self._now_ms(),
                "words": self._words(age_s),
                "targets": [
                    {"id": box.target_id, "state": box.state, "score": round(box.score, 3)}
                    for box in self._targets
                ],
                "enabled": self._is_enabled,
                "diagnostics": [
                    {"task": task, "level": level, "text": text}
                    for task, (level, text) in self._statuses.items()
                ],
                "events": list(self._events),
                "bins": self._minute.bins(6),
                "last": self._last_choice,
            }

    # With the lock held

    def _show(self, picture: Picture, boxes: tuple[Box, ...] | None) -> None:
        self._shown = Shown((self._shown.number if self._shown else 0) + 1, picture, boxes)
        self._stamps.append(picture.stamp_ns)
        self._picture_s = time.monotonic()

    def _note_states(self, boxes: Sequence[Box]) -> None:
        now = {box.target_id: box.state for box in boxes}
        if not self.has_own_events:
            for target_id, state in now.items():
                if self._states.get(target_id) != state:
                    self._note(f"target '{target_id}' is {state}")
            for target_id in self._states.keys() - now.keys():
                self._note(f"target '{target_id}' is gone")
        self._states = now

    def _note(self, text: str, at_ns: int | None = None) -> None:
        at_ms = self._now_ms() if at_ns is None else at_ns / 1e6
        self._events.append({"at": at_ms, "text": text})

    def _words(self, picture_age_s: float | None) -> list[dict[str, Any]]:
        """What is wrong, in words, worst first."""
        silent_s = time.monotonic() - self._heard_s
        if self._has_diagnostics and silent_s > SILENT_S:
            return [
                _fault(
                    f"The tracker node is gone: nothing heard of it for {silent_s:.0f} s. Is it "
                    "running, with the ROS_DOMAIN_ID of this page?"
                ),
                *self._notices.values(),
            ]
        words = list(self._notices.values())
        for task, (level, text) in self._statuses.items():
            if level > 0:
                words.append({"level": level, "text": f"{task}: {text}"})
            elif task == "model" and text == "not configured":
                words.append(_fault("The model is not loaded: the node is not configured."))
        if not self._is_enabled:
            words.append({"level": 1, "text": "The tracker is off: no images are used."})
        if picture_age_s is None:
            words.append({"level": 1, "text": "No picture yet: waiting for the camera."})
        elif picture_age_s > STALE_S and self._has_diagnostics:
            words.append(
                {
                    "level": 1,
                    "text": f"No new picture for {picture_age_s:.0f} s: the camera or the node "
                    "has stopped, or pictures are lost on the way.",
                }
            )
        return sorted(words, key=lambda word: -int(word["level"]))

    def _now_ms(self) -> float:
        return self.now_ns() / 1e6

    # Without the lock

    def _give_up(self, picture: Picture) -> None:
        with self._lock:
            if self._waiting is not picture:
                return
            self._waiting = None
            self._show(picture, None)
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


_VERBS = {"box": "select", "point": "select", "remove": "remove"}


def _fault(text: str) -> dict[str, Any]:
    return {"level": 2, "text": text}


class Minute:
    """Mean times by stage and dropped images in bins of half a second.

    A bin is ``[number, images, dropped, *stages in ms]``; its number is that of the half second,
    so that gaps show.
    """

    def __init__(self) -> None:
        self._bins: OrderedDict[int, list[float]] = OrderedDict()
        self._dropped: int | None = None

    def add(self, stages_ms: Mapping[str, float], dropped: int) -> None:
        """An image, and how many images were dropped since the node began."""
        number = int(time.monotonic() / BIN_S)
        bin_ = self._bins.setdefault(number, [number, 0, 0, *(0.0 for _ in STAGES)])
        bin_[1] += 1
        for index, stage in enumerate(STAGES, start=3):
            bin_[index] += (stages_ms[stage] - bin_[index]) / bin_[1]
        if self._dropped is not None and dropped >= self._dropped:  # else the node began again
            bin_[2] += dropped - self._dropped
        self._dropped = dropped
        while self._bins and next(iter(self._bins)) < number - BINS:
            self._bins.popitem(last=False)

    def bins(self, newest: int) -> list[list[float]]:
        """The newest bins, the oldest first."""
        return [
            [int(b[0]), int(b[1]), int(b[2]), *(round(v, 2) for v in b[3:])]
            for b in list(self._bins.values())[-newest:]
        ]
