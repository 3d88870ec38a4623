"""Starts a target on the image that a request means, and brings it up to the newest one.

A target starts in a tracker of its own; only the worker, which follows the targets, adopts it.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from litetrack_ros.errors import BoxError, ImageError
from litetrack_ros.images import Image
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.detections import DetectionHistory
from litetrack_ros.node.events import Event, EventKind
from litetrack_ros.node.frames import Fate, FrameSlot, ReceivedFrame
from litetrack_ros.node.init_boxes import catch_up, choose_frame
from litetrack_ros.node.reduction import ReducedImage
from litetrack_ros.node.requests import InitRequest, RequestDesk
from litetrack_ros.node.settings import WorkerSettings
from litetrack_ros.node.sizes import Box, Size, SizeChange
from litetrack_ros.tracker.appearance import Appearance
from litetrack_ros.tracker.point_boxes import Taps
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import MultiTracker


class Started(NamedTuple):
    """A target that has started.

    Attributes:
        tracker: follows it and nothing else.
        result: on the image it started on.
        look: what it looks like there.
        caught_up: later images that it was followed through.
    """

    tracker: MultiTracker
    result: TrackResult
    look: Appearance
    caught_up: int = 0


class TargetStarter:
    """Serves requests for targets; refuses those that come to nothing. In the worker's thread.

    Args:
        tracker: of the targets followed; its backend and settings are those of new ones.
        settings: asks for the settings.
        slot: holds the frames.
        desk: of the requests.
        convert: makes an array of a message; raises ImageError.
        tell: takes events.
        refusal: asks why no target of this id can be followed, empty where it can.
        is_stopping: asks whether to end early.
        detections: of a detector, None where there can be none.
    """

    def __init__(
        self,
        tracker: MultiTracker,
        settings: Callable[[], WorkerSettings],
        slot: FrameSlot,
        desk: RequestDesk,
        convert: Callable[[Any], ConvertedImage],
        tell: Callable[[Event], None],
        refusal: Callable[[str], str],
        is_stopping: Callable[[], bool],
        detections: DetectionHistory | None = None,
    ) -> None:
        self._tracker = tracker
        self._settings = settings
        self._slot = slot
        self._desk = desk
        self._convert = convert
        self._tell = tell
        self._refusal = refusal
        self._is_stopping = is_stopping
        self._detections = detections
        self._restored: Image | None = None
        self._taps = Taps()
        self.step_ms = 0.0  # what a step of the tracker is expected to take

    def forget_taps(self) -> None:
        """Take the next point for a first one, wherever it lies."""
        self._taps.forget()

    def choose(self, request: InitRequest) -> ReceivedFrame | None:
        """The frame to start on; None where the request has to wait, or was refused."""
        settings = self._settings()
        waited_ms = 1e3 * (time.perf_counter() - request.arrival_s)
        if request.query is not None and not self._find_detection(request, waited_ms):
            return None
        choice = choose_frame(
            request,
            self._slot.frames(),
            settings.init_stamp_tolerance_ms,
            waited_ms=waited_ms,
            max_wait_ms=settings.init_wait_ms,
        )
        if choice.refusal:
            self._desk.refuse(request, choice.refusal)
        return choice.frame

    def start(
        self, request: InitRequest, frame: ReceivedFrame, image: ConvertedImage
    ) -> Started | None:
        """Start on a frame; None if the request was refused."""
        if refusal := self._refusal(request.target_id):
            self._desk.refuse(request, refusal)
            return None
        tracker = MultiTracker(self._tracker.backend, self._tracker.config)
        try:
            box = self._box_on(request, frame, image)
            result = tracker.init(image.image, box, request.target_id, image.color_order)
        except BoxError as error:
            self._desk.refuse(request, str(error))
            return None
        look = Appearance.at(image.image, result.box_xywh, image.color_order)
        return Started(tracker, dataclasses.replace(result, state=State.INITIALISING), look)

    def start_in_the_past(
        self, request: InitRequest, frame: ReceivedFrame, size_now: Size | None
    ) -> Started | None:
        """Start on a frame that has passed, and follow the target up to the newest one.

        Args:
            request: taken into work.
            frame: chosen for it.
            size_now: width and height of the images that the targets' boxes are in, px.

        Returns:
            None if the request was refused, or ended meanwhile.
        """
        try:
            image = self.image_of(frame)
        except ImageError as error:
            self._desk.refuse(request, f"its image is not usable: {error}")
            return None
        started = self.start(request, frame, image)
        if started is None:
            return None
        self.step_ms = self.step_ms or started.result.timing.total_ms
        try:
            steps = self.catch_up(
                started.tracker,
                frame,
                image.size,
                size_now,
                self._time_for(request),
                lambda: request.ending is None,
            )
        except BoxError as error:
            self._desk.refuse(request, str(error))
            return None
        return started._replace(caught_up=steps)

    def catch_up(
        self,
        tracker: MultiTracker,
        frame: ReceivedFrame,
        size: Size,
        size_now: Size | None,
        max_ms: float,
        is_wanted: Callable[[], bool],
    ) -> int:
        """Follow the target of a tracker from one frame to the newest; the number of steps.

        Args:
            tracker: its boxes are those in ``frame``.
            frame: has passed.
            size: width and height of its image, px.
            size_now: width and height of the images that boxes are to be in, px.
            max_ms: time for it.
            is_wanted: asks whether to go on.

        Raises:
            BoxError: the images took another aspect, or the target was lost for good.
        """
        other_aspect = ""

        def step(passed: ReceivedFrame) -> bool:
            nonlocal size, other_aspect
            try:
                later = self.image_of(passed)
            except ImageError:
                return True  # was or will be reported where the frame is processed
            if later.size != size:
                change = SizeChange(size, later.size)
                if not change.keeps_aspect:
                    other_aspect = f"{change}, with another aspect"
                    return False
                tracker.rescale(*change.factors)
                size = later.size
            tracker.update(*later)
            if passed.fate is Fate.REPLACED:
                self._slot.settle(passed, Fate.CAUGHT_UP)
            return bool(tracker.target_ids) and is_wanted() and not self._is_stopping()

        steps = catch_up(frame, self._slot.passed_since, step, max_ms, self.step_ms)
        if other_aspect:
            raise BoxError(other_aspect)
        if not tracker.target_ids:
            raise BoxError("the target was lost for good while catching up")
        if size_now is not None and size_now != size:
            tracker.rescale(*SizeChange(size, size_now).factors)
        return steps

    def _time_for(self, request: InitRequest) -> float:
        """How long catching up for a request may take, ms.

        Those that wait for it to end are to be answered in time too: they share what is left.
        """
        settings = self._settings()
        newest = self._slot.newest()
        newest_ns = 0 if newest is None else newest.stamp_ns
        others = [other for other in self._desk.waiting() if 0 < other.stamp_ns <= newest_ns]
        waited_ms = 1e3 * (time.perf_counter() - request.arrival_s)
        left_ms = settings.init_wait_ms + settings.catch_up_max_ms - waited_ms
        return min(settings.catch_up_max_ms, left_ms / (1 + len(others)))

    def _find_detection(self, request: InitRequest, waited_ms: float) -> bool:
        """Make a request for a detection one for its box; False if it has to wait or is refused."""
        settings = self._settings()
        assert request.query is not None and self._detections is not None  # looked at before
        try:
            found = self._detections.find(
                request.query,
                request.stamp_ns,
                request.arrival_s,
                settings.init_stamp_tolerance_ms,
                waited_ms,
                settings.init_wait_ms,
            )
        except BoxError as error:
            self._desk.refuse(request, str(error))
            return False
        if found is None:
            return False
        request.detected_in, meant = found
        request.stamp_ns, request.box_xywh = request.detected_in.stamp_ns, meant.box_xywh
        request.class_id, request.query = meant.class_id, None
        return True

    def image_of(self, frame: ReceivedFrame) -> ConvertedImage:
        """A frame's image at its own size, until the next one is asked for; raises ImageError."""
        message = frame.message
        if not isinstance(message, ReducedImage):
            return self._convert(message)
        # Only one such image is in use at a time; a new one each would scatter the memory.
        image = message.restore(self._restored)
        self._restored = image.image
        return image

    def _box_on(self, request: InitRequest, frame: ReceivedFrame, image: ConvertedImage) -> Box:
        """The box of a request in the pixels of an image; raises BoxError."""
        box, drawn_on, size = request.box_xywh, request.image_size, image.size
        if request.detected_in is not None:
            frame_id = "" if frame.header is None else frame.header.frame_id
            request.detected_in.check_fits(frame_id, size)
            return box
        if frame.arrival_s > request.arrival_s and drawn_on is not None and drawn_on != size:
            change = SizeChange(drawn_on, size)
            box = change.scale(box)
            text = f"{change} while its box waited"
            self._tell(Event(EventKind.RESCALED, request.target_id, text, frame.header, box))
        if request.is_point:
            candidate = self._taps.candidate(image.image, box[:2], image.color_order)
            x, y, width, height = (float(value) for value in candidate.box_xywh)
            box = (x, y, width, height)
        return box
