"""Small charts as SVG text: scatter over time, histogram, bars, timeline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from litetrack_ros.geometry import FloatArray

WIDTH, HEIGHT = 860, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 24, 12, 36  # the right one holds half a tick label
_MAX_TICKS = 6
_MAX_POINTS = 4000
_BLUE, _RED, _GREY = "#2563ab", "#c0392b", "#8a8f98"


class Span(NamedTuple):
    """A stretch of a timeline."""

    begin: float
    end: float
    color: str
    title: str


def scatter(x: FloatArray, y: FloatArray, missing_x: FloatArray, x_label: str, y_label: str) -> str:
    """Points, and marks at the bottom where a value is missing.

    Of many points the highest of every stretch is kept: it is the peaks that matter.
    """
    x, y = _thin(x, y)
    axes = _Axes(_limits(np.concatenate([x, missing_x])), (0.0, _upper(y)), x_label, y_label)
    marks = [
        f'<circle cx="{axes.x(a):.1f}" cy="{axes.y(b):.1f}" r="1.6" fill="{_BLUE}"/>'
        for a, b in zip(x, y, strict=True)
    ]
    marks += [
        f'<path d="M{axes.x(a):.1f} {axes.bottom} v-8" stroke="{_RED}" stroke-width="1.5"/>'
        for a in missing_x
    ]
    return axes.draw(marks)


def histogram(values: FloatArray, x_label: str, bins: int = 40) -> str:
    """How often values fall into equal stretches."""
    counts, edges = np.histogram(values, bins=bins)
    axes = _Axes((float(edges[0]), float(edges[-1])), (0.0, _upper(counts)), x_label, "frames")
    marks = []
    for count, begin, end in zip(counts, edges[:-1], edges[1:], strict=True):
        left, right, top = axes.x(begin), axes.x(end), axes.y(count)
        marks.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(right - left - 1, 0.5):.1f}" '
            f'height="{axes.bottom - top:.1f}" fill="{_BLUE}"/>'
        )
    return axes.draw(marks)


def bars(names: Sequence[str], medians: Sequence[float], highs: Sequence[float], unit: str) -> str:
    """A horizontal bar each, with a whisker to a high percentile, and the figures beside it."""
    row, label, figures = 24, 110, 170
    scale = (WIDTH - label - figures) / max([*highs, *medians, 1e-9])
    lines = []
    for at, (name, median, high) in enumerate(zip(names, medians, highs, strict=True)):
        top = at * row
        lines.append(
            f'<text x="{label - 8}" y="{top + 16}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{label}" y="{top + 4}" width="{median * scale:.1f}" height="15" '
            f'fill="{_BLUE}"/>'
            f'<path d="M{label} {top + 11.5} h{high * scale:.1f} m0 -5 v10" stroke="{_GREY}"/>'
            f'<text x="{label + high * scale + 6:.1f}" y="{top + 16}">'
            f"{median:.2f} / {high:.2f} {escape(unit)}</text>"
        )
    return _svg(len(names) * row + 4, lines)


def timeline(spans: Sequence[Span], end: float, x_label: str) -> str:
    """Coloured stretches on one line; a pointer on one shows its title."""
    height = 74
    axes = _Axes((0.0, max(end, 1e-9)), (0.0, 1.0), x_label, "", height)
    marks = [
        f'<rect x="{axes.x(s.begin):.1f}" y="{_TOP}" '
        f'width="{max(axes.x(s.end) - axes.x(s.begin), 0.8):.1f}" '
        f'height="{axes.bottom - _TOP}" fill="{s.color}"><title>{escape(s.title)}</title></rect>'
        for s in spans
    ]
    return axes.draw(marks)


class _Axes:
    """Maps values to pixels, and draws the frame around the marks."""

    def __init__(
        self,
        x_limits: tuple[float, float],
        y_limits: tuple[float, float],
        x_label: str,
        y_label: str,
        height: int = HEIGHT,
    ) -> None:
        self._x_limits, self._y_limits = x_limits, y_limits
        self._x_label, self._y_label = x_label, y_label
        self._height = height
        self.bottom = height - _BOTTOM

    def x(self, value: float) -> float:
        low, high = self._x_limits
        return float(_LEFT + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT))

    def y(self, value: float) -> float:
        low, high = self._y_limits
        return float(self.bottom - (value - low) / (high - low) * (self.bottom - _TOP))

    def draw(self, marks: Sequence[str]) -> str:
        lines = [
            f'<path d="M{_LEFT} {_TOP} V{self.bottom} H{WIDTH - _RIGHT}" fill="none" '
            f'stroke="{_GREY}"/>'
        ]
        for value in round_ticks(*self._x_limits):
            lines.append(
                f'<text x="{self.x(value):.1f}" y="{self.bottom + 15}" '
                f'text-anchor="middle">{value:.4g}</text>'
            )
        if self._y_label:
            for value in round_ticks(*self._y_limits):
                lines.append(
                    f'<text x="{_LEFT - 6}" y="{self.y(value) + 4:.1f}" '
                    f'text-anchor="end">{value:.4g}</text>'
                )
            lines.append(f'<text x="{_LEFT + 6}" y="{_TOP + 8}">{escape(self._y_label)}</text>')
        lines.append(
            f'<text x="{WIDTH - _RIGHT}" y="{self._height - 6}" text-anchor="end">'
            f"{escape(self._x_label)}</text>"
        )
        return _svg(self._height, [*lines, *marks])


def round_ticks(low: float, high: float) -> list[float]:
    """At most six multiples of 1, 2 or 5 times a power of ten from ``low`` to a higher ``high``."""
    decade = 10.0 ** math.floor(math.log10((high - low) / _MAX_TICKS))
    for step in (decade * factor for factor in (1, 2, 5, 10)):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first < _MAX_TICKS:
            break
    return [index * step for index in range(first, last + 1)]


def _svg(height: int, lines: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-size="11" font-family="sans-serif" fill="#333">{"".join(lines)}</svg>'
    )


def _limits(values: FloatArray) -> tuple[float, float]:
    if values.size == 0:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low, low + 1.0)


def _upper(values: FloatArray) -> float:
    return 1.05 * float(values.max()) if values.size and values.max() > 0 else 1.0


def _thin(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    if len(x) <= _MAX_POINTS:
        return x, y
    parts = np.array_split(np.arange(len(x)), _MAX_POINTS)
    chosen = [int(part[np.argmax(y[part])]) for part in parts]
    return x[chosen], y[chosen]
