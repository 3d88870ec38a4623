"""The node in a process of its own, on real DDS, against the library in this one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros_client import stamp_of

pytestmark = pytest.mark.ros

PERIOD_NS = 33_000_000


def _library_boxes(model: Path, frames: list[np.ndarray], box: Any) -> list[np.ndarray]:
    import torch

    from litetrack_ros.backends.registry import open_backend
    from litetrack_ros.config import ModelChoice
    from litetrack_ros.tracker.tracker import Tracker

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the node's process
    try:
        tracker = Tracker(open_backend(ModelChoice(str(model), backend="torch")))
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
    arrays = {stamp_of(message): message for message in client.boxes}
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


def _assert_counts_add_up(message: Any) -> None:
    assert message.received == (
        message.processed
        + message.replaced
        + message.caught_up
        + message.rejected
        + message.ignored
    )


def test_a_box_on_an_old_image_is_caught_up(
    start_node: Callable[..., Any], client: Any, tiny_model: Path
) -> None:
    from litetrack_ros.media.scene import DrawnScene

    scene = DrawnScene(320, 240, frames=40)
    start_node(catch_up_max_ms=5000.0)
    client.wait_for_node()
    stamps = [10**9 + PERIOD_NS * index for index in range(20)]
    for index in range(12):
        client.send(scene.frame(index), stamps[index])
        client.boxes_for(stamps[index])
    client.select(scene.box_xywh(3), stamps[3])
    _wait_for_target(client, stamps[11])
    for index in range(12, 20):
        client.send(scene.frame(index), stamps[index])
        client.boxes_for(stamps[index])
    expected = _library_boxes(tiny_model, [scene.frame(i) for i in range(3, 20)], scene.box_xywh(3))
    found = client.boxes_for(stamps[19]).boxes[0]
    assert [found.x, found.y, found.width, found.height] == pytest.approx(expected[-1], abs=1e-3)
    _assert_counts_add_up(client.timings[-1])


def _wait_for_target(client: Any, stamp_ns: int) -> None:
    """Until the diagnostics name a target: the node has taken the init box."""

    def taken() -> bool:
        return any(
            value.key.startswith("target ")
            for message in client.diagnostics
            for status in message.status
            for value in status.values
        )

    client.spin_until(taken, 10.0, "a target in the diagnostics")


def test_roi_reset_enable_and_debug_image(start_node: Callable[..., Any], client: Any) -> None:
    from sensor_msgs.msg import Image, RegionOfInterest
    from std_srvs.srv import SetBool, Trigger

    from litetrack_ros.msg import TrackedBox

    start_node()
    client.wait_for_node()
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    stamps = iter(range(10**9, 2 * 10**9, PERIOD_NS))

    def step() -> Any:
        stamp = next(stamps)
        client.send(picture, stamp)
        return client.boxes_for(stamp)

    assert step().boxes == []
    client.rois.publish(RegionOfInterest(x_offset=40, y_offset=30, width=50, height=40))
    client.spin_until(lambda: step().boxes, 10, "a box")
    assert client.boxes[-1].boxes[0].target_id == ""
    assert step().boxes[0].state == TrackedBox.TRACKING

    debug: list[Any] = []
    subscription = client.node.create_subscription(Image, "litetrack/debug_image", debug.append, 1)
    client.spin_until(lambda: step() and debug, 10, "a debug image")
    assert (debug[0].encoding, debug[0].height, debug[0].width) == ("bgr8", 120, 160)
    assert stamp_of(debug[0]) in {stamp_of(message) for message in client.boxes}
    drawn = np.frombuffer(debug[0].data, np.uint8).reshape(120, 160, 3)
    assert 0 < (drawn != picture).any(axis=2).sum() < picture.size / 4
    client.node.destroy_subscription(subscription)

    assert client.call(Trigger, "reset", Trigger.Request(), repeat_s=3).success
    assert step().boxes == []

    assert client.call(SetBool, "enable", SetBool.Request(data=False), repeat_s=3).success
    sent = len(client.boxes)
    for _ in range(5):
        client.send(picture, next(stamps))
    client.select((40, 30, 50, 40))
    client.spin_for(0.5)
    assert len(client.boxes) == sent
    assert client.call(SetBool, "enable", SetBool.Request(data=True), repeat_s=3).success
    assert step().boxes == []
    client.spin_until(lambda: client.timings[-1].processed == len(client.boxes), 5, "timing")
    assert client.timings[-1].ignored >= 1
    _assert_counts_add_up(client.timings[-1])


def test_compressed_images_below_a_remapped_topic(
    start_node: Callable[..., Any], make_client: Callable[..., Any]
) -> None:
    import array

    import cv2
    from sensor_msgs.msg import CompressedImage

    from litetrack_ros.node.messages import ns_to_stamp

    client = make_client(image_topic="/cam/image_raw/compressed")
    start_node(ros_args=("-r", "image:=/cam/image_raw"), image_transport="compressed")
    client.wait_for_node()
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    jpeg = array.array("B", cv2.imencode(".jpg", picture)[1].tobytes())
    client.select((40, 30, 50, 40))
    client.spin_for(0.3)
    for index, data in enumerate((jpeg, array.array("B", b"no picture"), jpeg), start=1):
        message = CompressedImage(format="bgr8; jpeg compressed bgr8", data=data)
        message.header.stamp = ns_to_stamp(index * 10**9)
        client.images.publish(message)
        if index != 2:
            assert len(client.boxes_for(index * 10**9).boxes) == 1
        else:
            client.spin_for(0.3)
    client.spin_until(lambda: client.timings[-1].received == 3, 5, "the third image's timing")
    assert (client.timings[-1].rejected, client.timings[-1].processed) == (1, 2)


def test_several_targets(start_node: Callable[..., Any], client: Any) -> None:
    start_node(max_targets=2)
    client.wait_for_node()
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    client.send(picture, 10**9)
    client.boxes_for(10**9)
    client.select((10, 10, 40, 40), 10**9, "a")
    client.select((80, 50, 40, 40), 10**9, "b")

    stamps = iter(range(2 * 10**9, 10**11, PERIOD_NS))

    def both() -> bool:
        stamp = next(stamps)
        client.send(picture, stamp)
        return [box.target_id for box in client.boxes_for(stamp).boxes] == ["a", "b"]

    client.spin_until(both, 10, "both targets")
