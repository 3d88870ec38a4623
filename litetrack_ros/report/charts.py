"""Charts for a page: a pointer on a mark shows its figures, a drag or Ctrl + wheel zooms.

Bokeh draws them on a canvas in the browser. It is optional and loads slowly, so that it is
imported when the first chart is made; without it these functions raise ``MissingDependencyError``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from litetrack_ros.dependencies import require
from litetrack_ros.geometry import FloatArray

Chart: TypeAlias = Any  # Bokeh's figure: its types would need it to be installed
# Of one kind in a chart: what a browser redraws without a pause, and what fits into a page.
MOST_MARKS = 20_000
# Distinct for most eyes, and to be seen on white as on black.
COLORS = ("#d64550", "#2f80d0", "#2e9e5b", "#9a6dd7", "#e08214", "#a0674b", "#17a2b8", "#8a8f98")
_RED, _BLUE, _GREY = COLORS[0], COLORS[1], COLORS[-1]
# While one zooms, Bokeh draws every tenth of more than 2000 marks, but all of a smaller group: so
# that peaks stay in view, they are one.
_KEPT_PEAKS = 1500
_HEIGHT_PX = 280
_LEFT_PX = 60  # the same for charts of the same times
_ROW_PX = 26  # of a horizontal bar
_LEGEND_LETTERS = 40  # of names side by side
_LEGEND_ROW_PX = 28


class Line(NamedTuple):
    """A line of :func:`curves`, and the band around it.

    Attributes:
        x, y: points, ``(K,)`` each; NaN leaves a gap.
        color: as CSS has it.
        low, high: the band's edges, ``(K,)`` each, or None.
    """

    x: FloatArray
    y: FloatArray
    color: str
    low: FloatArray | None = None
    high: FloatArray | None = None


class Stretch(NamedTuple):
    """A part of a :func:`timeline`: ``kind`` from ``begin`` to ``end``, in these frames."""

    begin: float
    end: float
    kind: str
    frames: str


def scatter(time_s: FloatArray, values: FloatArray, label: str) -> Chart:
    """A value of every frame over time, and a red line where a frame has none.

    Of more than :data:`MOST_MARKS` values the highest of every few is drawn: it is the peaks
    that matter.

    Args:
        time_s: of every frame, ``(N,)``.
        values: of every frame, ``(N,)``; NaN is a miss.
        label: of the values, with their unit.
    """
    plot = _plot("time, s", label)
    missed = np.flatnonzero(np.isnan(values))
    missed = missed[highest(np.zeros(len(missed)))]
    # Lines over the whole height stay in view however far one zooms in.
    lines = plot.vspan(
        "time", line_color=_RED, line_alpha=0.5, source=_source(time=time_s[missed], frame=missed)
    )
    found = np.flatnonzero(~np.isnan(values))
    found = found[highest(values[found])]
    peaks = highest(values[found], _KEPT_PEAKS)
    points = [
        plot.scatter(
            "time",
            "value",
            size=4,
            fill_color=_BLUE,
            line_color=None,
            source=_source(time=time_s[some], value=values[some], frame=some),
        )
        for some in (np.delete(found, peaks), found[peaks])
    ]
    time = ("time", "@time{0.000} s")
    _hover(plot, points, [("frame", "@frame"), time, (label, "@value{0.00}")])
    _hover(plot, [lines], [("no answer to frame", "@frame"), time])
    plot.y_range.start = 0
    return plot


def histogram(values: FloatArray, label: str, bins: int = 40) -> Chart:
    """How many frames have a value in each of equal stretches.

    Args:
        values: ``(N,)``, at least one.
        label: of the values, with their unit.
        bins: number of stretches.
    """
    counts, edges = np.histogram(values, bins=bins)
    plot = _plot(label, "frames")
    bars = plot.quad(
        left="low",
        right="high",
        bottom=0,
        top="frames",
        fill_color=_BLUE,
        line_color=None,
        source=_source(low=edges[:-1], high=edges[1:], frames=counts),
    )
    _hover(plot, [bars], [(label, "@low{0.00} to @high{0.00}"), ("frames", "@frames")])
    plot.y_range.start = 0
    return plot


def bars(
    names: Sequence[str], medians: Sequence[float], highs: Sequence[float], unit: str
) -> Chart:
    """A horizontal bar each for the median, with a whisker to the 95th percentile.

    Args:
        names: from top to bottom, each once.
        medians, highs: as many.
        unit: of both.
    """
    shown = [f"{n}  {m:.2f} / {h:.2f}" for n, m, h in zip(names, medians, highs, strict=True)]
    plot = _plot(unit, "", height_px=_ROW_PX * len(names) + 90, y_range=shown[::-1])
    source = _source(name=list(names), shown=shown, median=list(medians), high=list(highs))
    whiskers = {"fill_color": _GREY, "line_color": None, "source": source}
    marks = [
        plot.hbar("shown", right="median", height=0.6, fill_color=_BLUE, line_color=None,
                  source=source),
        plot.hbar("shown", right="high", height=0.08, **whiskers),
        plot.scatter("high", "shown", marker="dash", angle=np.pi / 2, size=12, line_color=_GREY,
                     line_width=2, source=source),
    ]  # fmt: skip
    values = [("median", f"@median{{0.00}} {unit}"), ("95th percentile", f"@high{{0.00}} {unit}")]
    _hover(plot, marks[:1], [("stage", "@name"), *values])
    plot.x_range.start = 0
    plot.ygrid.visible = False
    return plot


def timeline(parts: Sequence[Stretch], colors: Mapping[str, str], over: Chart) -> Chart:
    """Coloured parts on one line, with the times of another chart.

    Of more than :data:`MOST_MARKS` parts of a kind the longest of every few is drawn.

    Args:
        parts: in any order.
        colors: by kind; the legend has those that there are.
        over: both zoom together.
    """
    plot = _plot("time, s", "", height_px=160, drag="x", x_range=over.x_range, y_range=(0, 1))
    marks = []
    for kind, color in colors.items():
        of_kind = [part for part in parts if part.kind == kind]
        if not of_kind:
            continue
        length = np.array([part.end - part.begin for part in of_kind])
        of_kind = [of_kind[k] for k in highest(length)]
        source = _source(
            begin=np.array([part.begin for part in of_kind]),
            end=np.array([part.end for part in of_kind]),
            frames=[part.frames for part in of_kind],
            kind=len(of_kind) * [kind],
        )
        marks.append(
            plot.quad(
                left="begin",
                right="end",
                bottom=0,
                top=1,
                color=color,
                line_width=0.5,  # a part thinner than a pixel is seen
                legend_label=kind,
                source=source,
            )
        )
    times = ("time", "@begin{0.000} to @end{0.000} s")
    _hover(plot, marks, [("state", "@kind"), ("frames", "@frames"), times])
    plot.yaxis.visible = plot.ygrid.visible = False
    _legend_below(plot)
    return plot


def curves(
    lines: Mapping[str, Line], x_label: str, y_label: str, y_end: float | None = None
) -> Chart:
    """Lines with bands; a click on a name in the legend hides its line.

    Args:
        lines: by name.
        x_label, y_label: of the axes.
        y_end: the vertical axis goes from 0 to this; None fits it to the lines.
    """
    limits: dict[str, Any] = {} if y_end is None else {"y_range": (0, y_end)}
    plot = _plot(x_label, y_label, wheel="", **limits)
    marks = []
    for name, line in lines.items():
        source = _source(x=line.x, y=line.y, name=len(line.x) * [name])
        drawn = {"color": line.color, "legend_label": name}
        if line.low is not None and line.high is not None:
            band = _source(x=line.x, low=line.low, high=line.high)
            plot.varea("x", "low", "high", fill_alpha=0.2, source=band, **drawn)
        marks.append(plot.line("x", "y", width=2, source=source, **drawn))
    plot.xaxis.formatter.use_scientific = False
    _hover(plot, marks, [("", "@name"), (x_label, "@x{%.7g}"), (y_label, "@y{%.4g}")])
    _legend_below(plot)
    return plot


def highest(values: npt.ArrayLike, most: int = MOST_MARKS) -> npt.NDArray[np.intp]:
    """Where the highest of every few values is, so that at most ``most`` are left."""
    values = np.asarray(values)
    if len(values) <= most:
        return np.arange(len(values))
    parts = np.array_split(np.arange(len(values)), most)
    return np.array([part[np.argmax(values[part])] for part in parts])


def _plot(
    x_label: str,
    y_label: str,
    height_px: int = _HEIGHT_PX,
    drag: str = "",
    wheel: str = "x",
    **options: Any,
) -> Chart:
    """Empty axes with their tools; colours come from the page, which knows light and dark.

    Args:
        x_label, y_label: of the axes.
        height_px: with the axes, the tools and the legend.
        drag, wheel: what these zoom, ``"x"`` or both axes (empty).
        options: of Bokeh's figure.
    """
    plot = require("bokeh.plotting").figure(
        height=height_px,
        sizing_mode="stretch_width",
        x_axis_label=x_label,
        y_axis_label=y_label or None,
        tools=f"{drag}pan,{drag}box_zoom,{wheel}wheel_zoom,reset,save",
        active_drag=f"{drag}box_zoom",
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border_left=_LEFT_PX,
        **options,
    )
    # The wheel alone scrolls the page, also when the pointer comes across a chart.
    wheel_tool = plot.select_one(require("bokeh.models").WheelZoomTool)
    wheel_tool.modifiers = "ctrl"
    plot.toolbar.active_scroll = wheel_tool
    plot.toolbar.logo = None
    return plot


def _source(**columns: Any) -> Any:
    """A chart's table; numbers with half the digits take half the space, and are enough."""
    short = {
        name: np.asarray(values, np.float32 if np.asarray(values).dtype.kind == "f" else np.int32)
        if np.asarray(values).dtype.kind in "fiu"
        else values
        for name, values in columns.items()
    }
    return require("bokeh.models").ColumnDataSource(short)


def _hover(plot: Chart, marks: Sequence[Any], tips: Sequence[tuple[str, str]]) -> None:
    """Show figures of the mark under the pointer; ``{%`` begins a format as C has it."""
    shown = require("bokeh.models").HoverTool(renderers=list(marks), tooltips=list(tips), limit=1)
    fields = [field.partition("{%") for _, field in tips]
    shown.formatters = {name: "printf" for name, is_c, _ in fields if is_c}
    shown.visible = False  # among the buttons: it is always on
    plot.add_tools(shown)


def _legend_below(plot: Chart) -> None:
    """Put the legend where it hides no line, in as many columns as a telephone has room for."""
    legend = plot.legend[0]
    longest = max(len(item.label.value) for item in legend.items)
    legend.ncols = max(1, _LEGEND_LETTERS // (longest + 4))
    plot.height += _LEGEND_ROW_PX * -(-len(legend.items) // legend.ncols)
    legend.click_policy = "hide"
    legend.border_line_color = legend.background_fill_color = None
    legend.location = "left"
    legend.padding = legend.margin = 0
    legend.spacing = 8
    legend.stylesheets = [".bk-label { color: var(--ink) !important; }"]
    plot.add_layout(legend, "below")
