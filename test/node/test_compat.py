"""Private parts of rclpy that the node relies on, on the distribution at hand.

Each stands in node/compat.py only. A distribution on which one is different fails here, by name.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ros

DISTRIBUTION = os.environ.get("ROS_DISTRO", "unknown")


def test_overrides_are_found(live_node: Callable[..., Any]) -> None:
    from litetrack_ros.node.compat import parameter_override_names

    node = live_node(max_targets=2).node
    assert "max_targets" in parameter_override_names(node), DISTRIBUTION


def test_the_state_has_a_label(live_node: Callable[..., Any]) -> None:
    node = live_node()
    assert node.state == "unconfigured", DISTRIBUTION
    assert node.transition("configure")
    assert node.state == "inactive"


def test_a_closed_node_and_its_services_are_gone_at_once(
    live_node: Callable[..., Any], client: Any
) -> None:
    from lifecycle_msgs.srv import ChangeState

    node = live_node()
    service = client.ready_service(ChangeState, "change_state")
    client.spin_until(lambda: "litetrack" in client.node.get_node_names(), 10, "the node")
    node.close()  # `node` still refers to it

    def is_gone() -> bool:
        return "litetrack" not in client.node.get_node_names() and not service.service_is_ready()

    client.spin_until(is_gone, 10, f"the node's end, on {DISTRIBUTION}")


def test_the_executor_sends_answers_through_the_service_object() -> None:
    """A service's answer is intercepted by an attribute of the object."""
    from rclpy.executors import Executor
    from rclpy.service import Service

    assert not hasattr(Service, "__slots__"), DISTRIBUTION
    assert "send_response" in inspect.getsource(Executor), DISTRIBUTION
    assert list(inspect.signature(Service.send_response).parameters) == [
        "self",
        "response",
        "header",
    ]


def test_calls_can_be_taken_by_hand_and_answered_from_any_thread(
    make_client: Callable[..., Any],
) -> None:
    import threading

    from rclpy.qos import QoSProfile
    from std_srvs.srv import Trigger

    from litetrack_ros.node.compat import LaterAnswers

    server, client = make_client(name="server"), make_client(name="server")
    gives: list[Callable[[Any], None]] = []
    answers = LaterAnswers(server.node)
    answers.create_service(
        Trigger, "server/later", lambda request, give: gives.append(give), QoSProfile(depth=10)
    )
    service = client.ready_service(Trigger, "later", 10)
    # By hand, as while a model is loaded: nothing spins the server.
    future = service.call_async(Trigger.Request())
    end = time.monotonic() + 10
    while not gives:
        answers.serve()
        time.sleep(0.01)
        assert time.monotonic() < end, f"no call taken on {DISTRIBUTION}"
    gives.pop()(Trigger.Response(message="by hand"))
    answers.serve()
    client.spin_until(future.done, 5, "the answer")
    assert future.result().message == "by hand"
    # By the executor, which sleeps until another thread has the answer.
    spinning = threading.Thread(target=server.executor.spin, daemon=True)
    spinning.start()
    took_ms = []
    for _ in range(20):
        future = service.call_async(Trigger.Request())
        client.spin_until(lambda: gives, 5, "the call")
        start = time.monotonic()
        gives.pop()(Trigger.Response(message="later"))
        client.spin_until(future.done, 5, "the answer")
        took_ms.append(1e3 * (time.monotonic() - start))
    assert sorted(took_ms)[10] < 50, took_ms


def test_images_bring_their_publishers_number(make_client: Callable[..., Any]) -> None:
    from std_msgs.msg import String

    from litetrack_ros.node.compat import with_sequence

    client = make_client()
    taken: list[int | None] = []
    client.node.create_subscription(
        String, "numbers", with_sequence(lambda message, sequence: taken.append(sequence)), 10
    )
    publisher = client.node.create_publisher(String, "numbers", 10)
    client.spin_until(publisher.get_subscription_count, 5, "the topic")
    for _ in range(3):
        publisher.publish(String())
    client.spin_until(lambda: len(taken) == 3, 5, "three messages")
    if DISTRIBUTION != "humble" and "fastrtps" in os.environ.get(
        "RMW_IMPLEMENTATION", "rmw_fastrtps_cpp"
    ):
        assert taken == [1, 2, 3]


def test_private_parts_stand_in_one_file(root: Path) -> None:
    """Names with an underscore are asked for on this package's own objects only."""
    pattern = re.compile(r"(node|executor|service|subscription|client|context|event)s?$")
    for path in (root / "litetrack_ros" / "node").glob("*.py"):
        if path.name == "compat.py":
            continue
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(part, ast.Attribute) or not part.attr.startswith("_"):
                continue
            owner = ast.unparse(part.value)
            assert not pattern.search(owner), f"{path.name}:{part.lineno} {owner}.{part.attr}"
            assert part.attr not in ("_state_machine", "_parameter_overrides"), path.name
