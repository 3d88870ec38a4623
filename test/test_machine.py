"""What a report says of the machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from litetrack_ros.machine import describe, power_mode


def test_the_machine_is_described_as_json():
    machine = json.loads(json.dumps(describe()))
    assert machine["cores"] == len(os.sched_getaffinity(0))
    assert machine["cpu"]
    assert "numpy" in machine["versions"]


def test_a_jetsons_power_mode_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "nvpmodel"
    program.write_text("#!/bin/sh\necho 'NV Power Mode: MAXN'\necho 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert power_mode() == "MAXN"
