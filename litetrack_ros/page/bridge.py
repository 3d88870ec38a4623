"""The page's side of ROS: the one file here that knows it.

Topics and services only, in a process of its own: the tracker node doesn't notice when it ends.
Where the node has the services ~/select and ~/remove and the topic ~/events they are used; where it
has not, selections go out on ~/init_box.
"""

import contextlib
from concurrent.futures import Future, InvalidStateError
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import SetBool, Trigger

from litetrack_ros.media.previews import image_size
from litetrack_ros.msg import FrameTiming, InitBox, TrackedBoxArray
from litetrack_ros.node.compat import optional_module, subscribe_and_watch_qos
from litetrack_ros.node.events import EventKind
from litetrack_ros.node.messages import ns_to_stamp, stamp_to_ns
from litetrack_ros.page.feed import Answer, Box, Command, Feed, Picture, followed
from litetrack_ros.tracker.state import State

_RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_KEPT = QoSProfile(
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_SIGNAL_S = 0.3
_COUNTS = ("replaced", "caught_up", "rejected")
_TIMES = ("queue_wait", "conversion", "crop", "model", "decode", "publish")


class Bridge:
    """Hears a tracker node for a feed, and asks it; a :class:`litetrack_ros.page.feed.Tracker`.

    Args:
        node_name: of the tracker node, with its namespace.
        diagnostics: the topic of the diagnostics.
        use_sim_time: take the time from /clock, as the node does then.
    """

    def __init__(self, node_name: str, diagnostics: str, use_sim_time: bool = False) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node(
            "litetrack_page",
            context=self._context,
            start_parameter_services=False,
            parameter_overrides=[Parameter("use_sim_time", value=use_sim_time)],
        )
        clock = self._node.get_clock()
        self.feed = Feed(f"LiteTrack: {node_name}", lambda: int(clock.now().nanoseconds))
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._name = node_name.lstrip("/")
        self._preview: Any = None
        self._preview_topic = f"{node_name}/preview/compressed"
        for kind, topic, callback in (
            (TrackedBoxArray, f"{node_name}/tracked_boxes", self._on_boxes),
            (FrameTiming, f"{node_name}/timing", self._on_timing),
            (DiagnosticArray, diagnostics, self._on_diagnostics),
        ):
            self._node.create_subscription(kind, topic, callback, _RELIABLE)
        self._inits = self._node.create_publisher(InitBox, f"{node_name}/init_box", _RELIABLE)
        self._reset = self._node.create_client(Trigger, f"{node_name}/reset")
        self._enable = self._node.create_client(SetBool, f"{node_name}/enable")
        self._services: Any = optional_module("litetrack_ros.srv")
        self._select: Any = None
        self._remove: Any = None
        if self._services is not None:
            self._select = self._node.create_client(self._services.Select, f"{node_name}/select")
            self._remove = self._node.create_client(self._services.Remove, f"{node_name}/remove")
        messages = optional_module("litetrack_ros.msg")
        self._event_kind: Any = getattr(messages, "TargetEvent", None)
        self._last_event = 0
        if self._event_kind is not None:
            self._node.create_subscription(
                self._event_kind, f"{node_name}/events", self._on_event, _KEPT
            )

    def spin(self) -> None:
        """Hear and ask until ROS is shut down, by a signal or by :meth:`close`."""
        with contextlib.suppress(ExternalShutdownException, KeyboardInterrupt):
            while self._context.ok():
                # Python learns of a signal when the wait ends: without messages it would not.
                self._executor.spin_once(timeout_sec=_SIGNAL_S)

    def close(self) -> None:
        """End the participant."""
        self._executor.shutdown(timeout_sec=0)
        self._node.destroy_node()
        self._context.try_shutdown()

    # Of a Tracker

    def abilities(self) -> tuple[str, ...]:
        """See :class:`litetrack_ros.page.feed.Tracker`."""
        able = ["box", "reset", "enable"]
        if self._select is not None and self._select.service_is_ready():
            able.append("point")
        if self._remove is not None and self._remove.service_is_ready():
            able.append("remove")
        elif len(self.feed.summary()["targets"]) == 1:
            able.append("remove")  # a reset does the same
        return tuple(able)

    def watch(self, is_watched: bool) -> None:
        """See :class:`litetrack_ros.page.feed.Tracker`."""
        self._executor.create_task(self._watch, is_watched)

    def ask(self, command: Command) -> Future[Answer]:
        """See :class:`litetrack_ros.page.feed.Tracker`."""
        answered: Future[Answer] = Future()
        self._executor.create_task(self._ask, command, answered)
        return answered

    # In the executor's thread

    def _watch(self, is_watched: bool) -> None:
        if is_watched and self._preview is None:
            self._preview = subscribe_and_watch_qos(
                self._node,
                CompressedImage,
                self._preview_topic,
                self._on_preview,
                _NEWEST,
                on_incompatible_qos=self._on_incompatible_qos,
            )
        elif not is_watched and self._preview is not None:
            self._node.destroy_subscription(self._preview)
            self._preview = None

    def _ask(self, command: Command, answered: Future[Answer]) -> None:
        if command.kind == "reset" or (command.kind == "remove" and not _is_ready(self._remove)):
            self._call(self._reset, Trigger.Request(), answered, _plain)
        elif command.kind == "enable":
            self._call(self._enable, SetBool.Request(data=command.on), answered, _plain)
        elif command.kind == "remove":
            request = self._services.Remove.Request(target_id=command.target_id)
            self._call(self._remove, request, answered, _plain)
        elif _is_ready(self._select):
            kind = self._services.Select.Request
            x, y, *size = command.numbers
            request = kind(
                mode=kind.BOX if size else kind.POINT,
                stamp=ns_to_stamp(command.stamp_ns),
                target_id=command.target_id,
                x=x,
                y=y,
            )
            if size:
                request.width, request.height = size
            self._call(self._select, request, answered, _selected)
        else:
            answered.set_result(self._publish_init(command))

    def _publish_init(self, command: Command) -> Answer:
        if not self._inits.get_subscription_count():
            return Answer(False, "no tracker node takes selections now")
        x, y, width, height = command.numbers
        message = InitBox(target_id=command.target_id, x=x, y=y, width=width, height=height)
        message.header.stamp = ns_to_stamp(command.stamp_ns)
        self._inits.publish(message)
        return Answer(True, "sent to the tracker")

    def _call(self, client: Any, request: Any, answered: Future[Answer], read: Any) -> None:
        """Call a service. rclpy keeps a call that is not answered for ever: it is taken out."""
        if not client.service_is_ready():
            answered.set_result(Answer(False, "the tracker node does not answer: is it running?"))
            return
        called = client.call_async(request)

        def done(future: Any) -> None:
            fault = future.exception()
            answer = Answer(False, str(fault)) if fault is not None else read(future.result())
            with contextlib.suppress(InvalidStateError):  # the asker has given up
                answered.set_result(answer)

        def forget(_: Future[Answer]) -> None:
            if answered.cancelled():
                self._executor.create_task(client.remove_pending_request, called)

        called.add_done_callback(done)
        answered.add_done_callback(forget)

    def _on_preview(self, message: Any) -> None:
        self.feed.set_notice("qos", "")
        data = bytes(message.data)
        size = image_size(data)
        if size is None:
            self.feed.set_notice("preview", f"what comes on {self._preview_topic} is no JPEG")
            return
        self.feed.set_notice("preview", "")
        self.feed.add_picture(Picture(stamp_to_ns(message.header.stamp), data, *size))

    def _on_incompatible_qos(self, policy: str) -> None:
        self.feed.set_notice(
            "qos",
            f"Pictures on {self._preview_topic} are offered with a QoS that this page cannot hear "
            f"({policy}).",
        )

    def _on_boxes(self, message: Any) -> None:
        boxes = [
            Box(b.target_id, State(b.state).name, (b.x, b.y, b.width, b.height), b.score)
            for b in message.boxes
        ]
        self.feed.add_boxes(stamp_to_ns(message.header.stamp), boxes)

    def _on_timing(self, message: Any) -> None:
        stages = {stage: getattr(message, f"{stage}_ms") for stage in _TIMES}
        stages["transport"] = max(0.0, message.age_ms - message.total_ms)
        self.feed.add_timing(stages, {name: getattr(message, name) for name in _COUNTS})

    def _on_diagnostics(self, message: Any) -> None:
        statuses, is_enabled = {}, True
        for status in message.status:
            name, _, task = status.name.rpartition(": ")
            if name.lstrip("/") in (self._name, self._name.rpartition("/")[2]):
                statuses[task] = (status.level[0], status.message)
                is_enabled &= ("enabled", "false") not in ((v.key, v.value) for v in status.values)
        if statuses:
            self.feed.add_diagnostics(statuses, is_enabled)

    def _on_event(self, message: Any) -> None:
        self.feed.has_own_events = True
        words = {int(kind): kind.name.lower().replace("_", " ") for kind in EventKind}
        if 0 < message.sequence <= self._last_event and message.sequence != 1:
            return  # sent once more to who came later
        self._last_event = message.sequence
        reason = f": {message.reason}" if message.reason else ""
        what = words.get(message.event, "changed")
        at_ns = stamp_to_ns(message.node_stamp)
        self.feed.add_event(f"target '{message.target_id}' {what}{reason}", at_ns)


def _is_ready(client: Any) -> bool:
    return client is not None and bool(client.service_is_ready())


def _plain(response: Any) -> Answer:
    return Answer(bool(response.success), response.message or "done")


def _selected(response: Any) -> Answer:
    if not response.accepted:
        return Answer(False, response.reason)
    return followed(response.caught_up)
