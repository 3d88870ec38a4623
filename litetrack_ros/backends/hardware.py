"""The names of this machine's processors, for reports and cache keys."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path


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
