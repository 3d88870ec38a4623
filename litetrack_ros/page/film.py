"""The page before a video that is tracked here, without ROS: choose, watch, choose anew.

The source's own loop draws every image through here. A recorded video waits where nothing is
chosen; a camera goes on.
"""

import queue
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from litetrack_ros.errors import BoxError
from litetrack_ros.geometry import BoxLike
from litetrack_ros.images import Image
from litetrack_ros.media.previews import encode_preview
from litetrack_ros.media.sources import Source
from litetrack_ros.page.feed import STAGES, Answer, Box, Command, Feed, Picture
from litetrack_ros.tracker.following import Followed
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

_SIZE_PX, _QUALITY, _PERIOD_S = 640, 70, 1 / 15
_WAIT_S = 0.2  # how often an image that waits for a choice is shown again
# Images on which a choice may still be made: a person takes a second or two to draw a box.
_RECENT, _RECENT_BYTES = 90, 400_000_000
_WAITS = "The video waits: drag a box around what is to be followed."


class Film:
    """Tracks one target through a source as the page asks; a ``Tracker`` of the page.

    Args:
        source: the images; one that is not live is played no faster than recorded.
        tracker: a fresh one.
    """

    def __init__(self, source: Source, tracker: Tracker) -> None:
        self.feed = Feed(source.name, has_diagnostics=False)
        self._source = source
        self._tracker = tracker
        self._asked: queue.Queue[tuple[Command, Future[Answer]]] = queue.Queue()
        self._recent: deque[tuple[int, Image]] = deque(maxlen=_RECENT)
        self._result: TrackResult | None = None
        self._target_id = ""
        self._is_watched = False
        self._shown_s = 0.0

    def abilities(self) -> tuple[str, ...]:
        """See :class:`litetrack_ros.page.feed.Tracker`."""
        return ("box", "remove", "reset")

    def watch(self, is_watched: bool) -> None:
        """See :class:`litetrack_ros.page.feed.Tracker`."""
        self._is_watched = is_watched

    def ask(self, command: Command) -> Future[Answer]:
        """See :class:`litetrack_ros.page.feed.Tracker`."""
        answered: Future[Answer] = Future()
        self._asked.put((command, answered))
        return answered

    def follow(self, images: Iterable[Image], init_box_xywh: BoxLike | None) -> Iterator[Followed]:
        """As :func:`litetrack_ros.tracker.following.follow`, with the page's choices.

        Args:
            images: of the source.
            init_box_xywh: the target in the first image; None waits for a choice.

        Yields:
            Every image from the first with a target on.

        Raises:
            BoxError: no track can start from the box that was given.
        """
        period_s = 0.0 if self._source.is_live else 1.0 / (self._source.fps or 30.0)
        due_s = time.perf_counter()
        for image in images:
            time.sleep(max(0.0, due_s - time.perf_counter()))
            due_s = max(due_s + period_s, time.perf_counter() - period_s)
            start_s = time.perf_counter()
            self._keep(image)
            if init_box_xywh is not None:
                self._result, init_box_xywh = self._tracker.init(image, init_box_xywh), None
            elif self._result is not None and self._result.state is not State.IDLE:
                self._result = self._tracker.update(image) or self._result
            call_s = time.perf_counter() - start_s
            self._carry_out()
            self._show()
            while self._result is None and not self._source.is_live:
                self.feed.set_notice("wait", _WAITS, level=1)
                self._carry_out(_WAIT_S)
                self._keep(image)
                self._show()
                due_s = time.perf_counter()
            self.feed.set_notice("wait", "")
            if self._result is not None:
                yield Followed(image, self._result, call_s)

    def _keep(self, image: Image) -> None:
        self._recent.append((time.time_ns(), image))
        while len(self._recent) * image.nbytes > _RECENT_BYTES and len(self._recent) > 1:
            self._recent.popleft()

    def _show(self) -> None:
        """Hand the newest image and its box on, while somebody looks."""
        stamp_ns, image = self._recent[-1]
        result = self._result
        boxes = []
        if result is not None and result.state is not State.IDLE:
            x, y, width, height = (float(v) for v in result.box_xywh)
            box = (x, y, width, height)
            boxes.append(Box(self._target_id, result.state.name, box, float(result.score)))
            times = {stage: float(getattr(result.timing, f"{stage}_ms", 0.0)) for stage in STAGES}
            self.feed.add_timing(times, {})
        self.feed.add_boxes(stamp_ns, boxes)
        now_s = time.perf_counter()
        if self._is_watched and now_s - self._shown_s >= _PERIOD_S:
            self._shown_s = now_s
            height_px, width_px = image.shape[:2]
            jpeg = encode_preview(image, "bgr", _SIZE_PX, _QUALITY)
            self.feed.add_picture(Picture(stamp_ns, jpeg, width_px, height_px))

    def _carry_out(self, wait_s: float = 0.0) -> None:
        """Do what was asked since the last image, or what is asked within a time."""
        while True:
            try:
                command, answered = self._asked.get(wait_s > 0, wait_s or None)
            except queue.Empty:
                return
            wait_s = 0.0
            if answered.set_running_or_notify_cancel():
                answered.set_result(self._do(command))

    def _do(self, command: Command) -> Answer:
        if command.kind != "box":
            self._result = None
            return Answer(True, "dropped")
        since = [image for stamp, image in self._recent if stamp >= command.stamp_ns]
        if len(since) == len(self._recent) and self._recent[0][0] != command.stamp_ns:
            return Answer(False, "its picture is too old")
        try:
            result = self._tracker.init(since[0], command.numbers)
            for image in since[1:]:
                result = self._tracker.update(image) or result
        except BoxError as error:
            return Answer(False, str(error))
        self._result, self._target_id = result, command.target_id
        return Answer(True, f"followed, found on {len(since) - 1} later images")
