"""``litetrack model speed``: what it measures and writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from litetrack_ros.tools.main import main


def test_models_and_opencv_are_measured_in_one_run(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    arguments = [
        "model",
        "speed",
        "--model",
        str(tiny_model),
        "--backend",
        "torch",
        "--rounds",
        "2",
    ]
    arguments += ["--precision", "fp32", "int8", "--targets", "1", "2", "--threads", "1"]
    arguments += ["--against", "opencv", "--size", "320x240"]
    assert main([*arguments, "--json", str(figures), "--markdown", str(page)]) == 0
    output = capsys.readouterr().out
    assert "left out: tiny torch int8" in output
    found = json.loads(figures.read_text())
    ours = found["subjects"][-1]
    assert (ours["model"], ours["backend"], ours["precision"]) == ("tiny", "torch", "fp32")
    assert set(ours["measures_ms"]) == {"template", "search 1", "step 1", "search 2", "step 2"}
    assert all(m["p50"] > 0 and m["cpu_p50"] > 0 for m in ours["measures_ms"].values())
    assert 50 < ours["peak_memory_mb"] < 4000
    others = {s["model"] for s in found["subjects"][:-1]}
    assert "OpenCV mil" in others
    assert found["reference"] == found["subjects"][0]["model"] + " opencv cpu -"
    assert found["machine"]["versions"]
    assert page.read_text().count("| tiny torch cpu fp32 |") == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--targets", "9"], "targets"),
        (["--rounds", "0"], "rounds"),
        (["--variant", "b5"], "b5"),
        (["--against", "/nowhere"], "/nowhere"),
        (["--model", "absent"], "nothing of what was asked for"),
    ],
)
def test_faults_are_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(["model", "speed", *arguments]) == 2
    assert message in capsys.readouterr().err
