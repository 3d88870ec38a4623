"""What differs between ROS 2 distributions: Humble, Jazzy, Kilted. Nothing else asks for them."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

_WITH_FAST_DDS_2 = ("humble", "iron", "jazzy")


def _distribution() -> str:
    return os.environ.get("ROS_DISTRO", "jazzy")


def profiles_variable() -> str:
    """The environment variable that names Fast DDS's profiles; Kilted warns of the older one."""
    version = "FASTRTPS" if _distribution() in _WITH_FAST_DDS_2 else "FASTDDS"
    return f"{version}_DEFAULT_PROFILES_FILE"


def local_traffic_setting() -> tuple[str, str]:
    """The environment variable, and its value, that keep ROS traffic on this machine."""
    if _distribution() == "humble":
        return "ROS_LOCALHOST_ONLY", "1"
    return "ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"


def event_module() -> ModuleType:
    """rclpy's module of the callbacks for QoS events."""
    try:
        return importlib.import_module("rclpy.event_handler")
    except ImportError:
        return importlib.import_module("rclpy.qos_event")  # Humble
