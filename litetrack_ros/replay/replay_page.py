"""The report of a replay as one HTML page that needs nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from litetrack_ros.replay.fates import Rows
from litetrack_ros.replay.measures import Measured, format_figure, stage_durations
from litetrack_ros.report import charts
from litetrack_ros.report.html_page import Picture, Section, Table, render
from litetrack_ros.tracker.state import State

_MISSED, _NO_TARGET = "missed", "no target"
_COLORS = {
    State.INITIALISING.name: "#5b8def",
    State.TRACKING.name: "#3a9d5d",
    State.LOST.name: "#d9534f",
    _NO_TARGET: "#a9adb3",
    _MISSED: "#d39e00",
}
_SHOWN = (
    "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "latency_max_ms", "output_rate_hz",
    "frames_published", "frames_missed", "accuracy_ao", "streaming_ao", "node_cpu_percent",
    "node_rss_mb", "player_jitter_p95_ms",
)  # fmt: skip


def page(
    title: str,
    measured: Measured,
    figures: Mapping[str, float | None],
    metadata: Mapping[str, Any],
    notes: Sequence[str],
    thumbnails: Sequence[Picture],
) -> str:
    """The HTML text.

    Args:
        title: heading.
        measured: the replay, at least one frame.
        figures: by name.
        metadata: by name, nested at most once.
        notes: warnings and failures, a sentence each.
        thumbnails: of the worst frames.

    Raises:
        MissingDependencyError: what makes pages is not installed.
    """
    rows = measured.rows
    time_s = rows.published_s - rows.published_s[0]
    latency = charts.scatter(time_s, rows.latency_ms, "latency, ms")
    state = charts.timeline(_stretches(measured), _COLORS, latency)
    shown = [(n, format_figure(figures[n])) for n in _SHOWN if figures.get(n) is not None]
    sections = [
        Section("", table=Table((), shown)),
        Section("Latency over time", _told(rows), [latency]),
        Section("State of the target", charts=[state]),
    ]
    if rows.is_answered.any():
        answered = rows.latency_ms[rows.is_answered]
        sections += [
            Section("Latency histogram", charts=[charts.histogram(answered, "latency, ms")]),
            Section("Stages: median / 95th percentile", charts=[_stages(measured)]),
        ]
    if thumbnails:
        sections.append(Section("Worst frames", pictures=thumbnails))
    everything = [(name, format_figure(value)) for name, value in figures.items()]
    sections += [
        Section("All figures", table=Table((), everything)),
        Section("Conditions", table=Table((), _flat(metadata))),
    ]
    return render(title, sections, notes)


def _told(rows: Rows) -> str:
    """What to know of the chart of latencies."""
    missed = int((~rows.is_answered).sum())
    text = f"{len(rows) - missed} frames, and a red line for each of {missed} without an answer."
    if max(missed, len(rows) - missed) > charts.MOST_MARKS:
        text += (
            f" Above {charts.MOST_MARKS} marks the highest of every few neighbours is drawn: every "
            "peak is there, and what lies below may be missing."
        )
    return text


def _stages(measured: Measured) -> charts.Chart:
    names, medians, highs = [], [], []
    for name, values in stage_durations(measured.rows).items():
        found = values[measured.warm_up_frames :]
        found = found[np.isfinite(found)]
        if found.size:
            names.append(name)
            medians.append(float(np.median(found)))
            highs.append(float(np.percentile(found, 95)))
    return charts.bars(names, medians, highs, "ms")


def _stretches(measured: Measured) -> list[charts.Stretch]:
    """Stretches of one state, frames without an answer apart."""
    rows = measured.rows
    time_s = rows.published_s - rows.published_s[0]
    kinds = [
        _MISSED if not answered else (State(state).name if state > State.IDLE else _NO_TARGET)
        for answered, state in zip(rows.is_answered, rows.state, strict=True)
    ]
    found, begin = [], 0
    for at in range(1, len(kinds) + 1):
        if at < len(kinds) and kinds[at] == kinds[begin]:
            continue
        end_s = float(time_s[min(at, len(kinds) - 1)])
        frames = f"{begin} to {at - 1}"
        found.append(charts.Stretch(float(time_s[begin]), end_s, kinds[begin], frames))
        begin = at
    return found


def _flat(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    result = []
    for name, value in metadata.items():
        if isinstance(value, Mapping):
            result += [(f"{name}: {key}", str(inner)) for key, inner in value.items()]
        else:
            result.append((name, str(value)))
    return result
