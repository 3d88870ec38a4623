"""What the node says of itself: figures of the last seconds, faults, and statuses made of them.

Faults may repeat a thousand times a second: they are logged now and then, and shown while they
last. Plain values all of it; the message for /diagnostics is made in ``messages``.
"""

import enum
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from litetrack_ros.backends.base import BackendInfo
from litetrack_ros.errors import shown
from litetrack_ros.node.dds import profiles_variable
from litetrack_ros.node.frames import Counts
from litetrack_ros.node.lost_images import LossCounter
from litetrack_ros.node.requests import RequestCounts
from litetrack_ros.node.tracked import TargetStatus
from litetrack_ros.tracker.state import State

LOG_PERIOD_S = 5.0
_MAX_LOG_PERIOD_S = 320.0
ACTIVE_S = 10.0
_SEEN_S = 1.5  # a fault that is over is still shown once: diagnostics go out every second
_MAX_SAMPLES = 4096
_MAX_TOPICS = 5
_MAX_MESSAGE = 1000  # characters


class Percentiles(NamedTuple):
    """Of the samples in a window, in the samples' unit; NaN where there are none."""

    p50: float
    p95: float
    p99: float
    samples: int


class SlidingWindow:
    """The samples of the last seconds, bounded in number. Thread-safe.

    Args:
        length_s: age at which a sample is forgotten.
        clock: monotonic seconds.
    """

    def __init__(self, length_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.length_s = length_s
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque(maxlen=_MAX_SAMPLES)
        self._lock = threading.Lock()

    def add(self, value: float = 0.0) -> None:
        """Take a sample now."""
        with self._lock:
            self._samples.append((self._clock(), value))

    def values(self) -> list[float]:
        """The samples still in the window, oldest first."""
        with self._lock:
            self._forget()
            return [value for _, value in self._samples]

    def percentiles(self) -> Percentiles:
        """Of the samples in the window."""
        values = self.values()
        if not values:
            return Percentiles(np.nan, np.nan, np.nan, 0)
        p50, p95, p99 = (float(v) for v in np.percentile(values, [50, 95, 99]))
        return Percentiles(p50, p95, p99, len(values))

    def rate_hz(self) -> float:
        """Samples per second, from the first sample in the window to the last; 0 with fewer than 2.

        A stream that has stopped counts up to now, so that its rate falls.
        """
        with self._lock:
            self._forget()
            if len(self._samples) < 2:
                return 0.0
            first, last = self._samples[0][0], self._samples[-1][0]
            intervals = len(self._samples) - 1
            mean_s = (last - first) / intervals
            silent_s = self._clock() - last
        span_s = last - first + max(0.0, silent_s - 2 * mean_s)
        return intervals / span_s if span_s > 0 else 0.0

    def _forget(self) -> None:
        oldest = self._clock() - self.length_s
        while self._samples and self._samples[0][0] < oldest:
            self._samples.popleft()


@dataclass
class Notice:
    """A kind of fault: its latest message and how often it came.

    Attributes:
        message: one sentence.
        count: times since the node was configured.
        last_s: when it came last, monotonic.
        last_log_s: when it was logged last.
        unlogged: times since then.
        period_s: the least time to the next line in the log.
        is_over: its cause is gone.
    """

    message: str
    count: int
    last_s: float
    last_log_s: float
    unlogged: int
    period_s: float = LOG_PERIOD_S
    is_over: bool = False


class NoticeBoard:
    """Collects faults by kind. Thread-safe.

    Args:
        log: takes a line for the log.
        clock: monotonic seconds.
    """

    def __init__(
        self, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._clock = clock
        self._notices: dict[str, Notice] = {}
        self._lock = threading.Lock()

    def post(self, kind: str, message: str, is_logged: bool = True) -> None:
        """Note a fault.

        It reaches the log at once if its kind was quiet for a while; one that goes on is logged
        less and less often.
        """
        message = shown(message, _MAX_MESSAGE)  # some of it comes from the network
        now = self._clock()
        with self._lock:
            notice = self._notices.get(kind)
            if notice is None:
                notice = self._notices[kind] = Notice(message, 0, now, -LOG_PERIOD_S + now, 0)
            elif now - notice.last_s > ACTIVE_S:
                notice.period_s = LOG_PERIOD_S
            notice.message, notice.last_s, notice.is_over = message, now, False
            notice.count += 1
            if not is_logged:
                return
            if now - notice.last_log_s < notice.period_s:
                notice.unlogged += 1
                return
            more = f" ({notice.unlogged} more like it before)" if notice.unlogged else ""
            if notice.count > 1:
                notice.period_s = min(2 * notice.period_s, _MAX_LOG_PERIOD_S)
            notice.last_log_s, notice.unlogged = now, 0
        self._log(f"{message}{more}")

    def end(self, kind: str) -> None:
        """The cause of a kind of fault is gone: its notice ends too."""
        notice = self._notices.get(kind)
        if notice is not None:  # called for every image
            notice.is_over = True

    def active(self, *kinds: str) -> dict[str, Notice]:
        """The faults of the last seconds that are not over, of the kinds given or of all."""
        now = self._clock()
        with self._lock:
            return {
                kind: Notice(**vars(notice))
                for kind, notice in self._notices.items()
                if now - notice.last_s <= (_SEEN_S if notice.is_over else ACTIVE_S)
                and (not kinds or kind in kinds)
            }

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._notices.clear()


class Level(enum.Enum):
    """Severity, as in ``diagnostic_msgs/DiagnosticStatus``."""

    OK = b"\x00"
    WARN = b"\x01"
    ERROR = b"\x02"


@dataclass
class Status:
    """One entry of the array: a task of the node."""

    task: str
    level: Level
    message: str
    values: dict[str, str] = field(default_factory=dict)


def images_status(
    topic: str,
    qos: str,
    counts: Counts,
    input_rate_hz: float,
    output_rate_hz: float,
    held: tuple[int, int],
    losses: LossCounter,
    notices: Mapping[str, Notice],
) -> Status:
    """Images in and boxes out: rates, counts, and what is wrong with the images."""
    level, message = _worst(notices, f"{input_rate_hz:.1f} Hz in, {output_rate_hz:.1f} Hz out")
    return Status(
        "images",
        Level.ERROR if "no_images" in notices else level,
        message,
        {
            "topic": topic,
            "qos": qos,
            "input rate (Hz)": f"{input_rate_hz:.2f}",
            "output rate (Hz)": f"{output_rate_hz:.2f}",
            **{name: str(count) for name, count in vars(counts).items()},
            "lost on the way": str(losses.lost),
            "lost on the way, by": losses.source,
            "images held": str(held[0]),
            "images held (MB)": f"{held[1] / 1e6:.1f}",
        },
    )


def latency_status(windows: Mapping[str, SlidingWindow], is_sim_time: bool) -> Status:
    """Percentiles by stage, over the sliding window."""
    values: dict[str, str] = {}
    for stage, window in windows.items():
        stats = window.percentiles()
        if stats.samples:
            values[f"{stage} p50/p95/p99 (ms)"] = (
                f"{stats.p50:.2f} / {stats.p95:.2f} / {stats.p99:.2f}"
            )
    if not values:
        return Status("latency", Level.OK, "no image processed in the last seconds")
    if is_sim_time:
        values["stamp to box"] = "approximate: use_sim_time is on, the clock moves in steps"
    values["window (s)"] = f"{next(iter(windows.values())).length_s:g}"
    p50, _, p99, _ = windows["total"].percentiles()
    return Status(
        "latency", Level.OK, f"callback to box: p50 {p50:.1f} ms, p99 {p99:.1f} ms", values
    )


def model_status(
    info: BackendInfo | None, state: str, fault: str, notices: Mapping[str, Notice]
) -> Status:
    """The model and what runs it, or why there is none."""
    if fault:
        return Status("model", Level.ERROR, fault, {"lifecycle": state})
    if info is None:
        return Status("model", Level.OK, "not configured", {"lifecycle": state})
    level, message = _worst(notices, f"{info.model_name} on {info.backend} ({info.provider})")
    return Status(
        "model",
        Level.ERROR if notices else level,
        message,
        {
            "lifecycle": state,
            "backend": info.backend,
            "execution provider": info.provider,
            "device": info.device_name,
            "precision": info.precision,
            "model": info.model_name,
            "sha256": info.model_sha256,
            "files": "verified"
            if info.is_verified
            else "unverified: no manifest holds their hashes",
        },
    )


def targets_status(
    targets: Iterable[TargetStatus],
    is_enabled: bool,
    requests: RequestCounts,
    notices: Mapping[str, Notice],
) -> Status:
    """Which targets are followed, and what became of the requests for them.

    ``requested`` is the sum of accepted, refused, replaced and dropped.
    """
    targets = list(targets)
    summary = ", ".join(f"'{t.target_id}' {t.state.name}" for t in targets)
    level, message = _worst(notices, summary or State.IDLE.name)
    if any(t.state is State.LOST for t in targets):
        level = Level.WARN
    if not is_enabled:
        message = "disabled"
    return Status(
        "targets",
        level,
        message,
        {
            "enabled": str(is_enabled).lower(),
            **{f"target '{t.target_id}'": f"{t.state.name}, score {t.score:.3f}" for t in targets},
            **{name: str(count) for name, count in vars(requests).items()},
        },
    )


def no_image_message(
    topic: str, qos: str, silent_s: float, publishers: int, image_topics: Sequence[str]
) -> str:
    """One sentence on a silent topic, with what to try: the complaint heard most.

    Args:
        topic: the resolved topic of the images.
        qos: what this node asks for, in words.
        silent_s: how long no image came.
        publishers: publishers seen on the topic.
        image_topics: topics of the same type that somebody publishes.
    """
    start = f"no image on {topic} for {silent_s:.0f} s (QoS asked for: {qos})"
    if publishers:
        return (
            f"{start}, though it has {publishers} publisher{'s' if publishers > 1 else ''}: is the "
            "camera running? If it is, its images may be lost on the way, being larger than Fast "
            f"DDS's shared memory: start the camera with {profiles_variable()} set to "
            "config/fastdds_images.xml of this package, or use image_transport: compressed"
        )
    others = [name for name in image_topics if name != topic]
    if others:
        shown = ", ".join(others[:_MAX_TOPICS]) + (", ..." if len(others) > _MAX_TOPICS else "")
        return f"{start}: nobody publishes it; images are on {shown}: remap with image:=TOPIC"
    return (
        f"{start}: nobody publishes it, or discovery fails: compare ROS_DOMAIN_ID, "
        "ROS_AUTOMATIC_DISCOVERY_RANGE and RMW_IMPLEMENTATION on both sides"
    )


def _worst(notices: Mapping[str, Notice], otherwise: str) -> tuple[Level, str]:
    if not notices:
        return Level.OK, otherwise
    return Level.WARN, "; ".join(
        f"{notice.message} ({notice.count} times)" if notice.count > 1 else notice.message
        for notice in notices.values()
    )
