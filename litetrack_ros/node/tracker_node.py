"""The lifecycle node: wires images, init boxes, the tracker's thread and the results together."""

import gc
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool, Trigger

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.errors import ConfigError, LiteTrackError, shown
from litetrack_ros.node.compat import (
    answer_impossible_transitions,
    cv_bridge_fallback,
    destroy_lifecycle_node,
    lifecycle_label,
    parameter_override_names,
)
from litetrack_ros.node.control_outputs import open_control
from litetrack_ros.node.declaration import NodeParameters
from litetrack_ros.node.diagnostics import NoticeBoard, model_status
from litetrack_ros.node.events import Event, EventKind
from litetrack_ros.node.frames import FrameRing, FrameSlot
from litetrack_ros.node.inputs import ImageInput
from litetrack_ros.node.messages import WINDOW_S, EventOutput, Outputs, diagnostic_array
from litetrack_ros.node.requests import InitRequest, Outcome, RequestDesk
from litetrack_ros.node.selection import Seen, SelectionInput
from litetrack_ros.node.session import MODEL_FAULTS, NodeSession, warm_up
from litetrack_ros.node.settings import (
    call_limits,
    image_limits,
    model_choice,
    tracker_config,
    worker_settings,
)
from litetrack_ros.node.vision import NOT_INSTALLED, vision_msgs
from litetrack_ros.node.watchdog import Verdict, Watchdog
from litetrack_ros.srv import Remove

_DIAGNOSTIC_PERIOD_S = 1.0
_WATCH_PERIOD_S = 0.5
_STOP_TIMEOUT_S = 30.0  # a model call may take long, and the next thread must not meet it
_MAX_FAULT = 1000  # characters of a message
_EXIT_TIMEOUT_S = 0.5  # nobody comes after this thread

BackendOpener = Callable[[ModelChoice], Backend]


