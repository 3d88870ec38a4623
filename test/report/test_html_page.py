"""A page is one file that shows every text as it is written."""

import sys
from pathlib import Path

import numpy as np
import pytest
from browser import Browser

from litetrack_ros.errors import MissingDependencyError
from litetrack_ros.report import charts
from litetrack_ros.report.charts import Line, Stretch
from litetrack_ros.report.html_page import MAX_PAGE_BYTES, Picture, Section, Table, render

HOSTILE = (
    "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 2'>"
    '"&quot;&lt;b&gt; $$x$$ {{ 7 * 7 }} @frame'
)


class Absent:
    """Finds no package of a name, as on a machine without it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name: str, *more: object) -> None:
        if name == self.name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture
def hostile_page(tmp_path: Path) -> Path:
    """Every place of a page and of its charts where a name can stand."""
    pytest.importorskip("bokeh")
    x = np.arange(4.0)
    over = charts.scatter(x, np.array([1, 2, np.nan, 3]), HOSTILE)
    made = [
        over,
        charts.timeline([Stretch(0, 3, HOSTILE, HOSTILE)], {HOSTILE: "red"}, over),
        charts.bars([HOSTILE, "b"], [1, 2], [2, 3], HOSTILE),
        charts.histogram(x, HOSTILE),
        charts.curves({HOSTILE: Line(x, x, "red"), "$$x$$": Line(x, 9 - x, "blue")}, HOSTILE, "y"),
    ]
    table = Table([HOSTILE, "b"], [[HOSTILE, "c"]])
    sections = [
        Section(HOSTILE, HOSTILE, made, table, [Picture(b"jpeg", HOSTILE)]),
        Section("", table=Table((), [(HOSTILE, HOSTILE)])),
    ]
    path = tmp_path / "page.html"
    path.write_text(render(HOSTILE, sections, [HOSTILE]), encoding="utf-8")
    return path


def test_names_never_become_markup(hostile_page: Path) -> None:
    text = hostile_page.read_text(encoding="utf-8")
    assert "<img src=x" not in text and "window.broken = 1</script>" not in text
    assert text.count("{{ 7 * 7 }}") == 10
    assert text.count("<script") == 2 and text.count("<img") == 1
    assert 'src="data:image/jpeg;base64,anBlZw=="' in text


def test_a_browser_shows_them_as_text(hostile_page: Path, browser: Browser) -> None:
    browser.open(hostile_page)
    assert browser.evaluate("document.title") == HOSTILE
    assert browser.evaluate("document.querySelector('h1').textContent") == HOSTILE
    seen = [browser.point(1, 1.5, 0.5), browser.point(4, 1, 1)]
    assert all("onerror=" in tip for tip in seen), seen
    assert "$$x$$" in browser.point(4, 1, 8)
    browser.point(2, 0.5, 0.5)
    assert browser.evaluate("window.broken") is None
    assert browser.errors == []
    assert browser.requests == [hostile_page.as_uri()]


def test_pictures_are_left_out_before_a_page_grows_too_large() -> None:
    pytest.importorskip("bokeh")
    pictures = [Picture(bytes(100_000), "") for _ in range(20)]
    charted = [charts.histogram(np.arange(9.0), "ms")]
    text = render("a", [Section("b", "", charted, pictures=pictures)])
    assert 1_200_000 < len(text.encode()) < MAX_PAGE_BYTES
    left = text.count("<img")
    assert 0 < left < 20
    assert f"{20 - left} pictures more did not fit" in text


def test_a_page_without_charts_has_no_script() -> None:
    pytest.importorskip("bokeh")
    text = render("a", [Section("b", "text")])
    assert "<script" not in text and len(text) < 10_000


@pytest.mark.parametrize("name", ["bokeh", "jinja2"])
def test_without_the_extra_one_sentence_says_how(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [found for found in sys.modules if found.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Absent(name), *sys.meta_path])
    with pytest.raises(MissingDependencyError) as caught:
        render("a", [Section("b", "", [charts.histogram(np.arange(9.0), "ms")])])
    assert str(caught.value) == f"{name} is not installed: pip install 'litetrack_ros[report]'"
