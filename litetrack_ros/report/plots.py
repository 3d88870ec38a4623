"""Plots for a paper, as PNG and PDF; :mod:`litetrack_ros.report.charts` has those of pages.

matplotlib draws them, as Bokeh makes such files with a browser only. It is optional and imported
when the first plot is made; without it these functions raise ``MissingDependencyError``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from litetrack_ros.dependencies import require
from litetrack_ros.errors import MediaError
from litetrack_ros.files import replacing
from litetrack_ros.geometry import FloatArray
from litetrack_ros.report.charts import COLORS

SUFFIXES = (".png", ".pdf")
_DPI = 200
_DASHES = ("-", "--", ":", "-.")
_MARKS = "osD^vP*X"


class Point(NamedTuple):
    """A named point of :func:`write_points`.

    Attributes:
        x, y: where.
        group: points of one group look alike; the legend names groups.
    """

    x: float
    y: float
    group: str


def write_lines(
    path: Path,
    lines: Mapping[str, tuple[FloatArray, FloatArray]],
    x_label: str,
    y_label: str,
    marked: bool = False,
    note: str = "",
) -> list[Path]:
    """Draw lines, told apart by colour and dashes.

    Args:
        path: of the files, without a suffix.
        lines: x and y by name, ``(K,)`` each.
        x_label, y_label: of the axes.
        marked: also draw the points.
        note: stands below the plot, such as where its numbers come from.

    Returns:
        The files written, one a suffix of :data:`SUFFIXES`.

    Raises:
        MissingDependencyError: matplotlib is not installed.
        MediaError: a file cannot be written.
    """
    figure, axes = _axes(x_label, y_label, note)
    for k, (name, (x, y)) in enumerate(lines.items()):
        axes.plot(
            x,
            y,
            color=COLORS[k % len(COLORS)],
            linestyle=_DASHES[k // len(COLORS) % len(_DASHES)],
            marker=_MARKS[k % len(_MARKS)] if marked else None,
            label=name,
        )
    axes.legend(fontsize=7, loc="best", framealpha=0.6)
    return _save(figure, path)


def write_bars(
    path: Path, groups: Sequence[str], values: Mapping[str, Sequence[float]], y_label: str
) -> list[Path]:
    """Draw bars side by side in groups; a NaN is left out. See :func:`write_lines`.

    Args:
        path: of the files, without a suffix.
        groups: names below the axis.
        values: a height for every group, by the bars' names.
        y_label: of the axis.
    """
    width = 0.8 / len(values)
    figure, axes = _axes("", y_label, "", max(5.0, 0.45 * len(groups) * len(values) ** 0.5))
    for k, (name, heights) in enumerate(values.items()):
        places = [i + (k - (len(values) - 1) / 2) * width for i in range(len(groups))]
        axes.bar(places, heights, width, color=COLORS[k % len(COLORS)], label=name)
    axes.set_xticks(range(len(groups)), groups, rotation=45, ha="right", fontsize=7)
    figure.legend(loc="outside upper center", ncols=min(6, len(values)), fontsize=7)
    return _save(figure, path)


def write_points(
    path: Path, points: Mapping[str, Point], x_label: str, y_label: str, note: str = ""
) -> list[Path]:
    """Draw named points. See :func:`write_lines`."""
    groups = list(dict.fromkeys(point.group for point in points.values()))
    figure, axes = _axes(x_label, y_label, note, 7.0)
    for k, group in enumerate(groups):
        inside = [point for point in points.values() if point.group == group]
        axes.scatter(
            [point.x for point in inside],
            [point.y for point in inside],
            color=COLORS[k % len(COLORS)],
            marker=_MARKS[k % len(_MARKS)],
            label=group,
        )
    axes.margins(x=0.12)  # room for the last name
    spans = [max(ends) - min(ends) for ends in zip(*(p[:2] for p in points.values()), strict=True)]
    placed: list[Point] = []
    for name, point in points.items():
        crowded = any(
            abs(point.x - p.x) < 0.12 * spans[0] and abs(point.y - p.y) < 0.03 * spans[1]
            for p in placed
        )
        placed.append(point)
        at, offset = (point.x, point.y), (4, -9 if crowded else 3)
        axes.annotate(name, at, xytext=offset, textcoords="offset points", fontsize=6)
    axes.legend(fontsize=7)
    return _save(figure, path)


def _axes(x_label: str, y_label: str, note: str, width: float = 5.0) -> tuple[Any, Any]:
    """A figure that knows no window, and its axes."""
    figure = require("matplotlib.figure").Figure(figsize=(width, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    if note:
        figure.supxlabel(note, fontsize=6)
    return figure, axes


def _save(figure: Any, path: Path) -> list[Path]:
    written = []
    for suffix in SUFFIXES:
        file = path.with_name(path.name + suffix)
        with replacing(file) as temporary:
            try:
                # Without a date, so that the same figures give the same file.
                dated = {"metadata": {"CreationDate": None}} if suffix == ".pdf" else {}
                figure.savefig(temporary, dpi=_DPI, **dated)
            except OSError as error:
                raise MediaError(f"cannot write {file}: {error.strerror or error}") from error
        written.append(file)
    return written
