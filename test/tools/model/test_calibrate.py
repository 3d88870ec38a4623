"""`litetrack model calibrate` writes a model whose scores are probabilities."""

import json
import shutil
from pathlib import Path

import pytest

from litetrack_ros.tools.main import main

pytest.importorskip("torch")


def test_a_calibrated_model_is_written_and_judged(
    tiny_model: Path, square_sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from litetrack_ros.model.checkpoint import load_weights

    again = tmp_path / "again"
    shutil.copytree(square_sequence, again)
    out, figures = tmp_path / "calibrated.safetensors", tmp_path / "figures.json"
    command = ["model", "calibrate", str(tiny_model), str(square_sequence), str(again)]
    tried = ["--lost-threshold", "0.2", "0.4", "--lost-after-frames", "2"]
    assert main([*command, *tried, "--json", str(figures), "-o", str(out)]) == 0
    config = load_weights(out).tracker_config
    assert config.calibration is not None and config.lost_after_frames == 2
    assert config.lost_threshold in (0.2, 0.4) and config.found_threshold == 0.5
    assert capsys.readouterr().out.count("(chosen)") == 1
    assert {"value", "low", "high", "frames"} <= set(json.loads(figures.read_text())["AO"])


def test_sequences_that_chose_the_model_are_named(
    tiny_model: Path, square_sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from litetrack_ros.model.checkpoint import load_weights, save_weights

    weights = load_weights(tiny_model)
    record = {"provenance": json.dumps({"tracked": {"sequences": ["square", "other"]}})}
    model, again = tmp_path / "chosen.safetensors", tmp_path / "again"
    save_weights(model, weights.model, weights.tracker_config, record)
    shutil.copytree(square_sequence, again)
    command = ["model", "calibrate", str(model), str(square_sequence), str(again)]
    tried = ["--lost-threshold", "0.2", "--lost-after-frames", "2"]
    assert main([*command, *tried, "-o", str(tmp_path / "out.safetensors")]) == 0
    assert "by 1 of these sequences (square)" in capsys.readouterr().out


def test_one_sequence_is_not_enough(
    tiny_model: Path, square_sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "calibrated.safetensors")
    assert main(["model", "calibrate", str(tiny_model), str(square_sequence), "-o", out]) == 2
    assert "two or more" in capsys.readouterr().err
