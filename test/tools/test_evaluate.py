"""`litetrack evaluate`: the table, the saved boxes and the JSON agree."""

import json
from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.datasets.sequences import read_boxes
from litetrack_ros.evaluation.opencv_trackers import available_trackers
from litetrack_ros.tools.main import main


def test_our_tracker(
    tmp_path: Path, square_sequence: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    report, boxes = tmp_path / "report.json", tmp_path / "deep" / "boxes"
    arguments = ["evaluate", str(square_sequence), "--model", str(tiny_model)]
    assert main([*arguments, "--json", str(report), "--save-dir", str(boxes)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("tracker: tiny ") and lines[0].endswith(", torch on cpu, fp32")
    figures = json.loads(report.read_text())
    assert figures["tracker"] == "litetrack"
    assert figures["backend"]["model_name"] == "tiny"
    assert figures["frames_scored"] == 10  # 12 less the first and the absent one
    assert f"{figures['mean_over_sequences']['ao']:.3f}" == lines[3].split()[2]
    saved = read_boxes(boxes / "square.txt")
    assert saved.shape == (12, 4)
    np.testing.assert_array_equal(saved[0], [20, 40, 30, 30])


def test_perturbed_first_boxes(
    tmp_path: Path, square_sequence: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    report = tmp_path / "report.json"
    arguments = ["evaluate", str(square_sequence), "--model", str(tiny_model), "--perturbed", "3"]
    assert main([*arguments, "--json", str(report)]) == 0
    table = capsys.readouterr().out.split("from 3 first boxes, up to 5% off:\n")[1].splitlines()
    perturbed = json.loads(report.read_text())["perturbed"]
    [square] = perturbed["sequences"]
    values = square["ao"]
    assert square["name"] == "square"
    assert len(set(values)) == 3 and perturbed["mean_over_sequences"] == values
    wanted = [f"{v:.3f}" for v in (sum(values) / 3, min(values), max(values))]
    assert table[2].split() == ["square", *wanted]


def test_a_tracker_of_opencv_follows_the_square(tmp_path: Path, square_sequence: Path):
    if "kcf" not in available_trackers():
        pytest.skip("this OpenCV has no kcf; a contrib flavour has")
    report = tmp_path / "report.json"
    assert main(["evaluate", str(square_sequence), "--tracker", "kcf", "--json", str(report)]) == 0
    figures = json.loads(report.read_text())
    assert figures["mean_over_sequences"]["ao"] > 0.8
    assert figures["tracker"] == "kcf" and "backend" not in figures


def test_track_writes_the_same_boxes(tmp_path: Path, square_sequence: Path, tiny_model: Path):
    model = ["--model", str(tiny_model)]
    assert main(["evaluate", str(square_sequence), *model, "--save-dir", str(tmp_path)]) == 0
    tracked = tmp_path / "tracked.txt"
    assert main(["track", str(square_sequence), *model, "--save-txt", str(tracked)]) == 0
    assert tracked.read_text() == (tmp_path / "square.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tracker", "nothing"], "has no tracker 'nothing'; it has"),
        (["--model", "no_such_model"], "no_such_model"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--perturbed", "-1"], "--perturbed is -1"),
    ],
)
def test_bad_input_writes_nothing(
    tmp_path: Path,
    square_sequence: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
):
    outputs = ["--json", str(tmp_path / "r.json"), "--save-dir", str(tmp_path / "boxes")]
    model = ["--model", str(tiny_model)]
    assert main(["evaluate", str(square_sequence), *model, *outputs, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_default_model_follows_a_real_target(tmp_path: Path, sequences_dir: Path):
    """Every default: the command with nothing but a recorded sequence."""
    pytest.importorskip("torch")
    report = tmp_path / "report.json"
    assert (
        main(["evaluate", str(sequences_dir / "davis_scooter_black"), "--json", str(report)]) == 0
    )
    figures = json.loads(report.read_text())
    assert figures["frames_scored"] == 42
    assert figures["mean_over_sequences"]["ao"] > 0.5  # a target that is lost half-way scores less
