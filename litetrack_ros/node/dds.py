"""Settings of the DDS under ROS 2, to be made before ROS starts in a process."""

from __future__ import annotations

import os
from pathlib import Path

from litetrack_ros.node.distribution import local_traffic_setting, profiles_variable
from litetrack_ros.resources import share_dir

IMAGE_PROFILE = "fastdds_images.xml"
# Where a user may have chosen another, by the newer name or the older one.
_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def image_profile_path() -> Path:
    """The Fast DDS profile whose shared memory holds several images."""
    return share_dir() / "config" / IMAGE_PROFILE


def use_image_profile() -> None:
    """Let this process, which publishes images, use the profile, unless the user chose another."""
    if not any(name in os.environ for name in _VARIABLES):
        os.environ[profiles_variable()] = str(image_profile_path())


def stay_on_this_machine() -> None:
    """Keep this process's traffic, and that of those it starts, off the network."""
    os.environ.setdefault(*local_traffic_setting())
