"""All figures of a replay by name; the unit is in the name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from litetrack_ros.geometry import FloatArray
from litetrack_ros.replay.accuracy import Accuracy
from litetrack_ros.replay.durations import Summary, jitter, rate_hz, summarise_durations
from litetrack_ros.replay.fates import ANSWERED, KINDS, Fates
from litetrack_ros.replay.records import STAGES
from litetrack_ros.replay.resource_use import ResourceUse
from litetrack_ros.replay.rows import Rows
from litetrack_ros.tracker.state import State

DEFAULT_WARM_UP = 10  # frames
INVALID_PLAYER_JITTER_MS = 5.0
# The node's time is part of the latency; the rest is the way there and back.
TRANSPORT = "transport"


@dataclass(frozen=True)
class Measured:
    """What a replay gave.

    Attributes:
        rows: every frame.
        fates: of the frames.
        node: the node's process.
        client_cpu_percent: player and collector, of one core.
        warm_up: frames at the beginning that do not count for latency, rates and misses.
        accuracy: None without ground truth.
        is_paced: whether frames were played at their times: without that there is no player
            jitter, and no streaming accuracy.
    """

    rows: Rows
    fates: Fates
    node: ResourceUse
    client_cpu_percent: float
    warm_up: int
    accuracy: Accuracy | None
    is_paced: bool

    @property
    def warm_up_frames(self) -> int:
        """The warm-up, of at most half the replay: a short one has figures too."""
        return min(self.warm_up, len(self.rows) // 2)


def stage_durations(rows: Rows) -> dict[str, FloatArray]:
    """Durations by stage in ms, ``(N,)`` each, with the way there and back as a stage."""
    transport = rows.latency_ms - rows.stages_ms["total"]
    return {TRANSPORT: transport, **{stage: rows.stages_ms[stage] for stage in STAGES}}


def stage_figure_names(measured: Measured) -> set[str]:
    """Names of the figures of the latency and its stages."""
    summary = summarise_durations(measured.rows.latency_ms)
    stages = ("latency", *stage_durations(measured.rows))
    return {name for stage in stages for name in _named(stage, summary)}


def player_jitter_ms(rows: Rows) -> Summary:
    """How much later than planned frames were published, ms."""
    return summarise_durations(1e3 * np.abs(rows.published_s - rows.planned_s))


def figures(measured: Measured) -> dict[str, float | None]:
    """The figures; None where there is nothing behind one."""
    rows, skip = measured.rows, measured.warm_up_frames
    latency = rows.latency_ms[skip:]
    missed = int((~rows.is_answered[skip:]).sum())
    result: dict[str, float] = {
        **_named("latency", summarise_durations(latency)),
        "latency_jitter_ms": jitter(latency),
    }
    for stage, values in stage_durations(rows).items():
        result.update(_named(stage, summarise_durations(values[skip:])))
    result |= {
        "input_rate_hz": rate_hz(rows.published_s[skip:]),
        "output_rate_hz": rate_hz(rows.answered_s[skip:]),
        "frames_published": len(rows),
        "frames_missed": missed,
        "frames_missed_percent": 100 * missed / len(latency) if len(latency) else math.nan,
        **{name: measured.fates.totals[name] for name in (ANSWERED, *KINDS)},
        "frames_lost_target": int((rows.state == State.LOST).sum()),
        "warm_up_frames": skip,
        "warm_up_latency_max_ms": summarise_durations(rows.latency_ms[:skip]).maximum,
        **_resources(measured.node),
        "client_cpu_percent": measured.client_cpu_percent,
    }
    result |= _accuracy(measured.accuracy, measured.is_paced)
    p95 = player_jitter_ms(rows).p95 if measured.is_paced else math.nan
    result["player_jitter_p95_ms"] = p95
    result["valid"] = float(not p95 > INVALID_PLAYER_JITTER_MS)
    return {name: _number(value) for name, value in result.items()}


def _named(what: str, summary: Summary) -> dict[str, float]:
    p50, p90, p95, p99, maximum, mean = summary
    values = {"p50": p50, "p90": p90, "p95": p95, "p99": p99, "max": maximum, "mean": mean}
    return {f"{what}_{name}_ms": value for name, value in values.items()}


def _resources(use: ResourceUse) -> Mapping[str, float]:
    values = {
        "node_cpu_percent": use.cpu_percent,
        "node_rss_mb": use.rss_mb,
        "node_rss_max_mb": use.rss_max_mb,
        "gpu_percent": use.gpu_percent,
        "gpu_power_w": use.gpu_power_w,
    }
    return {name: math.nan if value is None else value for name, value in values.items()}


def _accuracy(accuracy: Accuracy | None, is_paced: bool) -> Mapping[str, float]:
    if accuracy is None:
        return {}
    result = {f"accuracy_{name}": value for name, value in vars(accuracy.offline).items()}
    result["accuracy_frames"] = accuracy.offline_frames
    if is_paced:
        result |= {f"streaming_{name}": value for name, value in vars(accuracy.streaming).items()}
        result["streaming_frames"] = accuracy.streaming_frames
    return result


def _number(value: float) -> float | None:
    if isinstance(value, int):
        return value
    return round(float(value), 6) if math.isfinite(value) else None


def table(values: Mapping[str, Any]) -> list[list[str]]:
    """Name and value of every figure there is, for printing."""
    return [[name, format_figure(value)] for name, value in values.items() if value is not None]


def format_figure(value: float | None) -> str:
    """A figure with as many digits as mean something."""
    if value is None:
        return "-"
    if isinstance(value, int) or value == int(value):
        return str(int(value))
    return f"{value:.3f}"
