"""A camera that is late only where the machine is busy: a process that does nothing else.

Arguments: seconds, period in s, width and height in px. Prints a line when it is heard, starts when
it reads one, and prints the stamps of its images as JSON at the end.
"""

from __future__ import annotations

import array
import json
import os
import sys
import time

import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.node.messages import ns_to_stamp

WAKE_S = 0.004  # before an image is due: an idle core may take milliseconds to wake


def _pictures(width: int, height: int) -> list[array.array[int]]:
    scene = DrawnScene(width, height, frames=200)
    return [array.array("B", scene.frame(index).tobytes()) for index in range(0, 60, 4)]


def main(seconds: float, period_s: float, width: int, height: int) -> None:
    """Publish on the topic ``image``."""
    rclpy.init(args=[])
    node = rclpy.create_node("camera", enable_rosout=False, start_parameter_services=False)
    qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
    publisher = node.create_publisher(Image, "image", qos)
    pictures = _pictures(width, height)
    message = Image(height=height, width=width, encoding="bgr8", step=3 * width)
    message.header.frame_id = "camera"
    while not publisher.get_subscription_count():
        time.sleep(0.05)
    print("heard", flush=True)
    sys.stdin.readline()
    stamps: list[int] = []
    start_s = time.perf_counter()
    for index in range(round(seconds / period_s)):
        message.data = pictures[index % len(pictures)]
        due_s = start_s + index * period_s
        time.sleep(max(0.0, due_s - time.perf_counter() - WAKE_S))
        while time.perf_counter() < due_s:
            pass
        stamps.append(time.time_ns())
        message.header.stamp = ns_to_stamp(stamps[-1])
        publisher.publish(message)
    print(json.dumps(stamps), flush=True)
    sys.stdin.readline()  # the last image may still be on its way: stay until told to go
    os._exit(0)


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
