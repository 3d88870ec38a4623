"""A real browser without a window: opens a page, moves the pointer, tells what went wrong."""

import base64
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE_S = 30
# Where a value is in the window, px, after scrolling there; charts count from 0.
_PLACE = """((chart, x, y) => {
  const view = Object.values(Bokeh.index.roots).filter((view) => view.frame)[chart];
  view.el.scrollIntoView({block: "center"});
  const box = view.canvas_view.el.getBoundingClientRect();
  return [box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(y)];
})"""
_TOOLTIPS = """(() => {
  const found = [];
  const visit = (node) => {
    for (const element of node.querySelectorAll("*")) {
      if (element.shadowRoot) visit(element.shadowRoot);
      if (element.matches(".bk-tooltip-content")) found.push(element.textContent.trim());
    }
  };
  visit(document);
  return found;
})()"""


class Browser:
    """Chromium, spoken to over its debugging socket.

    Args:
        folder: for its profile.

    Attributes:
        errors: what a page wrote to the console as an error, and exceptions nobody caught.
        requests: addresses asked for; the first is the page's own.
    """

    def __init__(self, folder: Path) -> None:
        websocket = pytest.importorskip("tornado.websocket")
        self._loop = pytest.importorskip("tornado.ioloop").IOLoop(make_current=False)
        program = next((found for name in NAMES if (found := shutil.which(name))), None)
        if program is None:
            pytest.skip(f"no browser found: none of {', '.join(NAMES)}")
        self._process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-data-dir={folder}",
             "about:blank"],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self._numbers = itertools.count(1)
        self.errors: list[str] = []
        self.requests: list[str] = []
        try:
            port_file = folder / "DevToolsActivePort"
            _wait(lambda: port_file.is_file() and port_file.read_text().count("\n"))
            port = port_file.read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                tabs = json.load(answer)
            url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            self._socket = self._loop.run_sync(lambda: websocket.websocket_connect(url))
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the process that the others of this browser belong to."""
        return self._process.pid

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(_PATIENCE_S)

    def open(self, path: Path, width: int = 1000, height: int = 800, dark: bool = False) -> None:
        """Show a page until its charts are drawn; forgets what earlier pages did."""
        self._leave()
        phone = {"deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, **phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri())
        ready = "document.readyState == 'complete' && window.Bokeh && Bokeh.documents[0]?.is_idle"
        _wait(lambda: self.evaluate(f"location.protocol == 'file:' && !!({ready})"))
        self.evaluate("new Promise((done) => setTimeout(done, 300))")

    def visit(
        self, url: str, width: int = 1000, height: int = 800, scale: float = 1, dark: bool = False
    ) -> None:
        """Go to an address; a narrow window is a phone with a touch screen."""
        self._leave()
        self.resize(width, height, scale)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)
        self.wait("document.readyState == 'complete' && location.protocol != 'about:'")

    def _leave(self) -> None:
        """Leave the page that is shown, which may still try to connect; forget its faults."""
        self.call("Page.navigate", url="about:blank")
        _wait(lambda: self.evaluate("location.protocol == 'about:'"))
        self.errors.clear()
        self.requests.clear()

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Another window: CSS pixels, and the screen's pixels to each."""
        phone = {"deviceScaleFactor": scale, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, **phone)

    def wait(self, condition: str, timeout_s: float = _PATIENCE_S) -> Any:
        """Wait until a JavaScript expression is true; returns its value."""
        end = time.monotonic() + timeout_s
        while not (found := self.evaluate(condition)):
            assert time.monotonic() < end, f"not within {timeout_s} s: {condition}"
            time.sleep(0.05)
        return found

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 4) -> None:
        """Press, move and let go."""
        held = {"button": "left", "clickCount": 1}
        self.mouse("mouseMoved", *start)
        self.mouse("mousePressed", *start, **held)
        for step in range(1, steps + 1):
            x, y = (a + (b - a) * step / steps for a, b in zip(start, end, strict=True))
            self.mouse("mouseMoved", x, y, buttons=1, **held)
        self.mouse("mouseReleased", *end, **held)

    def screenshot(self, path: Path) -> None:
        """Write what the window shows, ``.png`` or ``.jpg``."""
        kind = {"format": "jpeg", "quality": 80} if path.suffix == ".jpg" else {"format": "png"}
        content = self.call("Page.captureScreenshot", **kind)["data"]
        path.write_bytes(base64.b64decode(content))

    def evaluate(self, code: str) -> Any:
        """The value of a JavaScript expression; waits for a promise."""
        found = self.call(
            "Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def point(self, chart: int, x: float, y: float) -> str:
        """Put the pointer on a value of a chart; returns what appears there."""
        across, down = self.evaluate(f"{_PLACE}({chart}, {x}, {y})")
        self.mouse("mouseMoved", across, down)
        self.evaluate("new Promise((done) => setTimeout(done, 200))")
        return " ".join(self.evaluate(_TOOLTIPS))

    def zoom(self, chart: int, x: float, y: float, hold_ctrl: bool = True) -> None:
        """Turn the wheel above a value of a chart."""
        across, down = self.evaluate(f"{_PLACE}({chart}, {x}, {y})")
        held = {"modifiers": 2} if hold_ctrl else {}
        self.mouse("mouseWheel", across, down, deltaX=0, deltaY=-120, **held)
        self.evaluate("new Promise((done) => setTimeout(done, 300))")

    def range(self, chart: int) -> tuple[float, float]:
        """What a chart shows of the horizontal axis."""
        shown = f"Bokeh.documents[0].roots()[{chart}].x_range"
        start, end = self.evaluate(f"[{shown}.start, {shown}.end]")
        return start, end

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """What a mouse can do, by the names of the debugging protocol."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of the debugging protocol."""
        number = next(self._numbers)
        message = json.dumps({"id": number, "method": method, "params": parameters})
        self._loop.run_sync(lambda: self._socket.write_message(message))
        while True:
            answer = self._loop.run_sync(self._socket.read_message, timeout=_PATIENCE_S)
            assert answer is not None, "the browser is gone"
            found = json.loads(answer)
            if found.get("id") == number:
                assert "error" not in found, found
                return dict(found["result"])
            self._note(found.get("method", ""), found.get("params", {}))

    def _note(self, event: str, what: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(what["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(what["args"]))
        elif event == "Log.entryAdded" and what["entry"]["level"] == "error":
            self.errors.append(what["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            url = what["request"]["url"]
            if not url.startswith(("data:", "blob:")):
                self.requests.append(url)


def _wait(is_there: Any) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not is_there():
        assert time.monotonic() < end, "the browser does not answer"
        time.sleep(0.05)
