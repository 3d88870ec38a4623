"""The node in a process of its own, on real DDS, against the library in this one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.ros

PERIOD_NS = 33_000_000


def _library_boxes(model: Path, frames: list[np.ndarray], box: Any) -> list[np.ndarray]:
    import torch

    from litetrack_ros.backends.registry import open_backend
    from litetrack_ros.tracker.tracker import Tracker

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the node's process
    try:
        tracker = Tracker(open_backend(str(model), backend="torch"))
        tracker.init(frames[0], box)
        results = [tracker.update(frame) for frame in frames[1:]]
    finally:
        torch.set_num_threads(threads)
    return [result.box_xywh for result in results if result is not None]


def _sequence(sequences_dir: Path, name: str, count: int) -> tuple[list[np.ndarray], Any]:
    from litetrack_ros.media.sources import open_frames

    box = [
        float(v) for v in (sequences_dir / name / "groundtruth.txt").open().readline().split(",")
    ]
    frames = []
    for frame in open_frames(sequences_dir / name):
        frames.append(frame.image)
        if len(frames) == count:
            break
    return frames, box


def test_lockstep_boxes_equal_the_librarys(
    start_node: Callable[..., Any], client: Any, tiny_model: Path, sequences_dir: Path
) -> None:
    frames, box = _sequence(sequences_dir, "otb_crossing", 25)
    node = start_node()
    client.wait_for_node()
    stamps = [10**9 + PERIOD_NS * index for index in range(len(frames))]
    client.send(frames[0], stamps[0])
    assert len(client.boxes_for(stamps[0]).boxes) == 0
    client.select(box, stamps[0], "walker")
    for frame, stamp in zip(frames[1:], stamps[1:], strict=True):
        client.send(frame, stamp)
        client.boxes_for(stamp)
    arrays = {m.header.stamp.sec * 10**9 + m.header.stamp.nanosec: m for m in client.boxes}
    assert list(arrays) == stamps
    compared = 0
    for expected, stamp in zip(_library_boxes(tiny_model, frames, box), stamps[1:], strict=True):
        message = arrays[stamp]
        assert message.header.frame_id == "camera"
        for found in message.boxes:
            assert found.target_id == "walker"
            assert [found.x, found.y, found.width, found.height] == pytest.approx(
                expected, abs=1e-3
            )
            compared += 1
    assert compared >= len(frames) - 3
    status, log, _ = node.end()
    assert status == 0, log