class TrackerNode(LifecycleNode):
    """Images and init boxes in; tracked boxes, timing and diagnostics out.

    Args:
        opener: opens the backend; tests pass their own.
        beat: called now and then with the seconds after which this process is stuck if it is not
            called again; 0 is never.
        **kwargs: of rclpy's node.

    Attributes:
        is_stuck: a call does not return, or a GPU has failed: the process should end.
    """

    def __init__(
        self,
        opener: BackendOpener = open_backend,
        beat: Callable[[float], None] = lambda _: None,
        **kwargs: Any,
    ) -> None:
        super().__init__("litetrack", **kwargs)
        self._opener = opener
        self._beat = beat
        self.is_stuck = False
        self._session: NodeSession | None = None
        self._fault = ""
        self._board = NoticeBoard(self.get_logger().warning)
        self.parameters = NodeParameters(
            self,
            parameter_override_names(self),
            self._on_parameters,
            lambda: self._session is not None,
        )
        for warning in self.parameters.warnings:
            self.get_logger().warning(warning)
        self._values = self.parameters.values()
        self._events = EventOutput(self)
        self._watchdog = Watchdog(self._board, self._events.tell)
        self._desk = RequestDesk(self._on_request_end)
        self._selection = SelectionInput(
            self, self._desk, self._seen, self._why_not, self._wake_worker
        )
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(SetBool, "~/enable", self._on_enable)
        self.create_service(Remove, "~/remove", self._on_remove)
        answer_impossible_transitions(self, lambda text: self._board.post("transition", text))
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_DIAGNOSTIC_PERIOD_S, self._diagnose, clock=self._steady_clock)
        self.create_timer(_WATCH_PERIOD_S, self._watch, clock=self._steady_clock)

    # Transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and make the topics of results."""
        self._values = values = self.parameters.values()
        try:
            if self.parameters.faults:
                raise ConfigError("; ".join(self.parameters.faults))
            self._session = self._open_session(values)
        except (LiteTrackError, OSError, RuntimeError, MemoryError) as error:
            self._fault = shown(f"cannot configure: {' '.join(str(error).split())}", _MAX_FAULT)
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
        """Start the tracking thread and subscribe to images."""
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
                image_limits(values),
                lambda: self._values["stale_stamp_ms"],
                WINDOW_S,
            )
        # What rclpy raises for QoS parameters it cannot use.
        except (ParameterException, RuntimeError, ValueError) as error:
            self._fault = shown(f"cannot subscribe to the images: {error}", _MAX_FAULT)
            self.get_logger().error(self._fault)
            return TransitionCallbackReturn.FAILURE
        session.start_worker(values, self._desk, self._watchdog.calls, self._selection.detections)
        if session.is_enabled:
            session.slot.open()
        self.get_logger().info(
            f"waiting for images on {session.images.topic} (QoS: {session.images.qos_text})"
        )
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop tracking; targets are dropped."""
        self._stop("the node was deactivated")
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the model and the topics of results."""
        self._close_session("the node was cleaned up")
        gc.collect()  # networks hold cycles; without this the next one is loaded beside the old
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As deactivate and cleanup."""
        self._close_session("the node was shut down")
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a transition that failed with an exception: back to unconfigured."""
        self._close_session("a transition failed")
        return super().on_error(state)

    @property
    def lifecycle_state(self) -> str:
        """Label of the present state, such as ``active``."""
        return lifecycle_label(self)

    def close(self) -> None:
        """End the tracking thread and destroy the node, whatever its state."""
        self._close_session("the node ended", _EXIT_TIMEOUT_S)
        destroy_lifecycle_node(self)

    # Building and taking apart

    def _open_session(self, values: Mapping[str, Any]) -> NodeSession:
        image_limits(values)  # raises before the model is loaded
        # A model takes seconds to load: meanwhile whoever asks for a target is told so.
        with ThreadPoolExecutor(1, "loading") as loader:
            loading = loader.submit(self._open_backend, values)
            self._selection.serve_until(loading.done)
        backend = loading.result()
        module = vision_msgs() if values["publish_detections"] else None
        if values["publish_detections"] and module is None:
            raise ConfigError(f"publish_detections is on, but {NOT_INSTALLED}, or switch it off")
        self._board.clear()
        slot = FrameSlot(FrameRing(values["ring_s"], values["ring_mb"] * 1_000_000))
        slot.close()
        control = open_control(self, values, self._board, module)
        outputs = Outputs(
            self,
            slot,
            self._board,
            lambda: self._values,
            self._tell,
            module,
            values["default_class"],
            None if control is None else control.send,
        )
        self._desk.max_targets = values["max_targets"]
        return NodeSession(backend, slot, outputs, control)

    def _open_backend(self, values: Mapping[str, Any]) -> Backend:
        backend = self._opener(model_choice(values))
        tracker_config(values, backend.tracker_config)  # raises if they do not fit together
        warm_up(backend)
        return backend

    def _stop(self, reason: str, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        """End the requests and the targets, then the thread."""
        session = self._session
        self._beat(0.0)  # a thread may take long to end
        if session is not None and session.worker is not None:
            session.slot.close()
            session.worker.drop_targets(reason)
        self._desk.drop(reason)
        self._selection.send_answers()
        if session is None:
            return
        if session.images is not None:
            session.images.destroy()
            session.images = None
        if session.worker is not None:
            if not session.worker.stop(timeout_s):
                self.get_logger().warning("the model is still at work: not waiting for it")
            session.worker = None

    def _close_session(self, reason: str, timeout_s: float = _STOP_TIMEOUT_S) -> None:
        self._stop(reason, timeout_s)
        session, self._session = self._session, None
        if session is not None:
            session.destroy()

    # Callbacks

    def _seen(self, stamp_ns: int) -> Seen:
        session = self._session
        if session is None or session.worker is None:
            return None, None, None
        return *session.slot.seen(stamp_ns), session.worker.image_size

    def _why_not(self) -> str:
        """Why no request can be served now, empty where it can."""
        session = self._session
        if session is None or session.worker is None:
            return f"the node is {self.lifecycle_state}, not active (ros2 lifecycle set)"
        return "" if session.is_enabled else "the node is disabled (service ~/enable)"

    def _wake_worker(self) -> None:
        if self._session is not None:
            self._session.slot.nudge()

    def _tell(self, event: Event) -> None:
        if self._session is not None and self._session.control is not None:
            self._session.control.take(event)
        self._events.tell(event)

    def _on_request_end(self, request: InitRequest) -> None:
        """Tell of the end of any request, in whatever thread it came about."""
        ending, target_id = request.ending, request.target_id
        assert ending is not None  # called at its end
        if ending.outcome is Outcome.ACCEPTED:
            self._board.end("init_refused")
            caught_up = f"{ending.caught_up} images caught up"
            self._events.tell(
                Event(EventKind.SELECTED, target_id, caught_up, ending.header, ending.box_xywh)
            )
            return
        self._events.tell(Event(EventKind.REFUSED, target_id, ending.reason))
        if ending.outcome is Outcome.REFUSED:
            text = f"selection of target '{target_id}' refused: {ending.reason}"
            self._board.post("init_refused", text, is_logged=False)  # the event is

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        session = self._session
        if session is None or session.worker is None:
            response.success, response.message = False, self._why_not()
            return response
        session.worker.drop_targets("all targets were reset")
        self._selection.send_answers()
        response.success, response.message = True, "all targets dropped"
        return response

    def _on_remove(self, request: Remove.Request, response: Remove.Response) -> Remove.Response:
        session, target_id = self._session, request.target_id
        if session is None or session.worker is None:
            response.success, response.message = False, self._why_not()
            return response
        response.success = session.worker.drop_target(target_id, "the target was removed")
        self._selection.send_answers()
        followed = ", ".join(f"'{t.target_id}'" for t in session.worker.targets) or "none"
        what = "removed" if response.success else "there is no such target"
        response.message = f"{what}; targets followed: {followed}"
        return response

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        session = self._session
        if session is None or session.worker is None:
            response.success, response.message = False, self._why_not()
            return response
        session.is_enabled = request.data
        self._board.end("init_refused")
        if request.data:
            session.slot.open()
        else:
            session.slot.close()
            session.worker.drop_targets("the node was disabled")
            self._selection.send_answers()
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

    # Watching and diagnostics

    def _watch(self) -> None:
        """See whether the tracking thread lives and its calls return, and do what is to be done."""
        session = self._session
        worker = session.worker if session is not None else None
        limits = call_limits(self._values)
        self._beat(limits.stuck_s if worker is not None else 0.0)
        verdict = self._watchdog.look(None if worker is None else worker.thread.is_alive(), limits)
        if verdict is Verdict.STUCK:
            self.is_stuck = True
        elif verdict is Verdict.RESTART:
            assert session is not None and worker is not None  # else nothing can die
            worker.stop(0.0)
            worker.drop_targets("the tracking thread died")
            self._selection.send_answers()
            session.start_worker(
                self._values, self._desk, self._watchdog.calls, self._selection.detections
            )
        elif verdict is Verdict.GIVE_UP:
            self.trigger_deactivate()
            self.trigger_cleanup()
            self._plan_start("the tracking thread died twice in a short time")
        elif verdict is Verdict.START and not self._start():
            self._plan_start(self._fault)

    def _start(self) -> bool:
        """Configure and activate; False, and unconfigured again, where that fails."""
        if self.lifecycle_state != "unconfigured":
            return True  # somebody did, or shut the node down
        if self.trigger_configure() != TransitionCallbackReturn.SUCCESS:
            return False
        if self.trigger_activate() == TransitionCallbackReturn.SUCCESS:
            return True
        fault = self._fault
        self.trigger_cleanup()
        self._fault = fault
        return False

    def _plan_start(self, fault: str) -> None:
        if self._values["autostart"]:
            fault = f"{fault}: {self._watchdog.plan_start()}"
        self._fault = fault
        self.get_logger().error(fault)

    def _diagnose(self) -> None:
        session, board = self._session, self._board
        self._events.flush()
        info = session.backend.info if session is not None else None
        statuses = [
            model_status(info, self.lifecycle_state, self._fault, board.active(*MODEL_FAULTS))
        ]
        if session is not None:
            statuses += session.statuses(
                board,
                self._desk.counts,
                self._values["no_image_timeout_s"],
                self.get_parameter("use_sim_time").value,
            )
        self._diagnostics.publish(
            diagnostic_array(
                self.get_clock().now().to_msg(),
                self.get_name() if self.get_namespace() == "/" else self.get_fully_qualified_name(),
                info.device_name if info is not None else "",
                statuses,
            )
        )
