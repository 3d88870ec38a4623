"""Processor time, memory and GPU use of a process, watched from outside, on Linux."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from litetrack_ros.replay.gpu_use import GpuWatch

_PERIOD_S = 0.5


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
