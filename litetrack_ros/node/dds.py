"""Settings of the DDS under ROS 2, to be made before ROS starts in a process."""

from __future__ import annotations

import os
from pathlib import Path

from litetrack_ros.resources import share_dir

IMAGE_PROFILE = "fastdds_images.xml"
# Fast DDS 2 (Humble, Jazzy) and 3 (Kilted) read their profiles from these.
_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def image_profile_path() -> Path:
    """The Fast DDS profile whose shared memory holds several images."""
    return share_dir() / "config" / IMAGE_PROFILE


def use_image_profile() -> None:
    """Let this process, which publishes images, use the profile, unless the user chose another."""
    if not any(name in os.environ for name in _VARIABLES):
        for name in _VARIABLES:
            os.environ[name] = str(image_profile_path())


def stay_on_this_machine() -> None:
    """Keep this process's traffic, and that of those it starts, off the network."""
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ.setdefault("ROS_LOCALHOST_ONLY", "1")
    else:
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
