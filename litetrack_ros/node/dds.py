"""Settings of the DDS under ROS 2, by the names that each distribution knows them by.

They are made before ROS starts in a process, so that nothing here imports it.
"""

import os
from pathlib import Path

from litetrack_ros.resources import share_dir

IMAGE_PROFILE = "fastdds_images.xml"
# Where a user may have chosen another, by the newer name or the older one.
_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
_WITH_FAST_DDS_2 = ("humble", "iron", "jazzy")


def image_profile_path() -> Path:
    """The Fast DDS profile whose shared memory holds several images."""
    return share_dir() / "config" / IMAGE_PROFILE


def use_image_profile() -> None:
    """Let this process, which publishes images, use the profile, unless the user chose another."""
    if not any(name in os.environ for name in _VARIABLES):
        os.environ[profiles_variable()] = str(image_profile_path())


def stay_on_this_machine() -> None:
    """Keep this process's traffic, and that of those it starts, off the network."""
    if _distribution() == "humble":
        os.environ.setdefault("ROS_LOCALHOST_ONLY", "1")
    else:
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


def profiles_variable() -> str:
    """The environment variable that names Fast DDS's profiles; Kilted warns of the older one."""
    version = "FASTRTPS" if _distribution() in _WITH_FAST_DDS_2 else "FASTDDS"
    return f"{version}_DEFAULT_PROFILES_FILE"


def _distribution() -> str:
    return os.environ.get("ROS_DISTRO", "jazzy")
