"""Processor time and memory of a process; what the GPU vendors' tools print."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from litetrack_ros.replay.node_process import (
    GpuUse,
    GpuWatch,
    ResourceWatch,
    parse_nvidia_smi,
    parse_tegrastats,
    read_process,
)

BUSY = """
import time
block = bytearray(80_000_000)
for at in range(0, len(block), 4096):
    block[at] = 1
print("ready", flush=True)
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
time.sleep(30)
"""


def test_a_process_is_watched() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before_s, _ = read_process(process.pid)
        start_s = time.perf_counter()
        with ResourceWatch(process.pid) as watch:
            while read_process(process.pid)[0] < before_s + 0.4:
                time.sleep(0.05)
        took_s = time.perf_counter() - start_s
        process.kill()
    assert watch.use.rss_mb is not None
    assert 80 < watch.use.rss_mb < 160
    assert watch.use.cpu_percent == pytest.approx(100 * 0.4 / took_s, rel=0.5)


def test_a_process_that_has_ended_has_no_figures() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with ResourceWatch(process.pid) as watch:
        pass
    assert watch.use.cpu_percent is None
    assert watch.use.rss_mb is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["10, 50.5", "30, 51.5", ""], (20.0, 51.0)),
        (["10, [N/A]", "x"], (10.0, None)),
        ([], (None, None)),
    ],
)
def test_lines_of_nvidia_smi(lines: list[str], expected: GpuUse) -> None:
    assert parse_nvidia_smi(lines) == expected


ORIN_NX = (
    "11-22-2026 12:00:00 RAM 2946/15523MB (lfb 4x4MB) SWAP 0/7762MB (cached 0MB) "
    "CPU [12%@1984,off,3%@729] EMC_FREQ 1%@3199 GR3D_FREQ {busy}%@[611] APE 174 cpu@49.5C "
    "tboard@39.4C VDD_IN 6158mW/6101mW VDD_CPU_GPU_CV {power}mW/1500mW VDD_SOC 1817mW/1810mW"
)
AGX_ORIN = "GR3D_FREQ 60%@[1300,1300] VDD_GPU_SOC 5200mW/4800mW VDD_CPU_CV 1200mW/1100mW"
NANO = "EMC_FREQ 6%@1600 GR3D_FREQ 30%@230 POM_5V_IN 2500/2480 POM_5V_GPU 400/390 POM_5V_CPU 1/2"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([ORIN_NX.format(busy=10, power=1400), ORIN_NX.format(busy=50, power=1600)], (30.0, 1.5)),
        ([AGX_ORIN], (60.0, 5.2)),
        ([NANO], (30.0, 0.4)),
        (["RAM 1/2MB CPU [1%@1]", ""], (None, None)),
    ],
)
def test_lines_of_tegrastats(lines: list[str], expected: GpuUse) -> None:
    assert parse_tegrastats(lines) == expected


def test_the_tool_is_run_until_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tegrastats"
    program.write_text(f"#!/bin/sh\nwhile true; do echo '{AGX_ORIN}'; sleep 0.05; done\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    watch = GpuWatch()
    time.sleep(0.5)
    assert watch.finish() == (60.0, 5.2)


def test_hours_of_lines_do_not_stop_the_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a pipe holds, and what comes after that counts."""
    program = tmp_path / "tegrastats"
    program.write_text(
        f"#!/bin/sh\nyes '{AGX_ORIN}' | head -n 4000\n"
        f"yes '{AGX_ORIN.replace('60%', '20%')}' | head -n 4000\ntouch {tmp_path}/done\nsleep 60\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    watch = GpuWatch()
    end = time.monotonic() + 20
    while not (tmp_path / "done").exists():
        assert time.monotonic() < end, "the tool was stopped by what it wrote"
        time.sleep(0.02)
    assert watch.finish() == pytest.approx((40.0, 5.2))


def test_without_a_tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert GpuWatch().finish() == (None, None)
