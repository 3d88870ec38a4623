"""What to play of a bag: which messages, how often, and when each is due."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.errors import BagError
from litetrack_ros.opencv import cv2
from litetrack_ros.replay.bag_reader import Bag, BagMessage, Topic, decode
from litetrack_ros.replay.bag_types import IMAGE
from litetrack_ros.replay.records import PlayedMessage
from litetrack_ros.replay.stamps import StampCheck

_PREFETCHED = 8  # messages read ahead, so that reading does not delay the player
_DEFAULT_PERIOD_S = 1 / 30  # between passes of a bag with a single frame
_END = object()


class Playlist:
    """The image messages of a bag that are to be played.

    Args:
        bag: open.
        topic: its images.
        start_s: leave out what was recorded earlier than this after the bag's begin.
        duration_s: leave out what comes later than this after the first; None plays to the end.
        rate: how many times faster than recorded.
        loops: how often to play everything.
    """

    def __init__(
        self,
        bag: Bag,
        topic: Topic,
        start_s: float = 0.0,
        duration_s: float | None = None,
        rate: float = 1.0,
        loops: int = 1,
    ) -> None:
        self.bag = bag
        self.topic = topic
        self.stamps = StampCheck()
        self.recorded_ns: list[int] = []  # of the first pass, filled while it is played
        self._rate = rate
        self._loops = loops
        self._start_ns = bag.start_ns + round(1e9 * start_s) if start_s else None
        self._stop_ns: int | None = None
        if duration_s is not None:
            self._stop_ns = (self._start_ns or bag.start_ns) + round(1e9 * duration_s)

    def pass_messages(self) -> Iterator[BagMessage]:
        """The messages of one pass.

        Raises:
            BagError: the bag is damaged, or there is no message in the time asked for.
        """
        messages = self.bag.messages(self.topic, self._start_ns, self._stop_ns)
        first = next(messages, None)
        if first is None:
            raise BagError(
                f"{self.bag.path} holds no message on {self.topic.name} in the time asked for: "
                "check --start and --duration"
            )
        yield first
        yield from messages

    def messages(self) -> Iterator[PlayedMessage]:
        """What to play, in order; reads ahead in a thread.

        Raises:
            BagError: as :meth:`pass_messages`.
        """
        return read_ahead(self._messages(), _PREFETCHED)

    def image_size(self, message: BagMessage) -> tuple[int, int]:
        """Width and height of an image, px.

        Raises:
            BagError: not an image.
        """
        decoded = decode(message.data, self.topic.type_name)
        if self.topic.type_name == IMAGE:
            return int(decoded.width), int(decoded.height)
        try:
            image: Any = cv2.imdecode(np.frombuffer(decoded.data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            image = None
        if image is None:
            raise BagError(f"{self.bag.path}: a compressed image on {self.topic.name} is damaged")
        return int(image.shape[1]), int(image.shape[0])

    def nth(self, frame: int) -> BagMessage:
        """The message of a frame of a pass."""
        return next(itertools.islice(self.pass_messages(), frame, None))

    def frame_of(self, stamp_ns: int) -> int:
        """The frame of a pass whose stamp is nearest."""
        distances: list[int] = []
        for message in self.pass_messages():
            distances.append(abs(message.stamp_ns - stamp_ns))
            if message.stamp_ns >= stamp_ns:
                break
        return min(range(len(distances)), key=distances.__getitem__)

    def _messages(self) -> Iterator[PlayedMessage]:
        index, begin_s = 0, 0.0
        for played in range(self._loops):
            first_ns: int | None = None
            due_s, period_s = begin_s, _DEFAULT_PERIOD_S
            for frame, message in enumerate(self.pass_messages()):
                first_ns = message.log_ns if first_ns is None else first_ns
                before_s = due_s
                due_s = begin_s + 1e-9 * (message.log_ns - first_ns) / self._rate
                period_s = due_s - before_s if frame else period_s
                if played == 0:
                    self.stamps.add(message)
                    self.recorded_ns.append(message.stamp_ns)
                yield PlayedMessage(index, frame, message.stamp_ns, due_s, message.data)
                index += 1
            begin_s = due_s + period_s


def read_ahead(messages: Iterable[PlayedMessage], depth: int) -> Iterator[PlayedMessage]:
    """Iterate in a thread of its own, at most ``depth`` messages ahead."""
    waiting: queue.Queue[Any] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for message in messages:
                if not put(message):
                    return
            put(_END)
        except BagError as error:  # raised where the messages are used
            put(error)

    threading.Thread(target=read, name="reader", daemon=True).start()
    try:
        while (item := waiting.get()) is not _END:
            if isinstance(item, BagError):
                raise item
            yield item
    finally:
        stopped.set()


def preload(playlist: Playlist, available_bytes: int) -> list[PlayedMessage]:
    """All messages in memory.

    Args:
        playlist: what to load.
        available_bytes: memory that may be taken.

    Raises:
        BagError: it does not fit.
    """
    loaded: list[PlayedMessage] = []
    size = 0
    for message in playlist.messages():
        size += len(message.data)
        if size > available_bytes:
            raise BagError(
                f"the frames take more than the {available_bytes / 1e6:.0f} MB that are free: "
                "play a part of the bag with --duration"
            )
        loaded.append(message)
    return loaded


def available_memory_bytes() -> int:
    """Memory that can be taken without swapping, from /proc/meminfo."""
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    raise BagError("this system does not tell how much memory is free (/proc/meminfo)")
