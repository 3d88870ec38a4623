"""What rclpy does not offer in public or under one name, and what may be missing of ROS 2."""

import contextlib
import importlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_policy_name_from_kind
from rclpy.subscription import Subscription

from litetrack_ros.errors import ImageError, shown
from litetrack_ros.images import Uint8Image

_NO_SEQUENCE = 2**64 - 1  # RMW_MESSAGE_INFO_SEQUENCE_NUMBER_UNSUPPORTED

# A client keeps ten answers by default until it takes them: more at once would be lost.
_AT_ONCE = 8
_APART_S = 0.002


def subscribe_and_watch_qos(
    node: Node, *arguments: Any, on_incompatible_qos: Callable[[str], None], **options: Any
) -> Any:
    """A subscription that reports publishers it cannot match.

    Args:
        node: creates it.
        *arguments: of ``create_subscription``.
        on_incompatible_qos: takes the name of the policy; never called where the RMW has no such
            event.
        **options: of ``create_subscription``.
    """
    module = event_module()

    def on_event(event: Any) -> None:
        on_incompatible_qos(qos_policy_name_from_kind(event.last_policy_kind))

    events = module.SubscriptionEventCallbacks(incompatible_qos=on_event)
    try:
        return node.create_subscription(*arguments, event_callbacks=events, **options)
    except module.UnsupportedEventTypeError:
        return node.create_subscription(*arguments, **options)


def event_module() -> ModuleType:
    """rclpy's module of the callbacks for QoS events."""
    try:
        return importlib.import_module("rclpy.event_handler")
    except ImportError:
        return importlib.import_module("rclpy.qos_event")  # Humble


