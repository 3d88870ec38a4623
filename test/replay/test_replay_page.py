"""The page of a replay: whole, escaped, small, and alive in a browser."""

import base64
import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser
from replay_rows import frame, rows_of

pytest.importorskip("rosbags")
pytest.importorskip("bokeh")

from litetrack_ros.replay.fates import attribute_fates
from litetrack_ros.replay.measures import Measured, figures, score
from litetrack_ros.replay.node_process import ResourceUse
from litetrack_ros.replay.replay_page import page
from litetrack_ros.replay.replay_report import machine
from litetrack_ros.report.html_page import MAX_PAGE_BYTES, Picture

BOX = (10.0, 20.0, 30.0, 40.0)
RATE_HZ = 30
LATE = 777  # the frame of the greatest latency


def _measured(folder: Path, count: int) -> Measured:
    """Frames at 30 Hz with 10 to 20 ms, :data:`LATE` with 250 ms, every 100th without an answer."""
    latency_s = np.random.default_rng(0).uniform(0.01, 0.02, count)
    latency_s[LATE % count] = 0.25
    frames = []
    for index in range(count):
        made = frame(index, latency_s[index], BOX, 1 / RATE_HZ, {"received": 1, "processed": 1})
        if index % 100 == 50:
            made.answered_s, made.box, made.counts, made.stages_ms = None, None, {}, {}
        frames.append(made)
    rows = rows_of(frames, folder)
    names = ("received", "processed", "replaced", "caught_up", "rejected", "ignored")
    fates = attribute_fates(rows, dict.fromkeys(names, 0))
    use = ResourceUse(cpu_percent=50.0, rss_mb=300.0, rss_max_mb=310.0)
    accuracy = score(rows, np.tile(BOX, (count, 1)), 0, np.array(BOX))
    return Measured(rows, fates, use, 5.0, 10, accuracy, is_paced=True)


def test_the_page_is_whole_and_escapes_what_it_shows(tmp_path: Path) -> None:
    measured = _measured(tmp_path, 300)
    metadata: dict[str, Any] = {"bag": "<b>&.mcap", "machine": machine()}
    text = page(
        "a < b",
        measured,
        figures(measured),
        metadata,
        ["the node died <here>"],
        [Picture(b"jpeg", "frame 20 & more")],
    )
    assert "<b>&.mcap" not in text and "&lt;b&gt;&amp;.mcap" in text
    assert "<h1>a &lt; b</h1>" in text
    assert "the node died &lt;here&gt;" in text
    assert "frame 20 &amp; more" in text
    assert text.count("data-root-id") == 4
    assert "297 frames, and a red line for each of 3 without an answer." in text
    assert "lost_in_transport" in text and "machine: cpu" in text
    assert 'src="data:image/jpeg;base64,anBlZw=="' in text
    packed = re.search(r'id="packed">([^<]*)<', text)
    assert packed is not None
    script = gzip.decompress(base64.b64decode(packed[1])).decode()
    for shown in ("latency, ms", "queue_wait", "TRACKING", "missed"):
        assert shown in script
    assert not re.search("https?://", text)


def test_a_replay_without_any_answer_has_a_page(tmp_path: Path) -> None:
    rows = rows_of([frame(index, None) for index in range(5)], tmp_path)
    names = ("received", "processed", "replaced", "caught_up", "rejected", "ignored")
    fates = attribute_fates(rows, dict.fromkeys(names, 0))
    measured = Measured(rows, fates, ResourceUse(), 5.0, 10, None, is_paced=True)
    text = page("a", measured, figures(measured), {}, [], [])
    assert text.count("data-root-id") == 2  # the missing frames, and the state
    assert "0 frames, and a red line for each of 5 without an answer." in text


def test_twenty_thousand_frames_are_small_and_smooth(tmp_path: Path, browser: Browser) -> None:
    measured = _measured(tmp_path, 20_000)
    pictures = [Picture(bytes(15_000), "") for _ in range(6)]
    path = tmp_path / "page.html"
    path.write_text(page("long", measured, figures(measured), {}, [], pictures))
    assert path.stat().st_size < MAX_PAGE_BYTES
    browser.open(path)

    # Every frame is there, and says what it is.
    drawn = "Bokeh.documents[0].roots()[0].renderers.map((r) => r.data_source.get_length())"
    missed, *answered = browser.evaluate(drawn)
    assert (missed, sum(answered)) == (200, 19_800)
    assert browser.point(0, LATE / RATE_HZ, 250) == (
        f"frame: {LATE} time: {LATE / RATE_HZ:.3f} s latency, ms: 250.00"
    )
    assert browser.point(0, 150 / RATE_HZ, 125).startswith("no answer to frame: 150")
    assert browser.point(1, 100, 0.5).startswith("state: TRACKING frames: 2951 to 3049")

    # The wheel alone scrolls; with Ctrl it zooms both charts of the same time.
    before = browser.range(0)
    browser.zoom(0, 300, 100, hold_ctrl=False)
    assert browser.range(0) == before
    browser.zoom(0, 300, 100)
    assert before[0] < browser.range(0)[0] < 300 < browser.range(0)[1] < before[1]
    assert browser.range(1) == browser.range(0)

    # Frames of the screen while the page scrolls, ms.
    browser.evaluate("window.times = [], (function tick(t) { times.push(t), requestAnimationFrame"
                     "(tick) })(performance.now())")  # fmt: skip
    for _ in range(20):
        browser.mouse("mouseWheel", 500, 400, deltaX=0, deltaY=100)
    steps = np.diff(browser.evaluate("times"))
    assert np.median(steps) < 40, steps  # 17 is 60 Hz; the machine may be busy
    assert (browser.errors, browser.requests) == ([], [path.as_uri()])


@pytest.mark.parametrize("dark", [False, True])
def test_a_telephone_shows_it_without_scrolling_sideways(
    tmp_path: Path, browser: Browser, dark: bool
) -> None:
    measured = _measured(tmp_path, 300)
    metadata = {"a/very/long/topic/name/" * 8: "b" * 200}
    path = tmp_path / "page.html"
    path.write_text(page("long_name" * 20, measured, figures(measured), metadata, [], []))
    browser.open(path, width=360, height=640, dark=dark)
    assert browser.evaluate("document.documentElement.scrollWidth") == 360
    colors = (
        "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
    )
    ink, paper = (sum(map(int, re.findall(r"\d+", c))) for c in browser.evaluate(colors))
    assert (ink > paper) == dark and abs(ink - paper) > 400
    assert browser.errors == []
