"""From an image's stamp to its pixels on the operator's page, with the tracker running.

`.venv/bin/python test/page/measure_delay.py --seconds 60` plays the demo's scene to a node with the
shipped model over DDS, opens `litetrack page` in Chromium, selects the target and prints one JSON:
ms from the stamp to the box, to the browser's socket, to the drawn canvas and to the frame that
shows it, and what share of the machine each process took. Run it on a machine that does nothing
else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from browser import Browser
from page_actors import PageProcess, SceneCamera, own_namespace, select_target, start_tracker

_WARM_UP_S = 5.0
# The clock of performance is the system's at the page's start: the stamps' on the same machine. A
# message that a frame's own callback posts is handled after that frame was painted.
_PROBE = """
window.delays = []; window.boxed = {};
const clock = () => performance.timeOrigin + performance.now();
const came = new Map();
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      if (typeof data === "string") {
        for (const bin of JSON.parse(data).bins ?? []) if (bin[1]) window.boxed[bin[0]] = bin;
        return;
      }
      const text = new Uint8Array(data, 4, new DataView(data).getUint32(0));
      came.set(JSON.parse(new TextDecoder().decode(text)).stamp, clock());
    });
  }
};
let last = "";
new MutationObserver(() => {
  const stamp = document.getElementById("canvas")?.dataset.stamp;
  if (!stamp || stamp === last) return;
  last = stamp;
  const sent = Number(stamp) / 1e6, drawn = clock() - sent;
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => window.delays.push([came.get(stamp) - sent, drawn, clock() - sent]);
    port2.postMessage(0);
  });
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-stamp"] });
"""


def _processor_s(process: psutil.Process) -> float:
    """Processor time of a process and of all that it started and that still run."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def _spread(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"median": round(cuts[49], 1), "p95": round(cuts[94], 1), "most": round(max(values), 1)}


def measure(seconds: float, size_px: tuple[int, int], folder: Path) -> dict[str, Any]:
    """Run everything for a time; the figures."""
    namespace = own_namespace()
    with contextlib.ExitStack() as stack:
        camera = SceneCamera(namespace, size_px)
        stack.callback(camera.close)
        node = start_tracker(namespace, folder / "node.log")
        stack.callback(node.end)
        page = PageProcess(namespace)
        stack.callback(page.end)
        browser = Browser(folder / "browser")
        stack.callback(browser.close)
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=_PROBE)
        browser.visit(page.url)
        select_target(browser, camera)
        browser.wait("document.getElementById('targets').textContent.includes('TRACKING')")
        time.sleep(_WARM_UP_S)
        shares = {
            "node": psutil.Process(node.pid),
            "page": psutil.Process(page.process.pid),
            "browser": psutil.Process(browser.pid),
        }
        browser.evaluate("[delays.length = 0, boxed = {}]")
        before = {name: _processor_s(process) for name, process in shares.items()}
        started_s = time.monotonic()
        time.sleep(seconds)
        took_s = time.monotonic() - started_s
        used = {name: _processor_s(process) - before[name] for name, process in shares.items()}
        delays = browser.evaluate("delays")
        bins = browser.evaluate("Object.values(boxed)")
    arrived, drawn, pixels = ([delay[i] for delay in delays] for i in range(3))
    cores = os.cpu_count() or 1
    return {
        "size_px": size_px,
        "pictures": len(delays),
        "pictures_hz": round(len(delays) / took_s, 1),
        "stamp_to_box_mean_ms": round(statistics.fmean(sum(b[3:]) for b in bins), 1),
        "stamp_to_socket_ms": _spread(arrived),
        "stamp_to_canvas_ms": _spread(drawn),
        "stamp_to_pixels_ms": _spread(pixels),
        "browsers_part_ms": _spread([p - a for p, a in zip(pixels, arrived, strict=True)]),
        "cores": cores,
        "load": [round(v, 1) for v in os.getloadavg()],
        "share_of_the_machine": {n: round(u / took_s / cores, 3) for n, u in used.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="(%(default)s)")
    parser.add_argument("--size", default="640x480", help="of the camera's images (%(default)s)")
    arguments = parser.parse_args()
    width, height = (int(word) for word in arguments.size.split("x"))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(arguments.seconds, (width, height), Path(folder)), indent=1))


if __name__ == "__main__":
    main()
