"""The thread that tracks: takes the newest frame, serves init requests, hands results on.

Knows nothing of ROS: messages go in and out through a converter and an output object.
"""

import dataclasses
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litetrack_ros.backends.base import Backend
from litetrack_ros.config import TrackerConfig
from litetrack_ros.errors import BoxError, ImageError, shown
from litetrack_ros.images import Image
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.events import Event, EventKind, TargetStories
from litetrack_ros.node.frames import Fate, FrameSlot, ReceivedFrame
from litetrack_ros.node.init_boxes import catch_up, choose_frame
from litetrack_ros.node.reduction import ReducedImage, RingKeeper
from litetrack_ros.node.requests import Box, Ending, InitRequest, Outcome, RequestDesk
from litetrack_ros.node.sizes import Size, SizeChange
from litetrack_ros.node.tracked import Output, TargetStatus, Tracked, inside
from litetrack_ros.tracker.point_boxes import Taps
from litetrack_ros.tracker.result import StageTiming, TrackResult
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import MultiTracker

_IDLE_WAIT_S = 0.1
_LET_IN_S = 0.001


@dataclass(frozen=True)
class WorkerSettings:
    """What may change while the worker runs.

    Attributes:
        tracker_config: thresholds.
        catch_up_max_ms: time for catching up after an init box.
        init_stamp_tolerance_ms: how far the stamp of an init box may be from an image's.
        init_wait_ms: how long an init box may wait for its image.
        lost_timeout_s: how long a target may be lost until it is given up; 0 is for ever.
    """

    tracker_config: TrackerConfig
    catch_up_max_ms: float
    init_stamp_tolerance_ms: float
    init_wait_ms: float
    lost_timeout_s: float = 0.0


