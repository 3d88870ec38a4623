"""ROS 2 as Python wheels: which ones, where they exist, and what an install has to mend."""

import platform
import re
import subprocess
import sys
from pathlib import Path

DISTRIBUTIONS = ("jazzy", "kilted")

# The node runs with these; pyproject.toml has the Jazzy ones as the extra `ros`.
_RUN = (
    "rclpy",
    "rmw-fastrtps-cpp",
    "sensor-msgs",
    "geometry-msgs",
    "nav-msgs",
    "visualization-msgs",
    "diagnostic-msgs",
    "std-srvs",
    "lifecycle-msgs",
)

# Building messages needs these as well: the wheels' own metadata leaves them out.
_BUILD = (
    "ament-package",
    "ament-cmake",
    "ament-cmake-include-directories",
    "ament-cmake-gtest",
    "ament-cmake-gmock",
    "ament-cmake-pytest",
    "ament-cmake-ros",
    "ament-lint",
    "rosidl-default-generators",
    "rosidl-default-runtime",
    "rosidl-core-generators",
    "rosidl-core-runtime",
    "rosidl-generator-c",
    "rosidl-generator-cpp",
    "rosidl-generator-py",
    "rosidl-generator-type-description",
    "rosidl-adapter",
    "rosidl-cli",
    "rosidl-cmake",
    "rosidl-parser",
    "rosidl-pycommon",
    "rosidl-typesupport-c",
    "rosidl-typesupport-cpp",
    "rosidl-typesupport-fastrtps-c",
    "rosidl-typesupport-fastrtps-cpp",
    "rosidl-typesupport-introspection-c",
    "rosidl-typesupport-introspection-cpp",
    "rosidl-typesupport-interface",
    "rosidl-dynamic-typesupport-fastrtps",
)

# What only one of them has. Kilted's ament_cmake_ros_core has no prefixed name.
_BUILD_ONLY_IN = {
    "jazzy": ("ros-jazzy-python-cmake-module",),
    "kilted": ("ros-ament-cmake-ros-core~=0.14.5",),
}

# lark installs into the same folder as lark-parser, which rosidl-parser asks for: it goes last.
LARK = "lark==1.1.9"

# Include folders as the wheels' CMake files name them: those of the machine that built the wheels,
# or those that an earlier install wrote there.
_NUMPY_INCLUDE = re.compile(r'[^;"\s]*/numpy/_?core/include')
_PYTHON_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+/include/python3\.\d+")


def requirements(distribution: str) -> list[str]:
    """The wheels to run the node and build its messages (always by the prefixed names)."""
    names = [f"ros-{distribution}-{name}" for name in (*_RUN, *_BUILD)]
    return [*names, *_BUILD_ONLY_IN[distribution]]


def why_none() -> str:
    """Why there are no ROS wheels for this machine and Python; empty where there are."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return (
            f"ROS 2 wheels exist for Linux on x86-64, not for {sys.platform} {platform.machine()}"
        )
    if not (3, 10) <= sys.version_info[:2] <= (3, 12):
        return f"ROS 2 wheels exist for Python 3.10 to 3.12, not for {platform.python_version()}"
    return ""


def mend_cmake_paths(venv: Path) -> int:
    """Replaces the build machine's include folders in the wheels' CMake files.

    Returns:
        The number of files changed; 0 in an environment that is mended already.
    """
    code = "import numpy, sysconfig as s; print(numpy.get_include()); print(s.get_path('include'))"
    command = [str(venv / "bin" / "python"), "-c", code]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    numpy_include, python_include = output.splitlines()
    changed = 0
    for path in (venv / "share").rglob("*.cmake"):
        before = path.read_text()
        after = _NUMPY_INCLUDE.sub(numpy_include, before)
        after = _PYTHON_INCLUDE.sub(python_include, after)
        if after != before:
            path.write_text(after)
            changed += 1
    return changed
