"""Selections on old images of a 1080p30 camera: the exact image, and what the ring costs."""

from __future__ import annotations

import array
import os
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest
from ros_client import START_TIMEOUT_S, stamp_of

from litetrack_ros.media.scene import DrawnScene

pytestmark = [pytest.mark.ros, pytest.mark.slow]

WIDTH, HEIGHT, RATE_HZ = 1920, 1080, 30
# Selections of a run; the full figures are those of 30.
SELECTIONS = int(os.environ.get("LITETRACK_RING_SELECTIONS", "10"))
MIB = 2**20


class Camera:
    """Publishes pictures of a scene at a steady rate in a thread of its own."""

    def __init__(self, client: Any) -> None:
        from sensor_msgs.msg import Image

        scene = DrawnScene(WIDTH, HEIGHT, frames=RATE_HZ)
        self.box_xywh = scene.box_xywh(0)
        data = array.array("B", scene.frame(0).tobytes())
        self._message = Image(height=HEIGHT, width=WIDTH, encoding="bgr8", step=3 * WIDTH)
        self._message.data = data
        self._message.header.frame_id = "camera"
        self._publisher = client.images
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        from litetrack_ros.node.messages import ns_to_stamp

        due_s = time.monotonic()
        while not self._ending.is_set():
            self._message.header.stamp = ns_to_stamp(time.time_ns())
            self._publisher.publish(self._message)
            due_s = max(due_s + 1 / RATE_HZ, time.monotonic() - 0.1)
            time.sleep(max(0.0, due_s - time.monotonic()))

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        self._thread.join()


class Cost(NamedTuple):
    """What a node needed: memory in MiB, CPU in cores, callback to box in ms."""

    steady_mib: float
    after_mib: float
    highest_mib: float
    cpu: float
    median_ms: float
    p99_ms: float


def _measure(
    start_node: Callable[..., Any], client: Any, has_ring: bool
) -> tuple[Cost, list[tuple[int, Any]]]:
    """A node's cost, and the selections: the stamp that was asked for and the answer each."""
    from litetrack_ros.node.messages import ns_to_stamp
    from litetrack_ros.srv import Select

    ring = {} if has_ring else {"ring_s": 0.0, "ring_mb": 7}
    node = start_node(model="litetrack_nano", backend="onnx", threads=1, **ring)
    client.wait_for_node()
    service = client.ready_service(Select, "select")
    process = psutil.Process(node.process.pid)
    camera = Camera(client)
    answers: list[tuple[int, Any]] = []
    memory: list[float] = []

    def spin_for(duration_s: float) -> None:
        end = time.monotonic() + duration_s
        while time.monotonic() < end:
            client.spin_for(0.1)
            memory.append(process.memory_info().rss / MIB)

    def select(age_s: float) -> None:
        asked = 0
        if has_ring:
            wanted_ns = time.time_ns() - int(age_s * 1e9)
            asked = min(map(stamp_of, client.timings), key=lambda ns: abs(ns - wanted_ns))
        x, y, width, height = (float(v) for v in camera.box_xywh)
        request = Select.Request(stamp=ns_to_stamp(asked), x=x, y=y, width=width, height=height)
        future = service.call_async(request)
        client.spin_until(future.done, START_TIMEOUT_S, "an answer")
        answers.append((asked, future.result()))

    try:
        client.timings.clear()
        spin_for(4.0)
        select(0.5)  # the first one makes the network's working memory
        memory.clear()
        client.timings.clear()
        before = process.cpu_times()
        spin_for(5.0)
        after = process.cpu_times()
        steady = float(np.median(memory[-10:]))
        times = [timing.total_ms for timing in client.timings]
        for age_s in np.linspace(0.1, 3.0, SELECTIONS):
            select(float(age_s))
            spin_for(0.3)
        spin_for(2.0)
    finally:
        camera.close()
    node.end()
    used_s = after.user + after.system - before.user - before.system
    cost = Cost(
        steady,
        float(np.median(memory[-10:])),
        max(memory),
        used_s / 5.0,
        float(np.median(times)),
        float(np.percentile(times, 99)),
    )
    return cost, answers[1:]


def test_boxes_up_to_three_seconds_old_start_on_exactly_their_image_within_the_memory(
    start_node: Callable[..., Any],
    make_client: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from litetrack_ros.node.dds import image_profile_path, profiles_variable

    pytest.importorskip("onnxruntime")
    variable = profiles_variable()
    monkeypatch.setenv(variable, os.environ.get(variable, str(image_profile_path())))
    costs = []
    for has_ring in (False, True):
        cost, answers = _measure(start_node, make_client(), has_ring)
        print(f"{'ring' if has_ring else 'ring of one'}: {cost}")
        costs.append(cost)
    for asked, answer in answers:
        assert answer.accepted, answer.reason
        assert answer.stamp.sec * 10**9 + answer.stamp.nanosec == asked
    one, ring = costs
    above = max(ring.steady_mib, ring.after_mib) - one.steady_mib
    print(f"{len(answers)} selections; {above * MIB / 1e6:.0f} MB above a ring of one")
    assert above * MIB < 128e6
