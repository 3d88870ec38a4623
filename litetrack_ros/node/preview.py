"""Small pictures for people far away: ~/preview/compressed, made beside the tracking thread.

The tracking thread only leaves the image here; this module's own thread scales, encodes and
publishes it, and OpenCV lets go of Python's lock meanwhile.
"""

import array
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from litetrack_ros.media.previews import encode_preview
from litetrack_ros.node.tracked import Tracked

PREVIEW_TOPIC = "~/preview/compressed"
_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
_STOP_TIMEOUT_S = 2.0
_EARLY = 0.25  # of a period: an image that comes so much too early is still taken


class Preview:
    """Publishes the newest processed image, reduced, while somebody listens.

    Args:
        node: creates the publisher.
        values: the node's parameters, asked for each image.
        report: takes a fault: a kind and a sentence.
    """

    def __init__(
        self,
        node: Node,
        values: Callable[[], Mapping[str, Any]],
        report: Callable[[str, str], None],
    ) -> None:
        self._node = node
        self._values = values
        self._report = report
        self.publisher = node.create_publisher(CompressedImage, PREVIEW_TOPIC, _QOS)
        self._offered: Tracked | None = None
        self._changed = threading.Condition()
        self._is_stopping = False
        self._due_s = 0.0
        self._thread = threading.Thread(target=self._run, name="preview", daemon=True)
        self._thread.start()

    def offer(self, tracked: Tracked) -> None:
        """Take an image if one is due; called by the tracking thread, and quick."""
        rate_hz = self._values()["preview_rate_hz"]
        if not rate_hz or not self.publisher.get_subscription_count():
            return
        now_s = time.perf_counter()
        if now_s < self._due_s - _EARLY / rate_hz:
            return
        # The next one is due a period after this one was, so that the mean rate is the one asked.
        self._due_s = max(self._due_s, now_s - 1.0 / rate_hz) + 1.0 / rate_hz
        with self._changed:
            self._offered = tracked
            self._changed.notify()

    def destroy(self) -> None:
        """End the thread and take the topic away."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._thread.join(_STOP_TIMEOUT_S)
        self._node.destroy_publisher(self.publisher)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._offered is not None or self._is_stopping)
                if self._is_stopping:
                    return
                tracked, self._offered = self._offered, None
            assert tracked is not None  # waited for
            values = self._values()
            try:
                data = encode_preview(
                    *tracked.image, values["preview_size_px"], values["preview_quality"]
                )
                self.publisher.publish(preview_message(tracked.frame.message.header, data))
            # The end of this thread would be silence without a reason, as in the worker's.
            except Exception as error:  # noqa: BLE001
                if not self._is_stopping and self._node.context.ok():
                    text = " ".join(str(error).split())
                    self._report("preview_failed", f"no preview: {type(error).__name__}: {text}")


def preview_message(header: Header, jpeg: bytes) -> CompressedImage:
    """A JPEG as a message; the data goes through an ``array.array``, as in ``bgr8_message``."""
    data = array.array("B")
    data.frombytes(jpeg)
    return CompressedImage(header=header, format="jpeg", data=data)
