"""Hours of running: memory, descriptors and threads stay, and no box comes late.

`python test/campaign/soak.py --hours 6` runs each load for an equal share of the time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers"), str(HERE.parents[1])]

from tally import Tally, heading, merged, write_table  # noqa: E402

_SAMPLE_S = 10.0
_WARM_S = 600.0  # memory is looked at from then on
_MOST_MB_AN_HOUR = 1.0
_LATE_S = 1.0
_SCENE_FRAMES = 300


def steady(
    tally: Tally, seconds: float, rate_hz: float, size: tuple[int, int], others: bool = False
) -> None:
    """A camera of one rate and size, a target that is selected now and then.

    Args:
        tally: takes faults and figures.
        seconds: how long.
        rate_hz: of the camera.
        size: width and height, px.
        others: a process that computes beside it, and clients that call services.
    """
    from storms import Storm

    from litetrack_ros.media.scene import DrawnScene

    scene = DrawnScene(*size, frames=_SCENE_FRAMES)
    pictures = [scene.frame(k) for k in range(0, _SCENE_FRAMES, _SCENE_FRAMES // 20)]
    order = [*range(20), *reversed(range(20))]  # there and back, without a jump
    load = _Load() if others else None
    with Storm(tally) as storm:
        meter, sent_s = _Meter(tally, storm.node), {}
        began = time.monotonic()
        for count in itertools.count():
            due = began + count / rate_hz
            while (wait_s := due - time.monotonic()) > 0:
                storm.node.client.executor.spin_once(timeout_sec=wait_s)
            now = time.monotonic()
            if now > began + seconds or not storm.node.check_alive():
                break
            _look_for_late_boxes(tally, storm.node.client.boxes, sent_s, now)
            storm.node.spin(0.0)
            index = storm.send_sound(pictures[order[count % len(order)]])
            sent_s[index] = time.monotonic()
            sent_s.pop(index - int(10 * rate_hz), None)
            if count % int(30 * rate_hz) == 0:
                x, y, w, h = (float(v) for v in scene.box_xywh(0))
                storm.node.client.select((x, y, w, h), target_id="toy")
            meter.look()
        meter.judge()
        tally.counts["received"] += storm.node.counted("received")
        storm.node.end()
    if load is not None:
        load.end()


def _look_for_late_boxes(
    tally: Tally, messages: Sequence[Any], sent_s: dict[int, float], now: float
) -> None:
    from litetrack_ros.msg import TrackedBox

    for message in messages:
        index = int(message.header.frame_id[1:])
        boxes = message.boxes
        if index in sent_s and any(box.state == TrackedBox.TRACKING for box in boxes):
            age_s = now - sent_s[index]
            tally.counts["TRACKING boxes"] += 1
            tally.check(age_s <= _LATE_S, f"a TRACKING box {age_s:.2f} s after its image")


class _Load:
    """Another process that computes all the time."""

    def __init__(self) -> None:
        import subprocess

        code = "while True: sum(range(10**6))"
        self._process = subprocess.Popen([sys.executable, "-c", code])

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class _Meter:
    """Samples of a node's memory and handles."""

    def __init__(self, tally: Tally, node: Any) -> None:
        self._tally, self._node = tally, node
        self._began_s = self._last_s = time.monotonic()
        self._samples: list[tuple[float, float, int, int]] = []

    def look(self) -> None:
        now = time.monotonic()
        if now < self._last_s + _SAMPLE_S:
            return
        self._last_s = now
        node = self._node
        fds, threads = node.handles()
        memory_mb = node.resident_mb()
        self._samples.append((now - self._began_s, memory_mb, fds, threads))

    def judge(self) -> None:
        """The slope of memory after the first minutes; descriptors and threads from then on."""
        import numpy as np

        tally = self._tally
        samples = np.array([s for s in self._samples if s[0] >= _WARM_S])
        tally.counts["samples"] += len(self._samples)
        if len(samples) < 30:
            tally.notes.append("too short to judge the growth of memory (15 minutes at least)")
            return
        hours, memory_mb = samples[:, 0] / 3600, samples[:, 1]
        slope = float(np.polyfit(hours, memory_mb, 1)[0])
        tally.notes.append(
            f"memory grows {slope:+.2f} MB an hour, {memory_mb[0]:.0f} to {memory_mb[-1]:.0f} MB"
        )
        tally.check(slope < _MOST_MB_AN_HOUR, f"memory grows by {slope:.2f} MB an hour")
        for column, name in ((2, "descriptors"), (3, "threads")):
            values = samples[:, column]
            spread = int(values.max() - values.min())
            tally.check(spread <= 2, f"{name} from {values.min():.0f} to {values.max():.0f}")


def simulated_day(tally: Tally, seconds: float) -> None:
    """24 hours of ``/clock`` with jumps, accelerated, an image a simulated second at least."""
    from rosgraph_msgs.msg import Clock
    from storms import Storm

    from litetrack_ros.node.messages import ns_to_stamp

    dice = random.Random(tally.seed)
    with Storm(tally, use_sim_time=True) as storm:
        meter = _Meter(tally, storm.node)
        clock = storm.node.client.node.create_publisher(Clock, "/clock", 10)
        now_ns, passed_s, end = 10**18, 0.0, time.monotonic() + seconds
        while passed_s < 86_400 and time.monotonic() < end and storm.node.check_alive():
            step_s = dice.uniform(0.2, 1.0)
            passed_s += step_s
            now_ns += int(step_s * 1e9)
            if dice.random() < 0.001:
                now_ns += int(dice.choice((-3600, -5, 5, 3600)) * 1e9)
            clock.publish(Clock(clock=ns_to_stamp(now_ns)))
            storm.send_sound()
            storm.node.spin(0.002)
            if storm.index % 2000 == 0:
                storm.check_recovery()
            meter.look()
        tally.counts["simulated seconds"] = round(passed_s)
        meter.judge()
        storm.check_recovery()
        storm.node.end()


LOADS: dict[str, Callable[[Tally, float], None]] = {
    "100 Hz, 320x240": lambda tally, s: steady(tally, s, 100.0, (320, 240)),
    "30 Hz, 1920x1080": lambda tally, s: steady(tally, s, 30.0, (1920, 1080)),
    "30 Hz, 640x480, another load": lambda t, s: steady(t, s, 30.0, (640, 480), others=True),
    "a day of /clock": simulated_day,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the loads; 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, required=True, help="in all")
    parser.add_argument("--only", nargs="+", choices=LOADS, default=list(LOADS), metavar="LOAD")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("soak.json"))
    parser.add_argument("--table", action="store_true", help="write doc/reliability.md's table")
    asked = parser.parse_args(arguments)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    run, tallies = heading(f"soak of {asked.hours:g} h", asked.seed), []
    for name in asked.only:
        tally, began = Tally(name, asked.seed), time.monotonic()
        LOADS[name](tally, 3600 * asked.hours / len(asked.only))
        tally.took_s = time.monotonic() - began
        tallies.append(tally)
        print(json.dumps(tally.as_json(), ensure_ascii=False), flush=True)
        result = {"run": run, **merged(tallies)}
        asked.out.write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
    if asked.table:
        write_table(result, marks="soak")
    return 1 if any(tally.counts["faults"] for tally in tallies) else 0


if __name__ == "__main__":
    raise SystemExit(main())
