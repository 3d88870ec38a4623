"""All figures of a replay by name, the unit in the name: durations, rates, fates, accuracy.

Accuracy is that of each box for its own frame, and that of the newest box at every moment. The
second is streaming accuracy (Li, Wang and Ramanan, "Towards Streaming Perception", ECCV 2020): at
the time of a ground-truth frame only boxes that have arrived count, so that a late box is compared
with where the target is by then.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import ConfigError
from litetrack_ros.evaluation.metrics import OverlapScores, summarise
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.replay.fates import ANSWERED, KINDS, STAGES, Fates, IntArray, Rows
from litetrack_ros.replay.node_process import ResourceUse
from litetrack_ros.tracker.state import State

INVALID_PLAYER_JITTER_MS = 5.0
# The node's time is part of the latency; the rest is the way there and back.
TRANSPORT = "transport"


class Summary(NamedTuple):
    """Percentiles (linear interpolation), mean and maximum of a sample; NaN for none."""

    p50: float
    p90: float
    p95: float
    p99: float
    maximum: float
    mean: float


def summarise_durations(values: FloatArray) -> Summary:
    """The summary of the values that are not NaN."""
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Summary(*[math.nan] * 6)
    p50, p90, p95, p99 = (float(v) for v in np.percentile(values, [50, 90, 95, 99]))
    return Summary(p50, p90, p95, p99, float(values.max()), float(values.mean()))


def jitter(values: FloatArray) -> float:
    """Mean absolute difference between successive values, NaN left out (as of RFC 3550).

    NaN for fewer than two.
    """
    values = values[np.isfinite(values)]
    return float(np.abs(np.diff(values)).mean()) if values.size > 1 else math.nan


def rate_hz(moments_s: FloatArray) -> float:
    """Events a second, from the first to the last; NaN for fewer than two."""
    moments = moments_s[np.isfinite(moments_s)]
    if moments.size < 2 or moments.max() == moments.min():
        return math.nan
    return float((moments.size - 1) / (moments.max() - moments.min()))


@dataclass(frozen=True)
class Accuracy:
    """Overlaps with the ground truth.

    Attributes:
        offline: of the answered frames; a frame in which the node had no target counts as 0.
        offline_frames: how many those are.
        streaming: of all frames; before the first box there is the init box.
        streaming_frames: how many those are.
        overlaps: of each frame's own box, ``(N,)``, NaN where it is not scored.
    """

    offline: OverlapScores
    offline_frames: int
    streaming: OverlapScores
    streaming_frames: int
    overlaps: FloatArray


def score(
    rows: Rows, truth_xywh: FloatArray, init_frame: int, init_box_xywh: FloatArray
) -> Accuracy:
    """Compare boxes with the ground truth.

    The init frame, frames before it, and frames without ground truth are not scored.

    Args:
        rows: the replay.
        truth_xywh: ground truth of every row, ``(N, 4)``, NaN where there is none.
        init_frame: position of the init box's frame in a pass.
        init_box_xywh: ``(4,)``.
    """
    scored = np.isfinite(truth_xywh).all(axis=1) & (rows.frame > init_frame)
    own = np.nan_to_num(overlap(rows.boxes_xywh, truth_xywh), nan=0.0)
    answered = scored & rows.is_answered
    newest = newest_boxes(
        rows.published_s, *_answers(rows, rows.frame == init_frame, init_box_xywh)
    )
    streaming = np.nan_to_num(overlap(newest, truth_xywh), nan=0.0)
    return Accuracy(
        offline=summarise(own[answered]),
        offline_frames=int(answered.sum()),
        streaming=summarise(streaming[scored]),
        streaming_frames=int(scored.sum()),
        overlaps=np.where(answered, own, np.nan),
    )


def newest_boxes(
    moments_s: FloatArray, arrived_s: FloatArray, index: IntArray, boxes_xywh: FloatArray
) -> FloatArray:
    """The box of the newest frame among those that have arrived, at every moment.

    Args:
        moments_s: ``(N,)``.
        arrived_s: arrival of every box, ``(M,)``; one that arrives at a moment counts there.
        index: of the frame each box belongs to, ``(M,)``; the larger the newer.
        boxes_xywh: ``(M, 4)``; NaN says that there is no target.

    Returns:
        ``(N, 4)``, NaN before the first arrival.
    """
    order = np.lexsort((index, arrived_s))
    newest_so_far = np.maximum.accumulate(index[order])
    row_of = {int(number): row for row, number in enumerate(index)}
    upto = np.searchsorted(arrived_s[order], moments_s, side="right") - 1
    result = np.full((len(moments_s), 4), np.nan)
    for at, last in enumerate(upto):
        if last >= 0:
            result[at] = boxes_xywh[row_of[int(newest_so_far[last])]]
    return result


def _answers(
    rows: Rows, is_init: npt.NDArray[np.bool_], init_box_xywh: FloatArray
) -> tuple[FloatArray, IntArray, FloatArray]:
    """All boxes with their arrival; an init box is known from its frame's publication on."""
    arrived_s = np.where(is_init, rows.published_s, rows.answered_s)
    boxes = np.where(is_init[:, None], init_box_xywh, rows.boxes_xywh)
    known = np.isfinite(arrived_s)
    return arrived_s[known], rows.index[known], boxes[known]


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


def format_figure(value: float | None) -> str:
    """A figure with as many digits as mean something."""
    if value is None:
        return "-"
    if isinstance(value, int) or value == int(value):
        return str(int(value))
    return f"{value:.3f}"


def read_figures(path: Path) -> dict[str, float | None]:
    """The figures of a report's JSON file.

    Raises:
        ConfigError: not such a file.
    """
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
        return {str(k): None if v is None else float(v) for k, v in figures.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is no report of litetrack bag replay: {error}") from error


def comparison(
    before: Mapping[str, float | None], after: Mapping[str, float | None]
) -> list[list[str]]:
    """Rows of figure, first, second, difference, and difference in percent of the first."""
    rows = []
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name), after.get(name)
        if a is None and b is None:
            continue
        difference, percent = "-", "-"
        if a is not None and b is not None:
            difference = f"{b - a:+.3f}"
            percent = f"{100 * (b - a) / abs(a):+.1f}" if a else "-"
        rows.append([name, format_figure(a), format_figure(b), difference, percent])
    return rows
