"""Configures, runs and cleans a node up many times; prints its resident memory after each, in MB.

Arguments: a weights file, and the number of cycles.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from ros_client import Client

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.node.tracker_node import TrackerNode


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Cycle."""
    rclpy.init(args=[])
    overrides = [
        Parameter("model", value=sys.argv[1]),
        Parameter("backend", value="torch"),
    ]
    node = TrackerNode(open_backend, parameter_overrides=overrides)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    client = Client()
    picture = np.zeros((480, 640, 3), np.uint8)
    resident_mb = []
    for _ in range(int(sys.argv[2])):
        for transition in (node.trigger_configure, node.trigger_activate):
            assert transition() == TransitionCallbackReturn.SUCCESS
        count = len(client.boxes)
        for index in range(200):
            if index % 10 == 0:
                client.send(picture, 10**9 + index)
                client.select((100, 100, 50, 50))
            executor.spin_once(timeout_sec=0.005)
            client.spin_for(0.002)
            if len(client.boxes) > count + 2:
                break
        assert len(client.boxes) > count
        for transition in (node.trigger_deactivate, node.trigger_cleanup):
            assert transition() == TransitionCallbackReturn.SUCCESS
        del client.boxes[:], client.timings[:], client.diagnostics[:]
        resident_mb.append(_resident_mb())
    client.close()
    node.close()
    rclpy.shutdown()
    print(json.dumps(resident_mb), flush=True)
    os._exit(0)


main()
