"""`litetrack model returns`: made videos are tracked and their shares printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training_pictures import write_boxed

from litetrack_ros.pairs import returns
from litetrack_ros.tools.main import main


@pytest.mark.slow
def test_shares_are_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litetrack_ros.pairs.materials._HELD_OUT_ONE_IN", 1)
    monkeypatch.setattr(returns, "_SIZES_PX", ((640, 480),))
    photos = write_boxed(tmp_path) / "boxed_photos"
    out = tmp_path / "figures.json"
    options = ["--cases", "2", "--away", "0.05", "--search-crops", "1", "--json", str(out)]
    assert main(["model", "returns", str(photos), *options]) == 0
    printed = capsys.readouterr().out
    assert "found in time" in printed and "staying away, TRACKING" in printed
    figures = json.loads(out.read_text())
    assert len(figures["videos"]) == 2
    assert figures["shares"]["found in time"]["of"] == 1


@pytest.mark.parametrize("options", [["--cases", "1"], ["--away", "0"], ["--away", "1.5"]])
def test_what_makes_no_sense_is_refused(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "returns", "nowhere", *options]) == 2
    assert "--cases" in capsys.readouterr().err
