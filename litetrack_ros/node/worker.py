"""The thread that tracks: takes the newest frame, serves init requests, hands results on.

Knows nothing of ROS: messages go in and out through a converter and an output object.
"""

import dataclasses
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from litetrack_ros.backends.base import Backend
from litetrack_ros.config import TrackerConfig
from litetrack_ros.errors import BoxError, ImageError, shown
from litetrack_ros.geometry import clip_box_xywh
from litetrack_ros.images import Image
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.frames import Fate, FrameSlot, ReceivedFrame
from litetrack_ros.node.init_boxes import InitQueue, InitRequest, catch_up, choose_frame
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import MultiTracker, StageTiming, TrackResult

_IDLE_WAIT_S = 0.1  # how late a waiting init request may notice that its time is up
_LET_IN_S = 0.001


@dataclass(frozen=True)
class WorkerSettings:
    """What may change while the worker runs.

    Attributes:
        tracker_config: thresholds.
        catch_up_max_ms: time for catching up after an init box.
        init_stamp_tolerance_ms: how far the stamp of an init box may be from an image's.
        init_wait_ms: how long an init box may wait for its image.
    """

    tracker_config: TrackerConfig
    catch_up_max_ms: float
    init_stamp_tolerance_ms: float
    init_wait_ms: float


@dataclass(frozen=True)
class Tracked:
    """A processed frame.

    Attributes:
        frame: what was processed.
        image: the same as an array.
        results: one for each target followed, in the order of their first init.
        queue_wait_ms: from the image callback to the start of the processing.
        conversion_ms: message to array.
        timing: crop, model and decode, of search steps and init steps together.
    """

    frame: ReceivedFrame
    image: ConvertedImage
    results: tuple[TrackResult, ...]
    queue_wait_ms: float
    conversion_ms: float
    timing: StageTiming


class Output(Protocol):
    """Where the worker's results go. Called from the worker's thread."""

    def send(self, tracked: Tracked, settle: Callable[[], None]) -> None:
        """Send a frame's boxes, call ``settle``, then send its timing. Never while disabled."""

    def show(self, tracked: Tracked) -> None:
        """Draw and send what only people look at."""

    def report(self, kind: str, message: str) -> None:
        """Take a fault: a kind for throttling and a sentence."""


@dataclass(frozen=True)
class TargetStatus:
    """A target after the latest frame, for diagnostics."""

    target_id: str
    state: State
    score: float


