"""What /diagnostics says: statuses made of plain values, then turned into the message."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from litetrack_ros.backends.base import BackendInfo
from litetrack_ros.node.frame_slot import Counts
from litetrack_ros.node.notices import Notice
from litetrack_ros.node.statistics import SlidingWindow
from litetrack_ros.node.worker import TargetStatus
from litetrack_ros.tracker.state import State


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


def diagnostic_array(
    stamp: Time, node_name: str, hardware_id: str, statuses: Iterable[Status]
) -> DiagnosticArray:
    """The message, with names ``node: task``."""
    return DiagnosticArray(
        header=Header(stamp=stamp),
        status=[
            DiagnosticStatus(
                level=status.level.value,
                name=f"{node_name}: {status.task}",
                message=status.message,
                hardware_id=hardware_id,
                values=[KeyValue(key=k, value=v) for k, v in status.values.items()],
            )
            for status in statuses
        ],
    )


def images_status(
    topic: str,
    qos: str,
    counts: Counts,
    input_rate_hz: float,
    output_rate_hz: float,
    held: tuple[int, int],
    notices: Mapping[str, Notice],
) -> Status:
    """Images in and boxes out: rates, counts, and what is wrong with the images."""
    return Status(
        "images",
        *_worst(notices, f"{input_rate_hz:.1f} Hz in, {output_rate_hz:.1f} Hz out"),
        {
            "topic": topic,
            "qos": qos,
            "input rate (Hz)": f"{input_rate_hz:.2f}",
            "output rate (Hz)": f"{output_rate_hz:.2f}",
            **{name: str(count) for name, count in vars(counts).items()},
            "images held for init boxes": str(held[0]),
            "images held for init boxes (MB)": f"{held[1] / 1e6:.1f}",
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
        },
    )


def targets_status(
    targets: Iterable[TargetStatus],
    is_enabled: bool,
    inits_accepted: int,
    inits_refused: int,
    notices: Mapping[str, Notice],
) -> Status:
    """Which targets are followed, and what became of init boxes."""
    targets = list(targets)
    summary = ", ".join(f"'{t.target_id}' {t.state.name}" for t in targets)
    level, message = _worst(notices, summary or State.IDLE.name)
    if not is_enabled:
        message = "disabled"
    return Status(
        "targets",
        level,
        message,
        {
            "enabled": str(is_enabled).lower(),
            **{f"target '{t.target_id}'": f"{t.state.name}, score {t.score:.3f}" for t in targets},
            "init boxes accepted": str(inits_accepted),
            "init boxes refused": str(inits_refused),
        },
    )


def _worst(notices: Mapping[str, Notice], otherwise: str) -> tuple[Level, str]:
    if not notices:
        return Level.OK, otherwise
    return Level.WARN, "; ".join(
        f"{notice.message} ({notice.count} times)" if notice.count > 1 else notice.message
        for notice in notices.values()
    )