def answer_impossible_transitions(node: LifecycleNode, report: Callable[[str], None]) -> None:
    """Answer requests for transitions that the present state does not have with a refusal.

    rclpy hands them to rcl, which logs each, and lets what that raises pass through the service's
    callback: the client would never get an answer.

    Args:
        node: with its services.
        report: takes a sentence for each.
    """
    machine = node._state_machine

    def wrapped(change_state: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def answer(request: Any, response: Any) -> Any:
            wanted, label = request.transition.id, request.transition.label
            possible = [(entry[0], entry[1]) for entry in machine.available_transitions]
            if any(label == name if label else wanted == number for number, name in possible):
                return change_state(request, response)
            state = machine.current_state[1]
            what = f"'{shown(label)}'" if label else f"number {wanted}"
            report(
                f"there is no transition {what} in state {state}; there are "
                f"{', '.join(name for _, name in possible) or 'none'}"
            )
            response.success = False
            return response

        return answer

    for service in node.services:
        if service.srv_type is ChangeState:
            service.callback = wrapped(service.callback)


def parameter_override_names(node: Node) -> list[str]:
    """Names of the parameters given on the command line or in a YAML file.

    rclpy has no public way to ask for them: Humble to Kilted keep them in this attribute. Without
    it, unknown names go unnoticed.
    """
    return list(getattr(node, "_parameter_overrides", {}))


def with_sequence(callback: Callable[[Any, int | None], None]) -> Callable[..., None]:
    """A subscription's callback that also gets the publisher's number of the message.

    None where the middleware has no such numbers, or rclpy hands on none (Humble).
    """
    if not hasattr(Subscription, "CallbackType"):
        return lambda message: callback(message, None)

    def take(message: Any, info: Any) -> None:
        sequence = info.get("publication_sequence_number")
        is_number = sequence is not None and 0 < sequence < _NO_SEQUENCE
        callback(message, sequence if is_number else None)

    return take


class LaterAnswers:
    """Answers to service calls that are not ready when the callback returns.

    rclpy's own way, a coroutine that awaits a future, is not taken: a future that another thread
    sets does not wake the executor (rclpy issues 1462 and 1467), and a coroutine that waits keeps
    it from sleeping at all (1405). Here the callback returns at once, the executor's attempt to
    send what it returned only notes the request's header, and the answer is sent by the executor's
    thread, which a guard condition wakes.

    Args:
        node: makes services.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._ready: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._sent_s: deque[float] = deque([float("-inf")] * _AT_ONCE, maxlen=_AT_ONCE)
        self._guard = node.create_guard_condition(self.send)
        self._services: list[tuple[Any, Callable[[Any, Any], _LaterAnswer]]] = []

    def create_service(
        self,
        kind: Any,
        name: str,
        callback: Callable[[Any, Callable[[Any], None]], None],
        qos: QoSProfile,
    ) -> Any:
        """A service whose callback gets the request and a function to answer with.

        Args:
            kind: the service's type.
            name: of the service.
            callback: must return at once; the function may be called from any thread, once.
            qos: its depth bounds the calls that wait for the callback.
        """

        def begin(request: Any, _: Any) -> "_LaterAnswer":
            answer = _LaterAnswer(self)
            callback(request, answer.give)
            return answer

        service = self._node.create_service(kind, name, begin, qos_profile=qos)
        send = service.send_response

        def send_or_note(response: Any, header: Any) -> None:
            if isinstance(response, _LaterAnswer):
                response.address(lambda given: send(given, header))
            else:
                send(response, header)

        # The executor looks this up on the object for each call, from Humble to Kilted.
        vars(service)["send_response"] = send_or_note
        self._services.append((service, begin))
        return service

    def serve(self) -> None:
        """Take the calls that have come, and answer, inside another callback of the executor.

        For one that lasts long: the executor does not come to it. In its thread only.
        """
        for service, begin in self._services:
            while True:
                with service.handle:
                    request, header = service.handle.service_take_request(service.srv_type.Request)
                if header is None:
                    break
                service.send_response(begin(request, None), header)
        self.send()

    def send(self) -> None:
        """Send all answers that are ready, many of them apart; in the executor's thread only."""
        while True:
            try:
                answer = self._ready.get_nowait()
            except queue.Empty:
                return
            if time.monotonic() - self._sent_s[0] < _AT_ONCE * _APART_S:
                time.sleep(_APART_S)
            self._sent_s.append(time.monotonic())
            # A client that has gone, or a service that was destroyed, takes no answer.
            with contextlib.suppress(RuntimeError):
                answer()

    def add(self, answer: Callable[[], None]) -> None:
        """Have an answer sent by the executor's thread, soon. Thread-safe."""
        self._ready.put(answer)
        with contextlib.suppress(RuntimeError):  # the node has been destroyed
            self._guard.trigger()


class _LaterAnswer:
    """Brings an answer and the place to send it to together, in whatever order they come."""

    def __init__(self, answers: LaterAnswers) -> None:
        self._answers = answers
        self._response: Any = None
        self._send: Callable[[Any], None] | None = None
        self._lock = threading.Lock()

    def give(self, response: Any) -> None:
        with self._lock:
            self._response, send = response, self._send
        if send is not None:
            self._answers.add(lambda: send(response))

    def address(self, send: Callable[[Any], None]) -> None:
        with self._lock:
            self._send, response = send, self._response
        if response is not None:
            self._answers.add(lambda: send(response))


def destroy_lifecycle_node(node: LifecycleNode) -> None:
    """Destroy a node and its lifecycle services.

    rclpy leaves these, and the node with them, to Python's collector: until it comes, others see
    a node whose services never answer.
    """
    node.destroy_node()
    node._state_machine.destroy_when_not_in_use()


def lifecycle_label(node: LifecycleNode) -> str:
    """The label of a node's present state, such as ``active``; rclpy has it from Kilted on."""
    return str(node._state_machine.current_state[1])


def optional_module(name: str) -> ModuleType | None:
    """A module of a package that need not be installed, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def cv_bridge_fallback() -> Callable[[Any], Uint8Image] | None:
    """Makes BGR images of encodings that this package does not know, where cv_bridge imports.

    The package of that name on PyPI is for ROS 1 and has no compiled part: it is not taken.
    """
    # cv_bridge imports NumPy's C interface: a mismatch shows as AttributeError or SystemError.
    try:
        module = importlib.import_module("cv_bridge")
        importlib.import_module("cv_bridge.boost.cv_bridge_boost")
    except (ImportError, AttributeError, SystemError):
        return None
    bridge = module.CvBridge()

    def convert(message: Any) -> Uint8Image:
        try:
            image: Uint8Image = bridge.imgmsg_to_cv2(message, desired_encoding="bgr8")
        # What cv_bridge raises depends on the encoding and on NumPy; some of it comes from C++.
        except (
            module.CvBridgeError,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
            RuntimeError,
        ) as error:
            raise ImageError(
                f"encoding '{shown(message.encoding)}' is not supported, by cv_bridge neither: "
                f"{shown(str(error), 200)}"
            ) from error
        # Of rows too short for the image's width it makes a narrower image, or None.
        if np.shape(image) != (message.height, message.width, 3):
            raise ImageError(
                f"step {message.step} does not hold a row of {message.width} pixels of "
                f"'{shown(message.encoding)}', says cv_bridge"
            )
        return image

    return convert