class TrackingWorker:
    """Runs a tracker on the newest frames in a thread of its own.

    Args:
        backend: runs the network.
        settings: to start with.
        max_targets: how many to follow; with 1 a new target replaces the old one.
        slot: where frames come from.
        desk: where requests for targets come from.
        convert: makes an array of a message; raises ImageError.
        output: where results go.
    """

    def __init__(
        self,
        backend: Backend,
        settings: WorkerSettings,
        max_targets: int,
        slot: FrameSlot,
        desk: RequestDesk,
        convert: Callable[[Any], ConvertedImage],
        output: Output,
    ) -> None:
        self._settings = settings
        self._max_targets = max_targets
        self._slot = slot
        self._desk = desk
        self._convert = convert
        self._output = output
        self._tracker = MultiTracker(backend, settings.tracker_config)
        self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)
        self._keeper = RingKeeper(slot, convert)
        self._restored: Image | None = None
        self._stopping = threading.Event()
        # Guards sending and adopting against dropping targets: nothing old goes out after a reset.
        self._sending = threading.Lock()
        self._stories = TargetStories(output.tell)
        self._taps = Taps()
        self._in_work: InitRequest | None = None
        self._step_ms = 0.0
        self.targets: tuple[TargetStatus, ...] = ()
        self.image_size: Size | None = None

    def start(self) -> None:
        """Start the threads; once."""
        self._thread.start()
        self._keeper.start()

    def stop(self, timeout_s: float) -> bool:
        """End the thread; False if it is still in a model call after the time."""
        self._stopping.set()
        self._keeper.stop()
        self._slot.nudge()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def change(self, settings: WorkerSettings) -> None:
        """Use other settings from the next frame on."""
        self._settings = settings

    def drop_targets(self, reason: str) -> None:
        """Forget all targets and requests; none of their boxes goes out after this returns."""
        self._desk.drop(reason)
        with self._sending:
            for target_id in self._stories.target_ids:
                self._stories.end(target_id, EventKind.REMOVED, reason)
            self.targets = ()
        self._slot.nudge()

    def drop_target(self, target_id: str, reason: str) -> bool:
        """As :meth:`drop_targets` for one target; False if it was not followed."""
        self._desk.drop(reason, target_id)
        with self._sending:
            was_followed = self._stories.end(target_id, EventKind.REMOVED, reason)
            self.targets = tuple(t for t in self.targets if t.target_id != target_id)
        self._slot.nudge()
        return was_followed

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._slot.wait(self._idle_s()):
                # The model is slower than the camera. While the last boxes were sent, this thread
                # kept the callback of a newer image waiting: let it in before taking an old one.
                time.sleep(_LET_IN_S)
            if self._stopping.is_set():
                return
            frame: ReceivedFrame | None = None
            try:
                self._apply_changes()
                self._serve_past_inits()
                frame = self._slot.take()
                if frame is not None:
                    self._process(frame)
            # The end of this thread would be silence without a reason: whatever a backend raises
            # (CUDA out of memory, a driver that is gone) is reported, and the next frame is tried.
            except Exception as error:  # noqa: BLE001
                if frame is not None and frame.fate is Fate.WAITING:
                    self._slot.settle(frame, Fate.REJECTED)
                if self._in_work is not None:
                    self._desk.refuse(self._in_work, _describe(error))
                if not self._stopping.is_set():
                    self._output.report("tracking_failed", _describe(error))

    def _idle_s(self) -> float:
        """How long nothing needs to be done unless an image or a request comes."""
        now = time.perf_counter()
        longest_s = 1e-3 * self._settings.init_wait_ms
        ends = [request.arrival_s + longest_s - now for request in self._desk.waiting()]
        return max(_LET_IN_S, min([_IDLE_WAIT_S, *ends]))

    def _apply_changes(self) -> None:
        settings = self._settings
        if settings.tracker_config is not self._tracker.config:
            self._tracker.configure(settings.tracker_config)
        followed = self._stories.target_ids
        for target_id in self._tracker.target_ids:
            if target_id not in followed:
                self._tracker.remove(target_id)

    def _process(self, frame: ReceivedFrame) -> None:
        start = time.perf_counter()
        try:
            image = self._image_of(frame)
        except ImageError as error:
            self._slot.settle(frame, Fate.REJECTED)
            self._output.report("image_rejected", f"image rejected: {error}")
            return
        converted = time.perf_counter()
        self._output.recovered("image_rejected")
        self._fit_targets(image.size, frame)
        results = {r.target_id: r for r in self._tracker.update(*image)}
        timings = [r.timing for r in results.values()][:1]
        if timings:
            self._step_ms = timings[0].total_ms
            self._output.recovered("tracking_failed")
        for request in self._desk.waiting():
            if self._choose(request) is not frame or not self._take(request):
                continue
            started = self._start(request, frame, image)
            if started is not None and self._adopt(request, frame, *started):
                results[request.target_id] = started[1]
                timings.append(started[1].timing)
        margin_px = self._tracker.config.clip_margin_px
        tracked = Tracked(
            frame,
            image,
            tuple(inside(result, image.image, margin_px) for result in results.values()),
            queue_wait_ms=1e3 * (start - frame.arrival_s),
            conversion_ms=1e3 * (converted - start),
            timing=StageTiming(
                sum(t.crop_ms for t in timings),
                sum(t.model_ms for t in timings),
                sum(t.decode_ms for t in timings),
            ),
        )
        self._hand_on(tracked)
        self._tracker.refresh()

    def _hand_on(self, tracked: Tracked) -> None:
        frame = tracked.frame
        with self._sending:
            if not self._slot.is_open:
                self._slot.settle(frame, Fate.IGNORED)
                return
            # Targets that were dropped while this frame was in work have no story any more.
            kept = self._stories.step(
                tracked.results, frame.header, frame.arrival_s, self._settings.lost_timeout_s
            )
            tracked = dataclasses.replace(tracked, results=kept)
            self._output.send(tracked, lambda: self._slot.settle(frame, Fate.PROCESSED))
            self.targets = tuple(TargetStatus(r.target_id, r.state, r.score) for r in kept)
        self._output.show(tracked)

    def _fit_targets(self, size: Size, frame: ReceivedFrame) -> None:
        """Move the targets into images of another size, or give them up."""
        before, self.image_size = self.image_size, size
        if before is None or before == size:
            return
        change = SizeChange(before, size)
        with self._sending:
            for target_id in self._stories.target_ids:
                if change.keeps_aspect:
                    event = Event(EventKind.RESCALED, target_id, str(change), frame.header)
                    self._output.tell(event)
                else:
                    reason = f"{change}, with another aspect"
                    self._stories.end(target_id, EventKind.GIVEN_UP, reason, frame.header)
                    self._tracker.remove(target_id)
        self._tracker.rescale(*change.factors)

    def _serve_past_inits(self) -> None:
        """Start tracks on frames that have passed, and bring them up to the newest frame."""
        while not self._stopping.is_set():
            for request in self._desk.waiting():
                frame = self._choose(request)
                if frame is not None and frame.fate is not Fate.WAITING:
                    if self._take(request):
                        self._start_in_the_past(request, frame)
                    break  # time has passed: look again at what waits
            else:
                return

    def _image_of(self, frame: ReceivedFrame) -> ConvertedImage:
        message = frame.message
        if not isinstance(message, ReducedImage):
            return self._convert(message)
        # Only one such image is in use at a time; a new one each would scatter the memory.
        image = message.restore(self._restored)
        self._restored = image.image
        return image

    def _take(self, request: InitRequest) -> bool:
        self._in_work = request
        return self._desk.take(request)

    def _choose(self, request: InitRequest) -> ReceivedFrame | None:
        choice = choose_frame(
            request,
            self._slot.frames(),
            self._settings.init_stamp_tolerance_ms,
            waited_ms=1e3 * (time.perf_counter() - request.arrival_s),
            max_wait_ms=self._settings.init_wait_ms,
        )
        if choice.refusal:
            self._desk.refuse(request, choice.refusal)
        return choice.frame

    def _start_in_the_past(self, request: InitRequest, frame: ReceivedFrame) -> None:
        try:
            image = self._image_of(frame)
        except ImageError as error:
            self._desk.refuse(request, f"its image is not usable: {error}")
            return
        started = self._start(request, frame, image)
        if started is None:
            return
        tracker, result = started
        self._step_ms = self._step_ms or result.timing.total_ms
        size = image.size

        def step(passed: ReceivedFrame) -> bool:
            nonlocal size
            try:
                later = self._image_of(passed)
            except ImageError:
                return True  # was or will be reported where the frame is processed
            if later.size != size:
                change = SizeChange(size, later.size)
                if not change.keeps_aspect:
                    self._desk.refuse(request, f"{change}, with another aspect")
                    return False
                tracker.rescale(*change.factors)
                size = later.size
            tracker.update(*later)
            if passed.fate is Fate.REPLACED:
                self._slot.settle(passed, Fate.CAUGHT_UP)
            return (
                bool(tracker.target_ids) and request.ending is None and not self._stopping.is_set()
            )

        steps = catch_up(
            frame,
            self._slot.passed_since,
            step,
            self._settings.catch_up_max_ms,
            self._step_ms,
        )
        if not tracker.target_ids:
            self._desk.refuse(request, "the target was lost for good while catching up")
            return
        if self.image_size is not None and self.image_size != size:
            tracker.rescale(*SizeChange(size, self.image_size).factors)
        if self._adopt(request, frame, tracker, result, steps):
            status = TargetStatus(request.target_id, State.INITIALISING, result.score)
            others = [t for t in self.targets if t.target_id in self._stories.target_ids]
            self.targets = (*(t for t in others if t.target_id != status.target_id), status)

    def _start(
        self, request: InitRequest, frame: ReceivedFrame, image: ConvertedImage
    ) -> tuple[MultiTracker, TrackResult] | None:
        """Start a track in a tracker of its own; None if the request is refused."""
        known = self._stories.target_ids
        is_new = self._max_targets > 1 and request.target_id not in known
        if is_new and len(known) >= self._max_targets:
            reason = f"max_targets = {self._max_targets} targets are being tracked"
            self._desk.refuse(request, reason)
            return None
        tracker = MultiTracker(self._tracker.backend, self._tracker.config)
        try:
            box = self._box_on(request, frame, image)
            result = tracker.init(image.image, box, request.target_id, image.color_order)
        except BoxError as error:
            self._desk.refuse(request, str(error))
            return None
        return tracker, dataclasses.replace(result, state=State.INITIALISING)

    def _box_on(self, request: InitRequest, frame: ReceivedFrame, image: ConvertedImage) -> Box:
        """The box of a request in the pixels of an image; raises BoxError."""
        box, drawn_on, size = request.box_xywh, request.image_size, image.size
        if frame.arrival_s > request.arrival_s and drawn_on is not None and drawn_on != size:
            change = SizeChange(drawn_on, size)
            box = change.scale(box)
            text = f"{change} while its box waited"
            self._output.tell(Event(EventKind.RESCALED, request.target_id, text, frame.header, box))
        if request.is_point:
            candidate = self._taps.candidate(image.image, box[:2], image.color_order)
            x, y, width, height = (float(value) for value in candidate.box_xywh)
            box = (x, y, width, height)
        return box

    def _adopt(
        self,
        request: InitRequest,
        frame: ReceivedFrame,
        started: MultiTracker,
        result: TrackResult,
        caught_up: int = 0,
    ) -> bool:
        """Follow a target from now on; False if its request has ended meanwhile."""
        x, y, width, height = (float(v) for v in result.box_xywh)
        ending = Ending(
            Outcome.ACCEPTED,
            header=frame.header,
            stamp_ns=frame.stamp_ns,
            caught_up=caught_up,
            box_xywh=(x, y, width, height),
        )
        with self._sending:
            if not self._desk.end(request, ending):
                return False
            if self._max_targets == 1:
                for other in self._stories.target_ids:
                    if other != request.target_id:
                        reason = f"target '{request.target_id}' took its place (max_targets = 1)"
                        self._stories.end(other, EventKind.REMOVED, reason, frame.header)
                self._tracker.reset()
            self._stories.begin(request.target_id)
            self._tracker.adopt(started)
        return True


def _describe(error: Exception) -> str:
    """One line: what was raised, and where."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = shown(" ".join(str(error).split()), 500)
    return f"tracking failed: {type(error).__name__}: {text} ({place.filename}:{place.lineno})"
