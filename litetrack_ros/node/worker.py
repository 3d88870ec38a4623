"""The thread that tracks: takes the newest frame, serves init requests, hands results on.

Knows nothing of ROS: messages go in and out through a converter and an output object.
"""

import contextlib
import dataclasses
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from litetrack_ros.backends.base import Backend
from litetrack_ros.errors import BoxError, ImageError, shown
from litetrack_ros.geometry import overlap
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.detections import DetectionHistory
from litetrack_ros.node.events import Event, EventKind, TargetStories
from litetrack_ros.node.frames import Fate, FrameSlot, ReceivedFrame
from litetrack_ros.node.reduction import RingKeeper
from litetrack_ros.node.requests import Ending, InitRequest, Outcome, RequestDesk
from litetrack_ros.node.reselection import Reselector
from litetrack_ros.node.settings import WorkerSettings
from litetrack_ros.node.sizes import Size, SizeChange
from litetrack_ros.node.starting import Started, TargetStarter
from litetrack_ros.node.tracked import Output, TargetStatus, Tracked, inside
from litetrack_ros.tracker.result import StageTiming
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import MultiTracker

_IDLE_WAIT_S = 0.1
_LET_IN_S = 0.001
_SAME_PLACE = 0.5  # overlap of a detection and of what the network finds there


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
        detections: of a detector, None where there can be none.
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
        detections: DetectionHistory | None = None,
    ) -> None:
        self._settings = settings
        self._max_targets = max_targets
        self._slot = slot
        self._desk = desk
        self._convert = convert
        self._output = output
        self._tracker = MultiTracker(backend, settings.tracker_config)
        self.thread = threading.Thread(target=self._run, name="tracking", daemon=True)
        self._keeper = RingKeeper(slot, convert)
        self._stopping = threading.Event()
        # Guards sending and adopting against dropping targets: nothing old goes out after a reset.
        self._sending = threading.Lock()
        self._stories = TargetStories(output.tell)
        self._starter = TargetStarter(
            self._tracker,
            lambda: self._settings,
            slot,
            desk,
            convert,
            output.tell,
            self._no_room,
            self._stopping.is_set,
            detections,
        )
        self._reselector: Reselector | None = None
        if detections is not None:
            self._reselector = Reselector(detections, slot.frames, self._starter.image_of)
        self._in_work: InitRequest | None = None
        self.targets: tuple[TargetStatus, ...] = ()
        self.image_size: Size | None = None

    def start(self) -> None:
        """Start the threads; once."""
        self.thread.start()
        self._keeper.start()

    def stop(self, timeout_s: float) -> bool:
        """End the thread; False if it is still in a model call after the time."""
        self._stopping.set()
        self._keeper.stop()
        self._slot.nudge()
        if self.thread.is_alive():
            self.thread.join(timeout_s)
        return not self.thread.is_alive()

    def change(self, settings: WorkerSettings) -> None:
        """Use other settings from the next frame on."""
        self._settings = settings

    def drop_targets(self, reason: str) -> None:
        """Forget all targets and requests; none of their boxes goes out after this returns."""
        self._desk.drop(reason)
        self._starter.forget_taps()
        with self._sending:
            for target_id in self._stories.target_ids:
                self._stories.end(target_id, EventKind.REMOVED, reason)
            self.targets = ()
        self._slot.nudge()

    def drop_target(self, target_id: str, reason: str) -> bool:
        """As :meth:`drop_targets` for one target; False if it was not followed."""
        self._desk.drop(reason, target_id)
        self._starter.forget_taps()
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
                self._reselect()
                frame = self._slot.take()
                if frame is not None:
                    self._process(frame)
            # The end of this thread would be silence without a reason: whatever a backend raises
            # (CUDA out of memory, a driver that is gone) is reported, and the next frame is tried.
            except Exception as error:  # noqa: BLE001
                if self._in_work is not None:
                    self._desk.refuse(self._in_work, _describe(error))
                if not self._stopping.is_set():
                    self._output.report("tracking_failed", _describe(error))
            finally:
                if frame is not None and frame.fate is Fate.WAITING:
                    self._slot.settle(frame, Fate.REJECTED)

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
            image = self._convert(frame.message)
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
            self._starter.step_ms = timings[0].total_ms
            self._output.recovered("tracking_failed")
        for request in self._desk.waiting():
            if self._starter.choose(request) is not frame or not self._take(request):
                continue
            started = self._starter.start(request, frame, image)
            if started is not None and self._adopt(request, frame, started):
                results[request.target_id] = started.result
                timings.append(started.result.timing)
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
            tracked = dataclasses.replace(tracked, results=kept, classes=self._stories.classes)
            self._output.send(tracked, lambda: self._slot.settle(frame, Fate.PROCESSED))
            self.targets = tuple(TargetStatus(r.target_id, r.state, r.score) for r in kept)
            if self._reselector is not None:
                self._reselector.note(frame.stamp_ns, kept)
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
                frame = self._starter.choose(request)
                if frame is not None and frame.fate is not Fate.WAITING:
                    if self._take(request):
                        self._start_in_the_past(request, frame)
                    break  # time has passed: look again at what waits
            else:
                return

    def _start_in_the_past(self, request: InitRequest, frame: ReceivedFrame) -> None:
        started = self._starter.start_in_the_past(request, frame, self.image_size)
        if started is not None and self._adopt(request, frame, started):
            score = started.result.score
            status = TargetStatus(request.target_id, State.INITIALISING, score)
            others = [t for t in self.targets if t.target_id in self._stories.target_ids]
            self.targets = (*(t for t in others if t.target_id != status.target_id), status)

    def _reselect(self) -> None:
        """Follow lost targets again where a detection shows them, if that is wanted."""
        if self._reselector is None or not self._settings.reselect:
            return
        lost = [t.target_id for t in self.targets if t.state is State.LOST]
        for found in self._reselector.look(lost, self._stories.classes):
            if found.target_id not in self._stories.target_ids:
                continue
            image = self._starter.image_of(found.frame)
            tracker = self._tracker.starting_at(found.target_id, found.box_xywh)
            result = tracker.update(*image)[0]
            is_there = overlap(result.candidate_box_xywh, found.box_xywh) >= _SAME_PLACE
            if not is_there or result.candidate_score < self._tracker.config.found_threshold:
                continue
            with contextlib.suppress(BoxError):  # lost again on the way
                self._starter.catch_up(
                    tracker,
                    found.frame,
                    image.size,
                    self.image_size,
                    self._settings.catch_up_max_ms,
                    lambda: True,
                )
                with self._sending:
                    if found.target_id in self._stories.target_ids:
                        self._stories.note(found.target_id, "a detection looks like it")
                        self._tracker.adopt(tracker)

    def _take(self, request: InitRequest) -> bool:
        self._in_work = request
        return self._desk.take(request)

    def _no_room(self, target_id: str) -> str:
        """Why no target of this id can be followed, empty where it can."""
        known = self._stories.target_ids
        is_new = self._max_targets > 1 and target_id not in known
        if is_new and len(known) >= self._max_targets:
            return f"max_targets = {self._max_targets} targets are being tracked"
        return ""

    def _adopt(
        self,
        request: InitRequest,
        frame: ReceivedFrame,
        started: Started,
    ) -> bool:
        """Follow a target from now on; False if its request has ended meanwhile."""
        x, y, width, height = (float(v) for v in started.result.box_xywh)
        ending = Ending(
            Outcome.ACCEPTED,
            header=frame.header,
            stamp_ns=frame.stamp_ns,
            caught_up=started.caught_up,
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
            self._stories.begin(request.target_id, request.class_id)
            self._tracker.adopt(started.tracker)
            if self._reselector is not None:
                self._reselector.begin(request.target_id, started.look)
        return True


def _describe(error: Exception) -> str:
    """One line: what was raised, and where."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = shown(" ".join(str(error).split()), 500)
    return f"tracking failed: {type(error).__name__}: {text} ({place.filename}:{place.lineno})"
