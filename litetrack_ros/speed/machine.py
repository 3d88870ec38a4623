"""What a measurement was taken on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

from litetrack_ros import __version__
from litetrack_ros.backends.hardware import cpu_name, gpu_name

_PACKAGES = (
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
    "torch",
    "onnxruntime",
    "onnxruntime-gpu",
    "tensorrt",
    "openvino",
)


def describe() -> dict[str, object]:
    """CPU, cores, GPU, power mode, versions, and how busy the machine is."""
    return {
        "litetrack": __version__,
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "gpu": gpu_name() or None,
        "power_mode": power_mode(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Installed versions of the packages that matter for speed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def power_mode() -> str | None:
    """A Jetson's power mode, or the governor of the CPU's clock; None where neither is known."""
    if shutil.which("nvpmodel"):
        result = subprocess.run(["nvpmodel", "-q"], capture_output=True, text=True, check=False)
        lines = [line for line in result.stdout.splitlines() if "Power Mode" in line]
        if lines:
            return lines[0].rpartition(":")[2].strip()
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    try:
        return governor.read_text(encoding="utf-8").strip()
    except OSError:
        return None
