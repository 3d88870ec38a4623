"""``foxglove_msgs`` out: boxes that Foxglove draws over the camera's own images.

The only place that imports it, and it need not be installed.
"""

from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from litetrack_ros.node.compat import optional_module
from litetrack_ros.node.overlay import STATE_COLORS, label
from litetrack_ros.node.tracked import Tracked

_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_LINE = 0.004  # of the image's height
_FONT = 0.035  # of the image's height


class Annotations:
    """Publishes ~/annotations with the image's stamp while somebody listens.

    Without ``foxglove_msgs`` there is no such topic.

    Args:
        node: creates the publisher.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._module = optional_module("foxglove_msgs.msg")
        self._publisher: Any = None
        if self._module is not None:
            self._publisher = node.create_publisher(
                self._module.ImageAnnotations, "~/annotations", _QOS
            )

    def show(self, tracked: Tracked) -> None:
        """Send the boxes of an image; without a target an empty message, which clears the last."""
        if self._publisher is not None and self._publisher.get_subscription_count():
            self._publisher.publish(self._message(tracked))

    def destroy(self) -> None:
        """Take the topic away."""
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)

    def _message(self, tracked: Tracked) -> Any:
        assert self._module is not None  # there is a publisher
        stamp = tracked.frame.message.header.stamp
        message = self._module.ImageAnnotations()
        if hasattr(message, "timestamp"):  # from version 3.2.5 on
            message.timestamp = stamp
        height = tracked.image.size[1]
        for result in tracked.results:
            blue, green, red = (value / 255.0 for value in STATE_COLORS[result.state])
            color = self._module.Color(r=red, g=green, b=blue, a=1.0)
            x, y, w, h = (float(value) for value in result.box_xywh)
            corners = ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
            message.points.append(
                self._module.PointsAnnotation(
                    timestamp=stamp,
                    type=self._module.PointsAnnotation.LINE_LOOP,
                    points=[self._module.Point2(x=right, y=down) for right, down in corners],
                    outline_color=color,
                    thickness=max(2.0, _LINE * height),
                )
            )
            message.texts.append(
                self._module.TextAnnotation(
                    timestamp=stamp,
                    position=self._module.Point2(x=x, y=y),
                    text=label(result.target_id, result.state, result.score),
                    font_size=max(12.0, _FONT * height),
                    text_color=color,
                )
            )
        return message
