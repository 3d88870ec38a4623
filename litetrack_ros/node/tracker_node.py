"""The lifecycle node: wires images, init boxes, the tracker's thread and the results together."""

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool, Trigger

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.errors import ConfigError, LiteTrackError
from litetrack_ros.node.compat import (
    cv_bridge_fallback,
    optional_module,
    parameter_override_names,
)
from litetrack_ros.node.diagnostics import (
    NoticeBoard,
    images_status,
    latency_status,
    model_status,
    no_image_message,
    targets_status,
)
from litetrack_ros.node.frames import FrameRing, FrameSlot
from litetrack_ros.node.init_boxes import InitQueue, InitRequest
from litetrack_ros.node.inputs import ImageInput, InitInput
from litetrack_ros.node.messages import WINDOW_S, Outputs, diagnostic_array
from litetrack_ros.node.parameters import (
    NodeParameters,
    model_choice,
    tracker_config,
    worker_settings,
)
from litetrack_ros.node.preview import PREVIEW_TOPIC
from litetrack_ros.node.worker import TrackingWorker
from litetrack_ros.tracker.tracker import MultiTracker

_DIAGNOSTIC_PERIOD_S = 1.0
_STOP_TIMEOUT_S = 30.0  # a model call may take long, and the next thread must not meet it
_EXIT_TIMEOUT_S = 0.5  # nobody comes after this thread

BackendOpener = Callable[[ModelChoice], Backend]


class _NodeSession:
    """What exists while the node is configured."""

    def __init__(self, backend: Backend, slot: FrameSlot, inits: InitQueue, outputs: Outputs):
        self.backend = backend
        self.slot = slot
        self.inits = inits
        self.outputs = outputs
        self.is_enabled = True
        self.services: list[Any] = []
        self.images: ImageInput | None = None
        self.init_input: InitInput | None = None
        self.worker: TrackingWorker | None = None


