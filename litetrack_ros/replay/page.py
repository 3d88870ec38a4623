"""The report as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from litetrack_ros.replay.figures import Measured, format_figure, stage_durations
from litetrack_ros.report import svg
from litetrack_ros.tracker.state import State

_STYLE = (
    "body{font-family:sans-serif;max-width:900px;margin:24px auto;padding:0 12px;color:#222}"
    "h1{font-size:22px}h2{font-size:16px;margin:26px 0 6px}table{border-collapse:collapse}"
    "td,th{padding:2px 14px 2px 0;text-align:left;font-size:13px;vertical-align:top}"
    "figure{display:inline-block;margin:4px}figcaption{font-size:12px;max-width:280px}"
    ".warn{color:#a33}svg{max-width:100%}"
)
_COLORS = {
    State.INITIALISING: "#5b8def",
    State.TRACKING: "#3a9d5d",
    State.LOST: "#d9534f",
    None: "#c9ccd1",
    "missed": "#333333",
}
_SHOWN = (
    "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "latency_max_ms", "output_rate_hz",
    "frames_published", "frames_missed", "accuracy_ao", "streaming_ao", "node_cpu_percent",
    "node_rss_mb", "player_jitter_p95_ms",
)  # fmt: skip


class Thumbnail(NamedTuple):
    """A picture of a frame, JPEG, and what to say of it."""

    jpeg: bytes
    caption: str


def page(
    title: str,
    measured: Measured,
    figures: Mapping[str, float | None],
    metadata: Mapping[str, Any],
    notes: Sequence[str],
    thumbnails: Sequence[Thumbnail],
) -> str:
    """The HTML text.

    Args:
        title: heading.
        measured: the replay, at least one frame.
        figures: by name.
        metadata: by name, nested at most once.
        notes: warnings and failures, a sentence each.
        thumbnails: of the worst frames.
    """
    rows = measured.rows
    time_s = rows.published_s - rows.published_s[0]
    answered = rows.is_answered
    parts = [f"<p class=warn>{escape(note)}</p>" for note in notes]
    parts.append(
        _table([(n, format_figure(figures[n])) for n in _SHOWN if figures.get(n) is not None])
    )
    if answered.any():
        latency = rows.latency_ms[answered]
        parts += [
            "<h2>Latency over time (red: frames without an answer)</h2>",
            svg.scatter(time_s[answered], latency, time_s[~answered], "s", "latency, ms"),
            "<h2>Latency histogram</h2>",
            svg.histogram(latency, "latency, ms"),
            "<h2>Stages: median / 95th percentile</h2>",
            _stages(measured),
        ]
    parts += [
        "<h2>State of the target</h2>",
        svg.timeline(_spans(measured), float(time_s[-1]), "s"),
        "<p>" + " ".join(_legend(key) for key in _COLORS) + "</p>",
    ]
    if thumbnails:
        parts.append("<h2>Worst frames</h2>")
        parts += [
            f'<figure><img src="data:image/jpeg;base64,{base64.b64encode(t.jpeg).decode()}">'
            f"<figcaption>{escape(t.caption)}</figcaption></figure>"
            for t in thumbnails
        ]
    parts += ["<h2>All figures</h2>", _table([(n, format_figure(v)) for n, v in figures.items()])]
    parts += ["<h2>Conditions</h2>", _table(_flat(metadata))]
    heading = escape(title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{heading}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{heading}</h1>{''.join(parts)}</body></html>\n"
    )


def _stages(measured: Measured) -> str:
    names, medians, highs = [], [], []
    for name, values in stage_durations(measured.rows).items():
        found = values[measured.warm_up_frames :]
        found = found[np.isfinite(found)]
        if found.size:
            names.append(name)
            medians.append(float(np.median(found)))
            highs.append(float(np.percentile(found, 95)))
    return svg.bars(names, medians, highs, "ms")


def _spans(measured: Measured) -> list[svg.Span]:
    """Stretches of one state, frames without an answer apart."""
    rows = measured.rows
    time_s = rows.published_s - rows.published_s[0]
    keys: list[Any] = [
        "missed" if not answered else (State(state) if state >= 0 else None)
        for answered, state in zip(rows.is_answered, rows.state, strict=True)
    ]
    spans, begin = [], 0
    for at in range(1, len(keys) + 1):
        if at < len(keys) and keys[at] == keys[begin]:
            continue
        end_s = float(time_s[min(at, len(keys) - 1)])
        title = f"{_state_name(keys[begin])}, frames {begin} to {at - 1}"
        spans.append(svg.Span(float(time_s[begin]), end_s, _COLORS[keys[begin]], title))
        begin = at
    return spans


def _state_name(key: Any) -> str:
    if key is None:
        return "no target"
    return key.name if isinstance(key, State) else str(key)


def _legend(key: Any) -> str:
    return f'<span style="color:{_COLORS[key]}">&#9632;</span> {_state_name(key)}'


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
    return f"<table>{cells}</table>"


def _flat(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    result = []
    for name, value in metadata.items():
        if isinstance(value, Mapping):
            result += [(f"{name}: {key}", str(inner)) for key, inner in value.items()]
        else:
            result.append((name, str(value)))
    return result
