"""A comparison as one static HTML file: tables, plots, and strips of the worst sequences."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from litetrack_ros import __version__
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.evaluation.comparison import Comparison, Curve, paper_figures
from litetrack_ros.evaluation.results import read_run
from litetrack_ros.images import to_bgr8
from litetrack_ros.media.drawing import draw_box, tile
from litetrack_ros.opencv import cv2

COLORS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f")
STRIP_FRAMES = 6
STRIP_WIDTH_PX = 220
_TRUTH_BGR, _RESULT_BGR = (80, 220, 80), (60, 60, 240)
_PLOT_WIDTH, _PLOT_HEIGHT, _MARGIN = 420, 300, 42
_STYLE = (
    "body{font-family:sans-serif;max-width:60em;margin:2em auto;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}"
)


def html_report(comparison: Comparison, results: dict[str, Path], worst: int = 5) -> str:
    """The page.

    Args:
        comparison: what to show.
        results: folders of result files, as it was made from.
        worst: sequences of the first tracker to show pictures of.
    """
    c = comparison
    title = f"{c.benchmark}: {len(c.sequences)} sequences"
    rows = [
        [name, *(f"{v:.1f}" for v in values), f"{c.fps[name]:.0f}" if name in c.fps else ""]
        for name, values in c.figures.items()
    ]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>Per cent, by the convention <code>{c.convention}</code>; litetrack_ros "
        f"{__version__}.</p>",
        _table(["tracker", *c.columns, "fps"], rows),
    ]
    columns, paper = paper_figures(c.benchmark)
    if paper:
        parts += [
            "<h2>The paper's figures</h2>",
            _table(
                ["variant", *columns],
                [[name, *(f"{v:.1f}" for v in values)] for name, values in paper.items()],
            ),
        ]
    differences = c.differences()
    if differences:
        parts += [
            f"<h2>Differences in {c.columns[0]}</h2><p>Paired bootstrap over sequences.</p>",
            _table(
                ["trackers", "difference", "95 % interval", "better in"],
                [
                    [
                        f"{a} - {b}",
                        f"{d.mean:+.2f}",
                        f"{d.low:+.2f} to {d.high:+.2f}",
                        f"{100 * d.share_above:.1f} %",
                    ]
                    for a, b, d in differences
                ],
            ),
        ]
    parts += ["<h2>Plots</h2>", *(curve_svg(curve) for curve in c.curves)]
    if c.attributes:
        rows = [
            [tag, *(f"{values[name]:.1f}" for name in c.figures)]
            for tag, values in c.attributes.items()
        ]
        parts += [f"<h2>{c.columns[0]} by attribute</h2>", _table(["attribute", *c.figures], rows)]
    parts += _worst(comparison, results, worst)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )


def curve_svg(curve: Curve) -> str:
    """A plot as SVG, with a legend in the order of the areas under the lines."""
    width, height, top = _PLOT_WIDTH, _PLOT_HEIGHT, float(curve.x[-1])
    inner_w, inner_h = width - 2 * _MARGIN, height - 2 * _MARGIN
    order = sorted(curve.lines, key=lambda n: -float(np.mean(curve.lines[n])))
    marks = []
    for k in range(6):
        x, y = _MARGIN + inner_w * k / 5, height - _MARGIN - inner_h * k / 5
        marks.append(
            f'<path d="M{_MARGIN} {y:.1f}H{width - _MARGIN}M{x:.1f} {_MARGIN}V{height - _MARGIN}" '
            'stroke="#ddd"/>'
            f'<text x="{x:.1f}" y="{height - _MARGIN + 14}" text-anchor="middle">'
            f"{top * k / 5:g}</text>"
            f'<text x="{_MARGIN - 4}" y="{y + 4:.1f}" text-anchor="end">{20 * k}</text>'
        )
    for row, name in enumerate(order):
        color = COLORS[list(curve.lines).index(name) % len(COLORS)]
        points = " ".join(
            f"{_MARGIN + inner_w * x / top:.1f},{height - _MARGIN - inner_h * y / 100:.1f}"
            for x, y in zip(curve.x, curve.lines[name], strict=True)
        )
        marks.append(f'<polyline points="{points}" fill="none" stroke="{color}"/>')
        marks.append(
            f'<text x="{width - _MARGIN - 4}" y="{_MARGIN + 14 + 13 * row}" text-anchor="end" '
            f'fill="{color}">{html.escape(name)}</text>'
        )
    middle = width / 2
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" font-size="11" '
        f'font-family="sans-serif">{"".join(marks)}'
        f'<text x="{middle}" y="20" text-anchor="middle" font-size="14">'
        f"{html.escape(curve.title)}, per cent of frames</text>"
        f'<text x="{middle}" y="{height - 8}" text-anchor="middle">{html.escape(curve.x_label)}'
        "</text></svg>"
    )


def _worst(comparison: Comparison, results: dict[str, Path], count: int) -> list[str]:
    name = next(iter(comparison.figures))
    values = comparison.per_sequence[name]
    order = [int(k) for k in np.argsort(values) if np.isfinite(values[k])][:count]
    parts = [
        f"<h2>Worst sequences of {html.escape(name)}</h2><p>Green: ground truth, red: result.</p>"
    ]
    for k in order:
        sequence = comparison.sequences[k]
        picture = _strip(sequence, read_run(results[name], sequence.name).boxes_xywh)
        data = base64.b64encode(cv2.imencode(".jpg", picture)[1].tobytes()).decode()
        parts.append(
            f"<p>{html.escape(sequence.name)}: {values[k]:.1f}<br>"
            f'<img alt="" src="data:image/jpeg;base64,{data}"></p>'
        )
    return parts


def _strip(sequence: AnnotatedSequence, boxes: np.ndarray) -> np.ndarray:
    count = min(len(sequence), len(boxes))
    wanted = set(np.linspace(0, count - 1, STRIP_FRAMES).round().astype(int).tolist())
    panels: list[np.ndarray] = []
    for number, frame in enumerate(sequence.frames()):
        if number not in wanted:
            continue
        image = to_bgr8(frame.image).copy()
        draw_box(image, sequence.boxes_xywh[number], _TRUTH_BGR)
        draw_box(image, boxes[number], _RESULT_BGR)
        height = round(STRIP_WIDTH_PX * image.shape[0] / image.shape[1])
        panels.append(cv2.resize(image, (STRIP_WIDTH_PX, height), interpolation=cv2.INTER_AREA))
    return tile(panels, STRIP_FRAMES // 2)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