class TrackerNode(LifecycleNode):
    """Images and init boxes in; tracked boxes, timing and diagnostics out.

    Args:
        opener: opens the backend; tests pass their own.
        **kwargs: of rclpy's node.
    """

    def __init__(self, opener: BackendOpener = open_backend, **kwargs: Any) -> None:
        super().__init__("litetrack", **kwargs)
        self._opener = opener
        self._session: _NodeSession | None = None
        self._fault = ""
        self._board = NoticeBoard(self.get_logger().warning)
        self.parameters = NodeParameters(
            self,
            parameter_override_names(self),
            self._on_parameters,
            lambda: self._session is not None,
        )
        self._values = self.parameters.values()
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_DIAGNOSTIC_PERIOD_S, self._diagnose, clock=self._steady_clock)

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and make topics and services."""
        self._values = values = self.parameters.values()
        try:
            if self.parameters.faults:
                raise ConfigError("; ".join(self.parameters.faults))
            self._session = self._open_session(values)
        except (LiteTrackError, OSError, RuntimeError, MemoryError) as error:
            self._fault = f"cannot configure: {' '.join(str(error).split())}"
            self.get_logger().error(self._fault)
            return TransitionCallbackReturn.FAILURE
        self._fault = ""
        info = self._session.backend.info
        self.get_logger().info(
            f"model {info.model_name} ({info.model_sha256[:12]}) on {info.backend}, "
            f"{info.provider}, {info.precision}"
        )
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the tracking thread and subscribe to images and init boxes."""
        session, values = self._session, self._values
        assert session is not None  # configured, by the lifecycle
        fallback = cv_bridge_fallback()
        try:
            session.images = ImageInput(
                self,
                values["image_transport"],
                session.slot,
                self._board,
                fallback,
                lambda: self._values["stale_stamp_ms"],
                WINDOW_S,
            )
        # What rclpy raises for QoS parameters it cannot use.
        except (ParameterException, RuntimeError, ValueError) as error:
            self._fault = f"cannot subscribe to the images: {error}"
            self.get_logger().error(self._fault)
            return TransitionCallbackReturn.FAILURE
        session.worker = TrackingWorker(
            session.backend,
            worker_settings(values, session.backend.tracker_config),
            values["max_targets"],
            session.slot,
            session.inits,
            session.images.convert,
            session.outputs,
        )
        session.init_input = InitInput(self, session.slot.newest, self._on_init)
        session.worker.start()
        if session.is_enabled:
            session.slot.open()
        self.get_logger().info(
            f"waiting for images on {session.images.topic} (QoS: {session.images.qos_text})"
        )
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop tracking; targets are dropped."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the model, topics and services."""
        self._close_session()
        gc.collect()  # networks hold cycles; without this the next one is loaded beside the old
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As deactivate and cleanup."""
        self._close_session()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a transition that failed with an exception: back to unconfigured."""
        self._close_session()
        return super().on_error(state)

    @property
    def lifecycle_state(self) -> str:
        """Label of the present state, such as ``active``."""
        return str(self._state_machine.current_state[1])

    def close(self) -> None:
        """End the tracking thread and destroy the node, whatever its state."""
        self._close_session(_EXIT_TIMEOUT_S)
        self.destroy_node()

    # Building and taking apart

    def _open_session(self, values: Mapping[str, Any]) -> _NodeSession:
        backend = self._opener(model_choice(values))
        tracker_config(values, backend.tracker_config)  # raises if they do not fit together
        _warm_up(backend)
        vision_msgs = None
        if values["publish_detections"]:
            vision_msgs = optional_module("vision_msgs.msg")
            if vision_msgs is None:
                raise ConfigError(
                    "publish_detections is on, but vision_msgs is not installed: install "
                    "ros-$ROS_DISTRO-vision-msgs, or switch it off"
                )
        self._board.clear()
        slot = FrameSlot(FrameRing(values["ring_frames"], values["ring_mb"] * 1_000_000))
        slot.close()
        outputs = Outputs(self, slot, self._board, lambda: self._values, vision_msgs)
        session = _NodeSession(backend, slot, InitQueue(values["max_targets"]), outputs)
        session.services = [
            self.create_service(Trigger, "~/reset", self._on_reset),
            self.create_service(SetBool, "~/enable", self._on_enable),
        ]
        return session

    def _stop(self, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        session = self._session
        if session is None:
            return
        session.slot.close()
        for source in (session.images, session.init_input):
            if source is not None:
                source.destroy()
        session.images = session.init_input = None
        if session.worker is not None:
            session.worker.drop_targets()
            if not session.worker.stop(timeout_s):
                self.get_logger().warning("the model is still at work: not waiting for it")
            session.worker = None

    def _close_session(self, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        self._stop(timeout_s)
        session, self._session = self._session, None
        if session is None:
            return
        session.outputs.destroy()
        for service in session.services:
            self.destroy_service(service)

    # Callbacks

    def _on_init(self, request: InitRequest) -> None:
        session = self._session
        if session is None or session.worker is None:
            return
        if not session.is_enabled:
            session.worker.refuse(request, "the node is disabled (service ~/enable)")
        elif not session.inits.put(request):
            session.worker.refuse(request, "max_targets init boxes of other targets are waiting")
        else:
            session.slot.nudge()

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        session = self._session
        if session is not None and session.worker is not None:
            session.worker.drop_targets()
        response.success, response.message = True, "all targets dropped"
        return response

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        session = self._session
        assert session is not None  # the service exists with the session
        session.is_enabled = request.data
        if session.worker is not None:
            if request.data:
                session.slot.open()
            else:
                session.slot.close()
                session.worker.drop_targets()
        response.success = True
        response.message = "enabled" if request.data else "disabled, all targets dropped"
        self.get_logger().info(response.message)
        return response

    def _on_parameters(self, values: Mapping[str, Any]) -> None:
        session = self._session
        if session is not None:
            settings = worker_settings(values, session.backend.tracker_config)
            if session.worker is not None:
                session.worker.change(settings)
        self._values = dict(values)

    # Diagnostics

    def _diagnose(self) -> None:
        session, board = self._session, self._board
        info = session.backend.info if session is not None else None
        statuses = [
            model_status(info, self.lifecycle_state, self._fault, board.active("tracking_failed"))
        ]
        if session is not None and session.images is not None and session.worker is not None:
            self._check_silence(session, session.images)
            windows = session.outputs.windows
            stages = {"stamp to callback": session.images.transport_window, **windows}
            worker, kinds = session.worker, tuple(board.active())
            image_kinds = [k for k in kinds if k not in ("tracking_failed", "init_refused")]
            statuses += [
                images_status(
                    session.images.topic,
                    session.images.qos_text,
                    session.slot.counts,
                    session.images.transport_window.rate_hz(),
                    windows["total"].rate_hz(),
                    session.slot.held,
                    board.active(*image_kinds) if image_kinds else {},
                ),
                latency_status(stages, self.get_parameter("use_sim_time").value),
                targets_status(
                    worker.targets,
                    session.is_enabled,
                    worker.inits_accepted,
                    worker.inits_refused,
                    board.active("init_refused"),
                ),
            ]
        self._diagnostics.publish(
            diagnostic_array(
                self.get_clock().now().to_msg(),
                self.get_name(),
                info.device_name if info is not None else "",
                statuses,
            )
        )

    def _check_silence(self, session: _NodeSession, images: ImageInput) -> None:
        silent_s = time.perf_counter() - images.last_arrival_s
        if silent_s < self._values["no_image_timeout_s"]:
            return
        compressed = self._values["image_transport"] == "compressed"
        wanted = f"sensor_msgs/msg/{'CompressedImage' if compressed else 'Image'}"
        topics = [
            name
            for name, types in self.get_topic_names_and_types()
            if wanted in types and self.count_publishers(name)
        ]
        own = [self.resolve_topic_name(name) for name in ("~/debug_image", PREVIEW_TOPIC)]
        self._board.post(
            "no_images",
            no_image_message(
                images.topic,
                images.qos_text,
                silent_s,
                self.count_publishers(images.topic),
                [name for name in topics if name not in own],
            ),
        )


def _warm_up(backend: Backend) -> None:
    """Run every step once: the first call of a network takes many times as long as the next."""
    tracker = MultiTracker(backend)
    image = np.zeros((240, 320, 3), np.uint8)
    tracker.init(image, (100.0, 80.0, 60.0, 50.0))
    for _ in range(2):
        tracker.update(image)