class TrackingWorker:
    """Runs a tracker on the newest frames in a thread of its own.

    Args:
        backend: runs the network.
        settings: to start with.
        max_targets: how many to follow; with 1 a new target replaces the old one.
        slot: where frames come from.
        inits: where init requests come from.
        convert: makes an array of a message; raises ImageError.
        output: where results go.
    """

    def __init__(
        self,
        backend: Backend,
        settings: WorkerSettings,
        max_targets: int,
        slot: FrameSlot,
        inits: InitQueue,
        convert: Callable[[Any], ConvertedImage],
        output: Output,
    ) -> None:
        self._settings = settings
        self._max_targets = max_targets
        self._slot = slot
        self._inits = inits
        self._convert = convert
        self._output = output
        self._tracker = MultiTracker(backend, settings.tracker_config)
        self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)
        self._stopping = threading.Event()
        # Guards sending against dropping the targets: nothing old goes out after a reset.
        self._sending = threading.Lock()
        self._generation = 0
        self._seen_generation = 0
        self._step_ms = 0.0
        self.targets: tuple[TargetStatus, ...] = ()
        self.inits_accepted = 0
        self.inits_refused = 0

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End the thread; False if it is still in a model call after the time."""
        self._stopping.set()
        self._slot.nudge()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def change(self, settings: WorkerSettings) -> None:
        """Use other settings from the next frame on."""
        self._settings = settings

    def drop_targets(self) -> None:
        """Forget all targets and requests; none of their boxes goes out after this returns."""
        self._inits.clear()
        with self._sending:
            self._generation += 1
            self.targets = ()
        self._slot.nudge()

    def refuse(self, request: InitRequest, reason: str) -> None:
        """Report that a request comes to nothing."""
        self.inits_refused += 1
        self._output.report(
            "init_refused", f"init box of target '{shown(request.target_id)}' refused: {reason}"
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._slot.wait(_IDLE_WAIT_S):
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
                if not self._stopping.is_set():
                    self._output.report("tracking_failed", _describe(error))

    def _apply_changes(self) -> None:
        settings = self._settings
        if settings.tracker_config is not self._tracker.config:
            self._tracker.configure(settings.tracker_config)
        if self._generation != self._seen_generation:
            self._seen_generation = self._generation
            self._tracker.reset()

    @property
    def _is_interrupted(self) -> bool:
        return self._stopping.is_set() or self._generation != self._seen_generation

    def _process(self, frame: ReceivedFrame) -> None:
        start = time.perf_counter()
        try:
            image = self._convert(frame.message)
        except ImageError as error:
            self._slot.settle(frame, Fate.REJECTED)
            self._output.report("image_rejected", f"image rejected: {error}")
            return
        converted = time.perf_counter()
        results = {r.target_id: r for r in self._tracker.update(*image)}
        timings = [r.timing for r in results.values()][:1]
        if timings:
            self._step_ms = timings[0].total_ms
        for request in self._inits_for(frame):
            started = self._start(request, image)
            if started is not None:
                self._adopt(started[0])
                results = {k: r for k, r in results.items() if k in self._tracker.target_ids}
                results[request.target_id] = started[1]
                timings.append(started[1].timing)
        tracked = Tracked(
            frame,
            image,
            tuple(
                _inside(r, image.image, self._tracker.config.clip_margin_px)
                for r in results.values()
                if r.state is not State.IDLE
            ),
            queue_wait_ms=1e3 * (start - frame.arrival_s),
            conversion_ms=1e3 * (converted - start),
            timing=StageTiming(
                sum(t.crop_ms for t in timings),
                sum(t.model_ms for t in timings),
                sum(t.decode_ms for t in timings),
            ),
        )
        self._hand_on(tracked)

    def _hand_on(self, tracked: Tracked) -> None:
        with self._sending:
            if not self._slot.is_open:
                self._slot.settle(tracked.frame, Fate.IGNORED)
                return
            if self._is_interrupted:
                # The targets were dropped while this frame was in work.
                tracked = dataclasses.replace(tracked, results=())
            frame = tracked.frame
            self._output.send(tracked, lambda: self._slot.settle(frame, Fate.PROCESSED))
            self.targets = tuple(
                TargetStatus(r.target_id, r.state, r.score) for r in tracked.results
            )
        self._output.show(tracked)

    def _serve_past_inits(self) -> None:
        """Start tracks on frames that have passed, and bring them up to the newest frame."""
        while not self._stopping.is_set():
            for request in self._inits.pending():
                frame = self._choose(request)
                if frame is not None and frame.fate is not Fate.WAITING:
                    if self._inits.remove(request):
                        self._start_in_the_past(request, frame)
                    break  # time has passed: look again at what waits
            else:
                return

    def _inits_for(self, frame: ReceivedFrame) -> list[InitRequest]:
        """Take out the requests that choose the frame in work."""
        chosen = [r for r in self._inits.pending() if self._choose(r) is frame]
        return [request for request in chosen if self._inits.remove(request)]

    def _choose(self, request: InitRequest) -> ReceivedFrame | None:
        choice = choose_frame(
            request,
            self._slot.frames(),
            self._settings.init_stamp_tolerance_ms,
            waited_ms=1e3 * (time.perf_counter() - request.arrival_s),
            max_wait_ms=self._settings.init_wait_ms,
        )
        if choice.refusal and self._inits.remove(request):
            self.refuse(request, choice.refusal)
        return choice.frame

    def _start_in_the_past(self, request: InitRequest, frame: ReceivedFrame) -> None:
        try:
            image = self._convert(frame.message)
        except ImageError as error:
            self.refuse(request, f"its image is not usable: {error}")
            return
        started = self._start(request, image)
        if started is None:
            return
        tracker, result = started
        self._step_ms = self._step_ms or result.timing.total_ms

        def step(passed: ReceivedFrame) -> bool:
            try:
                tracker.update(*self._convert(passed.message))
            except ImageError:
                return True  # was or will be reported where the frame is processed
            if passed.fate is Fate.REPLACED:
                self._slot.settle(passed, Fate.CAUGHT_UP)
            return bool(tracker.target_ids) and not self._is_interrupted

        catch_up(
            frame,
            self._slot.passed_since,
            step,
            self._settings.catch_up_max_ms,
            self._step_ms,
        )
        if self._is_interrupted:
            return
        if not tracker.target_ids:
            self.refuse(request, "the target was lost for good while catching up")
            return
        self._adopt(tracker)
        status = TargetStatus(request.target_id, State.INITIALISING, result.score)
        others = tuple(t for t in self.targets if t.target_id in self._tracker.target_ids)
        self.targets = (*(t for t in others if t.target_id != status.target_id), status)

    def _start(
        self, request: InitRequest, image: ConvertedImage
    ) -> tuple[MultiTracker, TrackResult] | None:
        """Start a track in a tracker of its own; None if the box is refused."""
        known = self._tracker.target_ids
        is_new = self._max_targets > 1 and request.target_id not in known
        if is_new and len(known) >= self._max_targets:
            self.refuse(request, f"max_targets = {self._max_targets} targets are being tracked")
            return None
        tracker = MultiTracker(self._tracker.backend, self._tracker.config)
        try:
            result = tracker.init(
                image.image, request.box_xywh, request.target_id, image.color_order
            )
        except BoxError as error:
            self.refuse(request, str(error))
            return None
        self.inits_accepted += 1
        return tracker, dataclasses.replace(result, state=State.INITIALISING)

    def _adopt(self, started: MultiTracker) -> None:
        if self._max_targets == 1:
            self._tracker.reset()
        self._tracker.adopt(started)


def _inside(result: TrackResult, image: Image, margin_px: int) -> TrackResult:
    """The result with its box in the image: one that is held may have come from a larger image."""
    height, width = image.shape[:2]
    x, y, w, h = result.box_xywh
    if result.state is State.INITIALISING or (
        min(x, y) >= 0 and x + w <= width and y + h <= height
    ):
        return result
    box = clip_box_xywh(result.box_xywh, width, height, min(margin_px, width, height))
    return dataclasses.replace(result, box_xywh=box)


def _describe(error: Exception) -> str:
    """One line: what was raised, and where."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = shown(" ".join(str(error).split()), 500)
    return f"tracking failed: {type(error).__name__}: {text} ({place.filename}:{place.lineno})"
