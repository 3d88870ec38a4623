"""Transitions, autostart, faults at start, and the ends of the process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ros_client import START_TIMEOUT_S

pytestmark = pytest.mark.ros

# What each fault at start is told as.
FAULTS = [
    ({"model": "/no/such/model.safetensors"}, "there is no model file '/no/such/model"),
    ({"model": "CORRUPT"}, "cannot read the weights file"),
    ({"backend": "abacus"}, "parameter backend is 'abacus', but must be one of auto, torch, onnx"),
    ({"device": "cuda"}, "device 'cuda' was asked for"),
    ({"max_targets": 0}, "parameter max_targets must be from 1 to 64"),
    ({"max_targets": 1.5}, "parameter max_targets must be of type int"),
    ({"catch_up_max_ms": 5}, "parameter catch_up_max_ms must be of type float (write 1.0, not 1)"),
    ({"lost_threshold": 2.0}, "parameter lost_threshold must be from -1 to 1"),
    ({"size_smoothing": 0.0}, "size_smoothing"),
    ({"image_transport": "pigeon"}, "parameter image_transport is 'pigeon', but must be one of"),
    ({"publish_detections": True}, "vision_msgs is not installed"),
]


def _state(client: Any) -> str:
    from lifecycle_msgs.srv import GetState

    response = client.call(GetState, "get_state", GetState.Request(), repeat_s=2.0)
    return str(response.current_state.label)


def _request_transition(client: Any, which: str | int) -> None:
    """Ask over DDS, without waiting for the answer."""
    from lifecycle_msgs.srv import ChangeState

    request = ChangeState.Request()
    if isinstance(which, str):
        request.transition.label = which
    else:
        request.transition.id = which
    client.ready_service(ChangeState, "change_state").call_async(request)


@pytest.mark.parametrize(("parameters", "reason"), FAULTS, ids=lambda v: str(v)[:40])
def test_a_fault_refuses_to_configure_with_the_reason(
    live_node: Callable[..., Any],
    client: Any,
    tmp_path: Path,
    parameters: dict[str, Any],
    reason: str,
) -> None:
    if "publish_detections" in parameters:
        from litetrack_ros.node.compat import optional_module

        if optional_module("vision_msgs.msg") is not None:
            pytest.skip("vision_msgs is installed")
    if parameters.get("device") == "cuda":
        import torch

        if torch.cuda.is_available():
            pytest.skip("there is a GPU")
    if parameters.get("model") == "CORRUPT":
        corrupt = tmp_path / "corrupt.safetensors"
        corrupt.write_bytes(b"\x10" * 1000)
        parameters = {"model": str(corrupt)}
    node = live_node(**parameters)
    assert not node.transition("configure")
    assert node.state == "unconfigured"

    def told() -> bool:
        statuses = [s for m in client.diagnostics for s in m.status if s.level == b"\x02"]
        return any(s.name == "litetrack: model" and reason in s.message for s in statuses)

    client.spin_until(told, 5.0, f"a diagnostic that says: {reason}")
    assert node.node.get_parameter("autostart").value  # every parameter is declared all the same


def test_an_unknown_name_is_a_warning_with_the_closest_known_one(
    start_node: Callable[..., Any], client: Any
) -> None:
    node = start_node(lost_treshold=0.5, ring_frames=30)
    client.wait_for_node()  # active all the same
    _, log, _ = node.end()
    assert "WARN" in log
    assert "there is no parameter lost_treshold; the nearest name is lost_threshold" in log
    assert "parameter ring_frames has no effect any more: set ring_s" in log


def test_a_bad_value_can_be_mended_while_unconfigured(
    live_node: Callable[..., Any], client: Any
) -> None:
    node = live_node(max_targets=99)
    assert not node.transition("configure")
    assert node.set("max_targets", 3).successful
    assert node.transition("configure")
    refused = node.set("max_targets", 4)
    assert not refused.successful
    assert "max_targets is fixed while the node is configured" in refused.reason
    assert node.transition("activate")
    client.wait_for_node()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("catch_up_max_ms", -1.0, "catch_up_max_ms"),
        ("catch_up_max_ms", float("nan"), "catch_up_max_ms"),
        ("size_smoothing", 0.0, "size_smoothing"),
        ("model", "another", "model is fixed while the node is configured"),
        ("lost_threshold", "high", "Wrong parameter type"),  # rclpy's own words
    ],
)
def test_bad_changes_are_refused_and_name_the_parameter(
    live_node: Callable[..., Any], name: str, value: Any, reason: str
) -> None:
    node = live_node()
    assert node.transition("configure")
    before = node.node.get_parameter(name).value
    result = node.set(name, value)
    assert not result.successful
    assert reason in result.reason
    assert node.node.get_parameter(name).value == before


def _reaches(client: Any, node: Any, state: str) -> bool:
    """Whether the node comes to a state within some seconds."""
    end_s = time.monotonic() + 4
    while node.state != state and time.monotonic() < end_s:
        client.spin_for(0.02)
    return bool(node.state == state)


def test_every_transition_and_back(live_node: Callable[..., Any], client: Any) -> None:
    node = live_node()
    for label, state in (
        ("configure", "inactive"),
        ("activate", "active"),
        ("deactivate", "inactive"),
        ("activate", "active"),
        ("deactivate", "inactive"),
        ("cleanup", "unconfigured"),
        ("configure", "inactive"),
        ("shutdown", "finalized"),
    ):
        # DDS may lose the first request of a client that it has only just met; one made twice is
        # refused the second time.
        for _ in range(10):
            _request_transition(client, label)
            if _reaches(client, node, state):
                break
        assert node.state == state, label
    assert _state(client) == "finalized"


def test_an_impossible_transition_does_not_end_the_node(
    start_node: Callable[..., Any], client: Any
) -> None:
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    node = start_node(autostart=False)
    assert _state(client) == "unconfigured"
    client.ready_service(ChangeState, "change_state").call_async(
        ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVATE))
    )
    client.spin_for(1.0)
    assert _state(client) == "unconfigured"
    status, log, _ = node.end()
    assert status == 0, log


@pytest.mark.parametrize("parameters", [{"model": "/no/such/model"}, {"ring_mb": 0}])
def test_with_autostart_a_failed_configure_exits_non_zero(
    start_node: Callable[..., Any], parameters: dict[str, Any]
) -> None:
    status, log, _ = start_node(**parameters).wait(START_TIMEOUT_S)
    assert status == 1
    assert "cannot configure: " in log
    assert "Traceback" not in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_cleanly_within_two_seconds(
    start_node: Callable[..., Any], client: Any, number: int
) -> None:
    import numpy as np

    node = start_node()
    client.wait_for_node()
    client.select((10, 10, 20, 20))
    for index in range(20):
        client.send(np.zeros((120, 160, 3), np.uint8), 10**9 + index)
        client.spin_for(0.02)
    status, log, took_s = node.end(number)
    assert status == 0, log
    assert took_s < 2.0
    for word in ("Traceback", "Error", "error", "terminate"):
        assert word not in log, log


def test_a_signal_does_not_wait_for_a_model_at_work(
    start_node: Callable[..., Any], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    monkeypatch.setenv("DELAY_S", "4")  # the warm-up waits for it twice
    node = start_node(program=Path(__file__).with_name("delayed_node.py"))
    client.wait_for_node()
    client.select((10, 10, 20, 20))
    for index in range(10):
        client.send(np.zeros((120, 160, 3), np.uint8), 10**9 + index)
        client.spin_for(0.1)
    status, log, took_s = node.end(signal.SIGTERM)
    assert status == 0, log
    assert took_s < 2.0
    assert "Traceback" not in log


@pytest.mark.slow
def test_fifty_cycles_do_not_hoard_memory(tiny_model: Path) -> None:
    program = Path(__file__).with_name("cycle_node.py")
    output = subprocess.run(
        [sys.executable, str(program), str(tiny_model), "50"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=400,
        check=True,
    ).stdout
    resident_mb = json.loads(output.splitlines()[-1])
    assert len(resident_mb) == 50
    assert resident_mb[-1] - resident_mb[9] <= 20, resident_mb


def test_impossible_transitions_are_answered_and_the_log_stays_short(
    start_node: Callable[..., Any], client: Any
) -> None:
    from lifecycle_msgs.srv import ChangeState

    node = start_node(autostart=False)
    assert _state(client) == "unconfigured"
    client.ready_service(ChangeState, "change_state")
    requests = [("", 3), ("", 4), ("", 255), ("activate", 0), ("fly\n[ERROR] forged", 0), ("", 8)]
    slowest_s = 0.0
    for label, number in requests * 10:
        request = ChangeState.Request()
        request.transition.label, request.transition.id = label, number
        started = time.monotonic()
        response = client.call(ChangeState, "change_state", request, timeout_s=5.0)
        slowest_s = max(slowest_s, time.monotonic() - started)
        assert not response.success
    assert slowest_s < 1.0
    assert _state(client) == "unconfigured"
    request = ChangeState.Request()
    request.transition.label = "configure"
    assert client.call(ChangeState, "change_state", request).success
    assert _state(client) == "inactive"
    status, log, _ = node.end()
    assert status == 0
    assert "there is no transition number 3 in state unconfigured; there are configure" in log
    assert len(log.splitlines()) < 20
    assert "\n[ERROR] forged" not in log
