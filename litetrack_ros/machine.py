"""What machine this is: its processors' names, their clock, and the packages that matter for speed.

For reports, which say what a measurement was taken on, and for the keys of caches.
"""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from litetrack_ros.version import __version__

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
        "cores": core_count(),
        "gpu": gpu_name() or None,
        "power_mode": power_mode(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        "versions": versions(),
    }


@cache
def cpu_name() -> str:
    """The CPU's own name, such as ``AMD EPYC``; the architecture where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    # ARM kernels name the board in "Model" and no CPU.
    match = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine()


def core_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def gpu_name(index: int = 0) -> str:
    """An NVIDIA GPU's own name with its driver's version, without loading CUDA; empty if unknown.

    Jetsons have no ``nvidia-smi`` on older systems: their board's name stands in.
    """
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        result = subprocess.run(query, capture_output=True, text=True, check=False, timeout=20)
        lines = result.stdout.splitlines()
        if result.returncode == 0 and index < len(lines):
            return lines[index].strip()
    try:
        return Path("/proc/device-tree/model").read_text(encoding="utf-8").strip("\0\n ")
    except OSError:
        return ""


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


def versions() -> dict[str, str]:
    """Installed versions of the packages that matter for speed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
