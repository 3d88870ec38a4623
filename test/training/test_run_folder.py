import logging
import sys
from pathlib import Path

import pytest
from browser import Browser

from litetrack_ros.training.run_folder import (
    CURVES_FILE,
    TRAINING,
    VALIDATION,
    RunLog,
    write_curves,
)


class Board:
    """Takes TensorBoard's calls."""

    def __init__(self) -> None:
        self.scalars: list[tuple[str, float, int]] = []

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, value, step))


def test_rows_are_written_to_both(tmp_path: Path) -> None:
    board = Board()
    with RunLog(tmp_path, "training", 0, board) as record:
        record.add(0, {"loss": 2.5, "rate": 0.001})
        record.add(1, {"loss": 2.0, "rate": 0.002})
    assert (tmp_path / "training.csv").read_text() == "step,loss,rate\n0,2.5,0.001\n1,2,0.002\n"
    assert board.scalars[0] == ("training/loss", 2.5, 0)


def test_a_resumed_table_drops_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("step,loss\n0,3\n1,2\n2,1\n3")  # killed in mid-row
    with RunLog(tmp_path, "training", 2, None) as record:
        record.add(2, {"loss": 1.5})
    assert (tmp_path / "training.csv").read_text() == "step,loss\n0,3\n1,2\n2,1.5\n"


def test_a_table_nobody_writes_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("step,loss\n0,3\n")
    with RunLog(tmp_path, "training", 0, None) as record:
        record.flush()
    assert (tmp_path / "training.csv").read_text() == "step,loss\n0,3\n"


def test_the_curves_of_a_run(tmp_path: Path, browser: Browser) -> None:
    with RunLog(tmp_path, TRAINING, 0, None) as record:
        for step in range(2000):
            record.add(step, {"loss": 5.0 + 10 * (step == 1234), "overlap_peak": step / 2000})
    with RunLog(tmp_path, VALIDATION, 0, None) as record:
        for step in (1000, 2000):
            record.add(step, {"overlap_peak": 0.5, "roc_area": step / 4000})
    write_curves(tmp_path)
    browser.open(tmp_path / CURVES_FILE)
    names = browser.evaluate("Bokeh.documents[0].roots().map((chart) => chart.left[0].axis_label)")
    assert names == ["loss", "overlap_peak", "roc_area"]
    # The mean of four steps is the line, the one step that stands out the band.
    assert browser.point(0, 1233.5, 7.5) == "training step: 1233.5 loss: 7.5"
    highest = "Math.max(...Bokeh.documents[0].roots()[0].renderers[0].data_source.data.high)"
    assert browser.evaluate(highest) == 15
    assert "validation step: 1000 overlap_peak: 0.5" in browser.point(1, 1000, 0.5)
    assert (browser.errors, len(browser.requests)) == ([], 1)


def test_a_run_without_figures_yet_has_a_page(tmp_path: Path) -> None:
    pytest.importorskip("bokeh")
    write_curves(tmp_path)
    assert "Training run" in (tmp_path / CURVES_FILE).read_text()


def test_without_the_extra_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with caplog.at_level(logging.INFO):
        write_curves(tmp_path)
    assert caplog.messages == [
        "no curves.html: jinja2 is not installed: pip install 'litetrack_ros[report]'"
    ]
    assert not (tmp_path / CURVES_FILE).exists()
