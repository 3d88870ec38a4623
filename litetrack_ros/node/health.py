"""Is a node healthy? Asked from outside, as a container's health check does."""

import time
from typing import NamedTuple

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

_ACTIVE = "active"
# DiagnosticStatus's levels are bytes objects in rclpy.
_ERROR = 2


class Health(NamedTuple):
    """What was found.

    Attributes:
        is_healthy: the node is active, its diagnostics came, and none of them was an ERROR.
        reason: a sentence.
    """

    is_healthy: bool
    reason: str


def judge(state: str, statuses: list[tuple[int, str, str]]) -> Health:
    """Tell health from what was heard.

    Args:
        state: label of the lifecycle state; empty where nobody answered.
        statuses: level, name and message of each status of the node, in order of arrival.
    """
    if not state:
        return Health(False, "no answer from the node's get_state")
    if state != _ACTIVE:
        return Health(False, f"the node is {state}, not active")
    if not statuses:
        return Health(False, "the node is active, but its diagnostics did not come")
    for level, name, message in statuses:
        if level >= _ERROR:
            return Health(False, f"{name}: {message}")
    return Health(True, f"active, {len(statuses)} statuses without an ERROR")


def check(node_name: str, listen_s: float, answer_timeout_s: float) -> Health:
    """Ask a node for its state while listening to its diagnostics.

    Args:
        node_name: full name, such as ``/litetrack``.
        listen_s: how long to listen to diagnostics, which come every second, s.
        answer_timeout_s: how long to wait for the state, s; discovery takes its part of that.
    """
    full = "/" + node_name.strip("/")
    # In the root namespace the diagnostics have the node's bare name.
    prefix = f"{full[1:] if full.count('/') == 1 else full}: "
    statuses: list[tuple[int, str, str]] = []

    def on_diagnostics(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith(prefix):
                level = status.level
                number = level[0] if isinstance(level, bytes) else int(level)
                statuses.append((number, status.name, status.message))

    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    # Neither parameters nor a log topic: a check every few seconds should cost the graph little.
    asking = Node(
        "litetrack_health",
        context=context,
        use_global_arguments=False,
        enable_rosout=False,
        start_parameter_services=False,
    )
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(asking)
    try:
        qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
        asking.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, qos)
        client = asking.create_client(GetState, f"{full}/get_state")
        start_s = time.monotonic()
        future = None
        while (now_s := time.monotonic()) < start_s + max(listen_s, answer_timeout_s):
            executor.spin_once(timeout_sec=0.05)
            if future is None and client.service_is_ready():
                future = client.call_async(GetState.Request())
            if future is not None and future.done() and now_s >= start_s + listen_s:
                break
        answer = future.result() if future is not None and future.done() else None
        return judge(answer.current_state.label if answer else "", statuses)
    finally:
        executor.shutdown()
        asking.destroy_node()
        context.shutdown()
