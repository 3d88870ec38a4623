"""Where a pointer is on the screen is where the box is in the image, on every screen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from litetrack_ros.media.previews import encode_preview

LIVE = "document.getElementById('canvas').dataset.stamp && !document.querySelector('.stale')"


@pytest.fixture
def shown(serve: Callable[..., Any], browser: Any) -> Any:
    """Shows pictures ten times a second until the test ends."""

    class Showing:
        def __init__(self) -> None:
            self.served = serve()
            self.picture: tuple[bytes, tuple[int, int]] | None = None
            self.ending = threading.Event()
            self.thread = threading.Thread(target=self.run)

        def run(self) -> None:
            while not self.ending.wait(0.1):
                if self.picture is not None:
                    self.served.show(*self.picture)

    showing = Showing()
    yield showing
    showing.ending.set()
    showing.thread.join()


def marked(size_px: tuple[int, int], box: tuple[int, int, int, int]) -> bytes:
    """A dark picture, ``box`` of it bright, as the node sends it."""
    picture = np.full((size_px[1], size_px[0], 3), 20, np.uint8)
    x, y, w, h = box
    picture[y : y + h, x : x + w] = (255, 0, 255)
    return encode_preview(picture, "bgr", 640, 95)


def find_marked(screenshot: Path, scale: float) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is bright, CSS px of the window."""
    image = cv2.imread(str(screenshot))
    assert image is not None
    bright = (image[..., 0] > 140) & (image[..., 1] < 110) & (image[..., 2] > 140)
    count, _, stats, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8))
    assert count > 1
    x, y, w, h, _ = stats[1 + stats[1:, cv2.CC_STAT_AREA].argmax()]
    return x / scale, y / scale, (x + w) / scale, (y + h) / scale


@pytest.mark.parametrize("size_px", [(640, 480), (1920, 1080)])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_box_arrives_within_a_css_pixel(
    shown: Any, browser: Any, tmp_path: Path, size_px: tuple[int, int], scale: int
) -> None:
    width, height = size_px
    box = (round(0.3 * width), round(0.35 * height), round(0.45 * width), round(0.4 * height))
    shown.picture = marked(size_px, box), size_px
    shown.thread.start()
    for window in ((360, 740), (740, 360), (1200, 900)):  # a phone, turned, and a laptop
        if window == (740, 360):
            browser.resize(*window, scale)
        else:
            browser.visit(shown.served.base, *window, scale)
        browser.wait(LIVE)
        browser.evaluate("document.getElementById('canvas').scrollIntoView()")
        browser.evaluate("new Promise((done) => setTimeout(done, 300))")
        browser.screenshot(tmp_path / "window.png")
        left, top, right, bottom = find_marked(tmp_path / "window.png", scale)
        before = len(shown.served.tracker.commands)
        browser.drag((left, top), (right, bottom))
        said = "document.getElementById('said').textContent"
        browser.wait(f"{said} == 'done'")
        browser.evaluate("document.getElementById('said').textContent = ''")
        command = shown.served.tracker.commands[before]
        edge_x, edge_y, wide = browser.evaluate(
            "(r => [r.x, r.y, r.width])(document.getElementById('canvas').getBoundingClientRect())"
        )
        css_px = wide / width
        found = np.array(command.numbers)
        found[2:] += found[:2]
        pointer = (np.array([left, top, right, bottom]) - [edge_x, edge_y] * 2) / css_px
        assert np.abs(found - pointer).max() <= 1.0 / css_px, (window, found, pointer)
        # And what is seen there is what is there in the image.
        wanted = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]])
        # One more for the coded picture: the edge of what is bright is found to one of its pixels.
        allowed = 1.0 / css_px + max(1.0, width / 640)
        assert np.abs(found - wanted).max() <= allowed, (window, found, wanted)
    assert browser.errors == []


