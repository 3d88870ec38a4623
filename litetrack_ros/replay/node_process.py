"""The tracker node as a process of its own: started, ended, and what it takes of the machine.

Processor time and memory are watched from outside, on Linux; the GPU's use by the vendor's tool,
where there is one. No ROS in here.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.child_processes import ending_with_us
from litetrack_ros.config import ModelChoice
from litetrack_ros.errors import ReplayError

_PROGRAM = "from litetrack_ros.node.program import run_program; run_program()"
DEFAULT_COMMAND = (sys.executable, "-c", _PROGRAM)
_END_TIMEOUT_S = 5.0
_TAIL_LINES = 3
_PERIOD_S = 0.5  # between two looks at the process
# The Jetsons' rail of the GPU, by its name on one board or the other, with the power in mW now.
_RAIL = re.compile(r"\b\w*GPU\w* (\d+)(?:mW)?/\d+")
_BUSY = re.compile(r"\bGR3D_FREQ (\d+)%")

GpuUse = tuple[float | None, float | None]


class NodeProcess:
    """A running tracker node; it ends with the process that started it, killed or not.

    Args:
        model: what it runs.
        namespace: all its topics lie there, ``diagnostics`` too.
        log_path: takes what it prints.
        parameters: further ones of the node, by name.
        command: the program; tests pass their own.
    """

    def __init__(
        self,
        model: ModelChoice,
        namespace: str,
        log_path: Path,
        parameters: Mapping[str, Any] | None = None,
        command: Sequence[str] = DEFAULT_COMMAND,
    ) -> None:
        words = [*command, "--ros-args", "-r", f"__ns:={namespace}"]
        words += ["-r", "/diagnostics:=diagnostics", "-r", "/clock:=clock"]
        for name, value in {**dataclasses.asdict(model), **(parameters or {})}.items():
            words += ["-p", f"{name}:={json.dumps(value)}"]  # JSON is YAML, its strings quoted
        self._log_path = log_path
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                ending_with_us(words),
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ReplayError if it has ended."""
        status = self._process.poll()
        if status is not None:
            how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            raise ReplayError(f"the node {how}: {self.log_tail() or 'it said nothing'}")

    def log_tail(self) -> str:
        """The last lines of what it printed, as one."""
        text = self._log_path.read_text(encoding="utf-8", errors="replace")
        return " | ".join(line.strip() for line in text.strip().splitlines()[-_TAIL_LINES:])

    def end(self) -> None:
        """End it; killed where it does not end by itself."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True)
class ResourceUse:
    """Means over the time watched; None where it could not be measured.

    Attributes:
        cpu_percent: of one core; more than 100 with several threads.
        rss_mb: resident memory at the end, MB (10^6 bytes).
        rss_max_mb: most seen.
        gpu_percent: share of the time in which the GPU was busy, whoever used it.
        gpu_power_w: drawn by the GPU; on a Jetson by the rail that feeds it, maybe others too.
    """

    cpu_percent: float | None = None
    rss_mb: float | None = None
    rss_max_mb: float | None = None
    gpu_percent: float | None = None
    gpu_power_w: float | None = None


class ResourceWatch:
    """Watches a process while a block runs; :attr:`use` holds the result after it.

    Args:
        pid: the process.
    """

    def __init__(self, pid: int) -> None:
        self.use = ResourceUse()
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="resources", daemon=True)
        self._rss_mb: list[float] = []
        self._cpu: list[tuple[float, float]] = []  # moment and processor time: first and latest
        self._gpu = GpuWatch()

    def __enter__(self) -> ResourceWatch:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()
        gpu_percent, gpu_power_w = self._gpu.finish()
        cpu_percent = None
        if len(self._cpu) == 2:
            (begin_s, begin_cpu_s), (end_s, end_cpu_s) = self._cpu
            cpu_percent = 100 * (end_cpu_s - begin_cpu_s) / (end_s - begin_s)
        self.use = ResourceUse(
            cpu_percent,
            self._rss_mb[-1] if self._rss_mb else None,
            max(self._rss_mb, default=None),
            gpu_percent,
            gpu_power_w,
        )

    def _watch(self) -> None:
        while not self._stop.wait(_PERIOD_S):
            self._sample()

    def _sample(self) -> None:
        try:
            cpu_s, rss_mb = read_process(self._pid)
        except (OSError, IndexError, ValueError):
            return  # it has ended
        if rss_mb > 0:  # else it is ending
            self._cpu = [*self._cpu[:1], (time.perf_counter(), cpu_s)]
            self._rss_mb.append(rss_mb)


def read_process(pid: int) -> tuple[float, float]:
    """Processor time so far in s, and resident memory in MB, from /proc.

    Raises:
        OSError: no such process, or no /proc.
    """
    # The name, in brackets, may hold blanks; the fields after it are numbered from 3 (proc(5)).
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return cpu_s, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class GpuWatch:
    """Runs ``tegrastats`` (Jetson) or ``nvidia-smi`` in the background until it is finished."""

    def __init__(self) -> None:
        self._query: subprocess.Popen[bytes] | None = None
        if program := shutil.which("tegrastats"):
            self._parse = parse_tegrastats
            self._start(program, "--interval", "500")
        elif program := shutil.which("nvidia-smi"):
            self._parse = parse_nvidia_smi
            query = ("--query-gpu=utilization.gpu,power.draw", "--format=csv,noheader,nounits")
            self._start(program, *query, "-l", "1")

    def finish(self) -> GpuUse:
        """Mean utilisation in percent and power in W; None where not reported."""
        if self._query is None:
            return None, None
        self._query.terminate()
        self._query.wait()
        with self._output as output:
            output.seek(0)
            return self._parse(output.read().splitlines())

    def _start(self, *command: str) -> None:
        # Not a pipe: what nobody reads meanwhile would fill it, and stop the tool.
        # Closed by `finish`.
        self._output = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._query = subprocess.Popen(
            ending_with_us(command), stdout=self._output, stderr=subprocess.DEVNULL
        )


def parse_nvidia_smi(lines: list[str]) -> GpuUse:
    """Means of lines such as ``23, 51.20``; ``[N/A]`` and cut lines are passed over."""
    columns: tuple[list[float], list[float]] = ([], [])
    for line in lines:
        for cell, column in zip(line.split(","), columns, strict=False):
            try:
                column.append(float(cell))
            except ValueError:
                continue
    return _mean(columns[0]), _mean(columns[1])


def parse_tegrastats(lines: list[str]) -> GpuUse:
    """Means of lines with ``GR3D_FREQ 45%`` and, say, ``VDD_CPU_GPU_CV 1040mW/980mW``."""
    busy = [float(found[1]) for line in lines if (found := _BUSY.search(line))]
    power_mw = [float(found[1]) for line in lines if (found := _RAIL.search(line))]
    mean_mw = _mean(power_mw)
    return _mean(busy), None if mean_mw is None else mean_mw / 1000.0


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
