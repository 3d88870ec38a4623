"""`litetrack model tune` writes a model with the settings it chose."""

import re
from pathlib import Path

import pytest

from litetrack_ros.tools.main import main

pytest.importorskip("torch")


def test_the_best_setting_is_written(
    tiny_model: Path, square_sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from litetrack_ros.model.checkpoint import load_weights

    out = tmp_path / "tuned.safetensors"
    command = ["model", "tune", str(tiny_model), str(square_sequence), "-o", str(out)]
    assert main([*command, "--size-smoothing", "1", "0.001"]) == 0
    printed = capsys.readouterr().out
    tried = dict(re.findall(r"size smoothing (\S+): mean AO (\S+),", printed))
    assert set(tried) == {"1", "0.001"}
    tuned = load_weights(out)
    best = max(tried, key=lambda smoothing: float(tried[smoothing]))
    assert tuned.tracker_config.size_smoothing == float(best)
    assert tuned.model_config.window_power == 1.0
    assert tuned.tracker_config.found_threshold >= tuned.tracker_config.lost_threshold


def test_a_folder_without_sequences_is_named(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "tuned.safetensors")
    assert main(["model", "tune", str(tiny_model), str(tmp_path), "-o", out]) == 2
    assert str(tmp_path) in capsys.readouterr().err
