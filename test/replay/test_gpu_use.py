"""What the vendor's tools print, and running one of them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from litetrack_ros.replay.gpu_use import (
    GpuUse,
    GpuWatch,
    parse_nvidia_smi,
    parse_tegrastats,
)


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
