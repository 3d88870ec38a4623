"""The page in a real browser, the node in a process of its own, real DDS between them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_actors import DATA, IS_GREY, IS_LIVE, frame_of, select_target

from litetrack_ros.geometry import overlap

pytestmark = [pytest.mark.ros, pytest.mark.slow]

SAID = "document.getElementById('said').textContent"
WORDS = "document.getElementById('words').textContent"
TARGETS = "document.getElementById('targets').textContent"
OVERLAY = "(e => e.hidden ? '' : e.textContent)(document.getElementById('overlay'))"


def shot(browser: Any, name: str) -> None:
    """Keep a picture of the window in the folder LITETRACK_SCREENSHOTS, for people to look at."""
    folder = os.environ.get("LITETRACK_SCREENSHOTS")
    if folder:
        browser.evaluate("scrollTo(0, 0)")
        browser.screenshot(Path(folder) / f"{name}.jpg")


def shown_boxes(browser: Any) -> tuple[int, list[dict[str, Any]]]:
    """Stamp and boxes of what is drawn."""
    stamp, boxes = browser.evaluate(f"[{DATA}.stamp, JSON.parse({DATA}.boxes)]")
    return int(stamp), boxes or []


def test_select_watch_remove_and_be_told_what_is_wrong(
    stage: Any, open_browser: Callable[[], Any]
) -> None:
    browser = open_browser()
    page = stage.start_page()
    browser.visit(page.url)
    browser.wait(IS_LIVE, 60)
    assert "for this machine alone" in page.printed
    assert all(address.startswith(page.url) for address in browser.requests)

    select_target(browser, stage.camera, "cup")
    browser.wait(f"{TARGETS}.includes('cup') && {TARGETS}.includes('TRACKING')", 15)
    overlaps = []
    for _ in range(8):  # drawn over the picture of its own stamp
        stamp, boxes = shown_boxes(browser)
        overlaps += [float(overlap(b["box"], stage.camera.truth(stamp))) for b in boxes]
        time.sleep(0.3)
    assert len(overlaps) >= 6 and sorted(overlaps)[len(overlaps) // 4] > 0.5, overlaps
    assert browser.evaluate("document.getElementById('chart').ariaLabel.includes('ms on average')")
    assert "selected last: 'cup'" in browser.evaluate("document.getElementById('last').textContent")

    browser.evaluate("document.querySelector('#targets button').click()")
    browser.wait(f"{TARGETS} == ''", 15)
    stage.camera.is_still = True  # a tap on what stands still now
    time.sleep(0.7)
    x, y, w, h = stage.camera.truth(int(browser.evaluate(f"{DATA}.stamp")))
    browser.wait("document.getElementById('hint').textContent.includes('Or tap it.')", 15)
    browser.evaluate("document.getElementById('target').value = 'tapped'")
    left, top, scale = frame_of(browser)
    place = left + scale * (x + w / 2), top + scale * (y + h / 2)
    browser.drag(place, place, steps=1)
    stage.camera.is_still = False
    browser.wait(f"{TARGETS}.includes('tapped') && {TARGETS}.includes('TRACKING')", 15)
    stamp, (tapped,) = shown_boxes(browser)
    assert overlap(tapped["box"], stage.camera.truth(stamp)) > 0.3, tapped
    browser.evaluate("document.querySelector('#targets button').click()")
    browser.wait(f"{TARGETS} == ''", 15)
    select_target(browser, stage.camera, "cup")
    browser.wait(f"{TARGETS}.includes('cup')", 15)

    phone = open_browser()  # a second client, which selects another target by touch
    phone.visit(page.url, width=360, height=740, scale=3, dark=True)
    phone.wait(f"{IS_LIVE} && {TARGETS}.includes('cup')", 30)
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.evaluate("document.getElementById('who').value = 'phone'")
    phone.evaluate("document.getElementById('who').onchange()")
    phone.evaluate("document.getElementById('target').value = 'stone'")
    left, top, scale = frame_of(phone)
    places = [{"x": left + scale * x, "y": top + scale * y} for x, y in ((40, 50), (160, 170))]
    phone.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=places[:1])
    phone.call("Input.dispatchTouchEvent", type="touchMove", touchPoints=places[1:])
    phone.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    browser.wait(f"{TARGETS}.includes('stone') && {TARGETS}.includes('cup')", 15)
    browser.wait("document.getElementById('last').textContent.startsWith('phone selected')")
    shot(browser, "page")
    shot(phone, "page_phone")
    assert phone.errors == []
    phone.close()

    browser.evaluate("document.getElementById('reset').click()")
    browser.wait(f"{TARGETS} == '' && {SAID}.includes('all targets dropped')", 15)

    browser.evaluate("document.getElementById('enable').click()")
    browser.wait(f"{WORDS}.includes('The tracker is off')", 15)
    browser.evaluate("document.getElementById('enable').click()")
    browser.wait(f"{IS_LIVE} && !{WORDS}.includes('The tracker is off')", 15)
    stage.camera.stop()
    stopped_s = time.monotonic()
    browser.wait(IS_GREY, 5)
    assert time.monotonic() - stopped_s < 3.0
    browser.wait(f"{OVERLAY}.startsWith('not live: ')")
    browser.wait(f"{WORDS}.includes('No new picture for')")
    shot(browser, "camera_stopped")
    left, top, scale = frame_of(browser)
    browser.drag((left + 40, top + 40), (left + 120, top + 120))  # asks first
    browser.wait("!document.getElementById('confirm').hidden")
    shot(browser, "asks_first")
    browser.evaluate("document.getElementById('no').click()")
    browser.wait(f"{WORDS}.includes('images: no image on')", 15)
    assert browser.evaluate(TARGETS) == ""
    stage.camera.go_on()
    browser.wait(f"{IS_LIVE} && !{WORDS}.includes('No new picture')", 15)

    stage.node.end()
    browser.wait(f"{WORDS}.includes('The tracker node is gone')", 15)
    assert browser.evaluate(IS_GREY)
    shot(browser, "node_gone")
    stage.start_node()
    browser.wait(f"{IS_LIVE} && !{WORDS}.includes('gone')", 60)

    port = int(page.url.rstrip("/").rpartition(":")[2])
    assert "Traceback" not in page.end()
    browser.wait(f"{WORDS}.includes('connection to the page') && {IS_GREY}", 10)
    shot(browser, "connection_lost")
    left, top, scale = frame_of(browser)
    browser.drag((left + 40, top + 40), (left + 120, top + 120))
    browser.wait(f"{SAID}.includes('Not sent')")
    again = stage.start_page(port=port)
    browser.wait(f"{IS_LIVE} && !{WORDS}.includes('connection')", 40)
    time.sleep(2.0)
    assert browser.evaluate(TARGETS) == ""  # what was dragged meanwhile is not sent later
    assert "Traceback" not in again.end()
    faults = [error for error in browser.errors if "WebSocket" not in error]
    assert [e for e in faults if "ERR_CONNECTION_REFUSED" not in e] == []


def test_ages_are_right_though_the_clock_of_the_device_is_an_hour_off(
    stage: Any, open_browser: Callable[[], Any]
) -> None:
    browser = open_browser()
    page = stage.start_page()
    wrong = "Date.now = (now => () => now() + 3600e3)(Date.now)"
    browser.call("Page.addScriptToEvaluateOnNewDocument", source=wrong)
    browser.visit(page.url)
    browser.wait(IS_LIVE, 60)
    age = "document.getElementById('age').textContent"
    browser.wait(f"/^[0-9]+ ms ± [0-9]+ ms old$/.test({age})")
    assert browser.evaluate("Date.now()") / 1e3 > time.time() + 3000
    page.end()
