"""How busy the GPU is and what it draws, by the vendor's tool where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile

import numpy as np

GpuUse = tuple[float | None, float | None]

# The Jetsons' rail of the GPU, by its name on one board or the other, with the power in mW now.
_RAIL = re.compile(r"\b\w*GPU\w* (\d+)(?:mW)?/\d+")
_BUSY = re.compile(r"\bGR3D_FREQ (\d+)%")


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
        self._query = subprocess.Popen(command, stdout=self._output, stderr=subprocess.DEVNULL)


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
