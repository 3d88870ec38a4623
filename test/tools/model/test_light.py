"""`litetrack model light` tracks a dark template and says how well."""

import json
from pathlib import Path

import pytest

from litetrack_ros.tools.main import main

pytest.importorskip("torch")


def test_too_short_sequences_are_named(
    tiny_model: Path, square_sequence: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "light", str(square_sequence), "--model", str(tiny_model)]) == 2
    assert "30 frames" in capsys.readouterr().err


def test_a_model_is_judged(
    tiny_model: Path,
    square_sequence: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("litetrack_ros.evaluation.light_changes.LEAST_FRAMES", 3)
    figures = tmp_path / "figures.json"
    command = ["model", "light", str(square_sequence), "--model", str(tiny_model)]
    assert main([*command, "--json", str(figures)]) == 0
    assert "first template alone" in capsys.readouterr().out
    ways = json.loads(figures.read_text())["ways"]
    assert (
        list(ways) == ["first template alone"] and len(ways["first template alone"]["clips"]) == 1
    )
