"""``litetrack bag diff``: the figures of two replays side by side."""

import json
from pathlib import Path

import pytest

from litetrack_ros.tools.main import main


def _write_report(path: Path, **figures: float | None) -> str:
    path.write_text(json.dumps({"figures": figures}))
    return str(path)


def test_reports_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = _write_report(tmp_path / "before.json", latency_p95_ms=40.0, answered=100, gone=None)
    second = _write_report(tmp_path / "after.json", latency_p95_ms=30.0, answered=100, new=1.5)
    assert main(["bag", "diff", first, second]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["figure", "before", "after", "difference", "%"]
    assert lines[2].split() == ["latency_p95_ms", "40", "30", "-10.000", "-25.0"]
    assert lines[3].split() == ["answered", "100", "100", "+0.000", "+0.0"]
    assert lines[4].split() == ["new", "-", "1.500", "-", "-"]
    assert len(lines) == 5


def test_what_is_no_report_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = _write_report(tmp_path / "a.json", answered=1)
    (tmp_path / "b.json").write_text("[]")
    assert main(["bag", "diff", good, str(tmp_path / "b.json")]) == 2
    assert "b.json is no report of litetrack bag replay" in capsys.readouterr().err
