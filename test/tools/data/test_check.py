"""``litetrack data check``."""

import json
from pathlib import Path

import pytest
from published_layouts import write_got10k

from litetrack_ros.tools.main import main


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root, figures = tmp_path / "data", tmp_path / "figures.json"
    write_got10k(root, [1], prefix="Val")
    assert main(["data", "check", str(root), "--json", str(figures)]) == 0
    assert "complete" in capsys.readouterr().out
    assert json.loads(figures.read_text())["statistics"]["frames"] == 24
    (root / "GOT-10k_Val_000001/00000003.jpg").unlink()
    assert main(["data", "check", str(root)]) == 1
    assert "1 frames, such as GOT-10k_Val_000001/00000003.jpg" in capsys.readouterr().out
    assert main(["data", "check", str(root), "--set", "lasot"]) == 2
    assert "no data set 'lasot'" in capsys.readouterr().err
