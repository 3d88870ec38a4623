"""Charts hold every mark up to a limit, and every peak beyond it."""

import numpy as np
import pytest

pytest.importorskip("bokeh")

from litetrack_ros.report import charts
from litetrack_ros.report.charts import Line, Stretch


def _column(chart: charts.Chart, mark: int, name: str) -> np.ndarray:
    return np.asarray(chart.renderers[mark].data_source.data[name])


def test_every_frame_is_a_point_or_a_line() -> None:
    values = np.arange(5000.0) % 777
    values[[3, 4000]] = np.nan
    chart = charts.scatter(np.arange(5000) / 30, values, "latency, ms")
    assert _column(chart, 0, "frame").tolist() == [3, 4000]
    shown = np.concatenate([_column(chart, 1, "frame"), _column(chart, 2, "frame")])
    assert sorted(shown) == [k for k in range(5000) if k not in (3, 4000)]
    # What stays while one zooms is a smaller group, with the peaks.
    assert len(_column(chart, 2, "frame")) < chart.lod_threshold
    assert set(np.flatnonzero(values == 776)) <= set(_column(chart, 2, "frame"))


def test_of_too_many_points_the_peaks_stay() -> None:
    values = np.full(3 * charts.MOST_MARKS, 10.0)
    peaks = np.random.default_rng(0).choice(len(values), 200, replace=False)
    values[peaks] = 100 + np.arange(200)
    chosen = charts.highest(values)
    assert len(chosen) == charts.MOST_MARKS and (np.diff(chosen) > 0).all()
    neighbours = [k for k in peaks if k not in chosen]
    for k in neighbours:  # only a higher one of the same few frames may stand for it
        assert values[chosen[np.abs(chosen - k) < 3]].max() > values[k]
    assert charts.highest(values[:10]).tolist() == list(range(10))


def test_histogram_counts_every_value() -> None:
    chart = charts.histogram(np.array([1.0, 1, 2, 3, 3, 3]), "ms", bins=2)
    assert _column(chart, 0, "frames").tolist() == [2, 4]
    assert _column(chart, 0, "low").tolist() == [1, 2]


def test_bars_say_their_figures() -> None:
    chart = charts.bars(["model", "crop"], [12.345, 1], [20, 2.5], "ms")
    assert chart.y_range.factors == ["crop  1.00 / 2.50", "model  12.35 / 20.00"]  # from below
    assert _column(chart, 0, "median") == pytest.approx([12.345, 1])


def test_a_timeline_goes_with_its_chart() -> None:
    over = charts.scatter(np.arange(4.0), np.ones(4), "ms")
    parts = [Stretch(0, 1, "found", "0 to 1"), Stretch(1, 3, "lost", "2 to 3")]
    chart = charts.timeline(parts, {"found": "green", "never": "blue", "lost": "red"}, over)
    assert chart.x_range is over.x_range
    assert [item.label.value for item in chart.legend[0].items] == ["found", "lost"]
    assert _column(chart, 1, "end").tolist() == [3]


def test_curves_have_bands_and_gaps() -> None:
    x, y = np.arange(3.0), np.array([1, np.nan, 3])
    lines = {"a": Line(x, y, "red", y - 1, y + 1), "b": Line(x, 2 * y, "blue")}
    chart = charts.curves(lines, "step", "loss")
    band, line, other = chart.renderers
    assert band.data_source.data["low"][0] == 0
    assert np.isnan(line.data_source.data["y"][1])
    assert other.data_source.data["y"][2] == 6
    assert len(chart.legend[0].items) == 2