def test_keys_make_a_box_too(shown: Any, browser: Any) -> None:
    shown.picture = marked((640, 480), (100, 100, 50, 50)), (640, 480)
    shown.thread.start()
    browser.visit(shown.served.base)
    browser.wait(LIVE)
    browser.evaluate("document.getElementById('canvas').focus()")
    for name, modifiers in (("Enter", 0), ("ArrowLeft", 0), ("ArrowDown", 8), ("Enter", 0)):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key=name, modifiers=modifiers)
        browser.call("Input.dispatchKeyEvent", type="keyUp", key=name, modifiers=modifiers)
    browser.wait("document.getElementById('said').textContent == 'done'")
    numbers = shown.served.tracker.commands[0].numbers
    assert numbers == pytest.approx((0.4 * 640 - 6.4, 0.4 * 480, 128.0, 96.0 + 6.4))


def test_a_tap_is_a_point_where_the_node_takes_points(shown: Any, browser: Any) -> None:
    shown.picture = marked((640, 480), (100, 100, 50, 50)), (640, 480)
    shown.thread.start()
    browser.visit(shown.served.base)
    browser.wait(LIVE)
    left, top, width = browser.evaluate(
        "(r => [r.x, r.y, r.width])(document.getElementById('canvas').getBoundingClientRect())"
    )
    place = left + 200 * width / 640, top + 120 * width / 640
    browser.drag(place, place, steps=1)
    browser.wait("document.getElementById('said').textContent.includes('takes boxes only')")
    shown.served.tracker.able = ("box", "point")
    browser.wait("document.getElementById('hint').textContent.includes('Or tap it.')")
    browser.drag(place, place, steps=1)
    browser.wait("document.getElementById('said').textContent == 'done'")
    browser.evaluate("document.getElementById('said').textContent = ''")
    for name in ("Enter", "ArrowRight", " "):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key=name)
        browser.call("Input.dispatchKeyEvent", type="keyUp", key=name)
    browser.wait("document.getElementById('said').textContent == 'done'")
    tapped, typed = shown.served.tracker.commands
    assert tapped.kind == typed.kind == "point"
    assert tapped.numbers == pytest.approx((200, 120), abs=640 / width)
    assert typed.numbers == pytest.approx((326.4, 240))


def test_a_picture_that_stands_still_is_grey_within_1200_ms(shown: Any, browser: Any) -> None:
    shown.picture = marked((640, 480), (100, 100, 50, 50)), (640, 480)
    shown.thread.start()
    browser.visit(shown.served.base)
    ages_s = []
    for _ in range(3):
        browser.wait(LIVE)
        picture, shown.picture = shown.picture, None
        first = browser.evaluate(
            "new Promise((done) => new MutationObserver(() => {"
            " const text = document.getElementById('overlay').textContent;"
            " if (document.querySelector('.stale') && text.startsWith('not live')) done(text);"
            "}).observe(document.getElementById('stage'), "
            "{ subtree: true, childList: true, attributes: true }))"
        )
        ages_s.append(float(first.split()[2]))
        shown.picture = picture
    # The median: a busy machine may hold up one timer, but not most of them.
    assert min(ages_s) >= 1.0 and sorted(ages_s)[1] <= 1.2, ages_s


def test_the_address_with_its_token_leaves_the_address_bar(
    serve: Callable[..., Any], browser: Any
) -> None:
    served = serve(host="0.0.0.0", names=("127.0.0.1",))
    browser.visit(served.base)
    browser.wait("document.body.textContent.includes('needs the address with its token')")
    browser.visit(served.links.view)
    browser.call("Page.reload")  # as if typed: only the fragment is another
    browser.wait("document.getElementById('link')?.textContent == 'connected'")
    token = served.links.view.partition("#")[2]
    assert browser.evaluate("location.href") == served.base
    assert browser.evaluate("document.cookie") == ""
    assert browser.evaluate("document.getElementById('reset').disabled")
    assert all(token not in address for address in browser.requests[1:])
