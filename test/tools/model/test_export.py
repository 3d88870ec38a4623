"""``litetrack model export``: files, checks against PyTorch, exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from litetrack_ros.backends.onnx_files import OnnxPaths, read_pair
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.tools.main import main


def test_export_and_check(
    tiny_model: Path, square_sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    figures = tmp_path / "figures.json"
    arguments = ["model", "export", str(tiny_model), "-o", str(tmp_path), "--max-targets", "2"]
    arguments += ["--check", str(square_sequence), "--crops", "2", "--json", str(figures)]
    assert main(arguments) == 0
    assert "FAILED" not in capsys.readouterr().out
    check = json.loads(figures.read_text())["check"]
    assert (check["crops"], check["other_peaks"]) == (2, 0)
    assert 0 < check["score_map_max"] < 1e-4
    assert read_pair(OnnxPaths.of(tmp_path, "tiny", "fp32"))[0].max_targets == 2
    assert open_backend(ModelChoice(str(tmp_path / "tiny.search.onnx"))).info.backend == "onnx"


def test_int8_is_calibrated_and_compared_in_a_closed_loop(
    tiny_model: Path, square_sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    figures = tmp_path / "figures.json"
    sequence = str(square_sequence)
    arguments = ["model", "export", str(tiny_model), "-o", str(tmp_path), "--precision", "int8"]
    arguments += ["--calibrate", sequence, "--check", sequence, "--json", str(figures)]
    status = main(arguments)
    found = json.loads(figures.read_text())
    # The network was never trained: whether int8 keeps its boxes is not the point here.
    assert status == (0 if found["check"]["overlap_mean"] >= 0.97 else 1)
    assert found["closed_loop"]["sequences"] == ["square"]
    assert abs(found["closed_loop"]["mean_difference"]) < 1
    assert found["closed_loop"]["interval_95"] is None  # there is none from one sequence
    assert "mean difference" in capsys.readouterr().out
    paths = OnnxPaths.of(tmp_path, "tiny", "int8")
    assert b"QuantizeLinear" in paths.search.read_bytes()
    assert b"QuantizeLinear" not in paths.template.read_bytes()
    assert open_backend(ModelChoice(str(paths.search))).info.precision == "int8"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--precision", "int8"], "sequences"),
        (["--opset", "3"], "opset"),
        (["--check", "absent"], "absent"),
    ],
)
def test_faults_are_named(
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
):
    assert main(["model", "export", str(tiny_model), "-o", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
