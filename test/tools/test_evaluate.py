"""`litetrack evaluate`: the table, the saved boxes and the JSON agree."""

import json
from pathlib import Path

import numpy as np
import pytest
from published_layouts import LAYOUTS

from litetrack_ros.datasets.sequences import read_boxes
from litetrack_ros.evaluation.results import read_run
from litetrack_ros.evaluation.trackers import available_trackers
from litetrack_ros.tools.main import main
from litetrack_ros.tracker.state import State


def test_our_tracker(
    tmp_path: Path, square_sequence: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    report, boxes = tmp_path / "report.json", tmp_path / "deep" / "boxes"
    arguments = ["evaluate", str(square_sequence), "--model", str(tiny_model)]
    assert main([*arguments, "--json", str(report), "--out", str(boxes)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("tracker: tiny ") and lines[0].endswith(", torch on cpu, fp32")
    figures = json.loads(report.read_text())
    assert figures["tracker"] == "litetrack"
    assert figures["backend"]["model_name"] == "tiny"
    assert figures["frames_scored"] == 10  # 12 less the first and the absent one
    assert figures["convention"] == "plain" and lines[3].startswith("convention plain: ")
    [row] = [line.split() for line in lines if line.startswith("square ")]
    assert f"{figures['mean_over_sequences']['ao']:.3f}" == row[2]
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
    assert figures["is_calibrated"] is False


def test_track_writes_the_same_boxes(tmp_path: Path, square_sequence: Path, tiny_model: Path):
    model = ["--model", str(tiny_model)]
    assert main(["evaluate", str(square_sequence), *model, "--out", str(tmp_path)]) == 0
    tracked = tmp_path / "tracked.txt"
    assert main(["track", str(square_sequence), *model, "--save-txt", str(tracked)]) == 0
    assert tracked.read_text() == (tmp_path / "square.txt").read_text()


def test_long_term_figures(
    tmp_path: Path, square_sequence: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    report, out = tmp_path / "report.json", tmp_path / "out"
    evaluate = ["evaluate", str(square_sequence), "--model", str(tiny_model), "--long-term"]
    evaluate += ["--frame-rate", "10", "--perturbed", "1", "--out", str(out)]
    assert main([*evaluate, "--json", str(report)]) == 0
    figures = json.loads(report.read_text())
    assert figures["is_calibrated"] is False  # nor have they a calibration
    found = figures["long_term"]
    assert found["pooled"]["ao"]["value"] == pytest.approx(figures["mean_over_sequences"]["ao"])
    assert found["pooled"]["tnr"] == {"value": 0.0, "low": None, "high": None, "frames": 1}
    assert found["pooled"]["false_lost"]["value"] == 0.0  # these weights have no threshold
    assert [row["name"] for row in found["sequences"]] == ["square"]
    assert found["frame_rate_hz"] == 10 and len(found["reliability"]) > 5
    shown = capsys.readouterr().out
    assert "OxUvA TPR: visible frames TRACKING and right" in shown
    assert read_run(out / "stateless", "square").boxes_xywh.shape == (12, 4)


def test_a_tracker_without_a_score_gets_the_figures_that_need_none(
    tmp_path: Path, square_sequence: Path
):
    report = tmp_path / "report.json"
    evaluate = ["evaluate", str(square_sequence), "--tracker", "mil", "--long-term"]
    assert main([*evaluate, "--json", str(report)]) == 0
    found = json.loads(report.read_text())["long_term"]
    assert found["pooled"]["f"]["value"] > 0 and found["pooled"]["tpr"]["frames"] == 10
    assert found["reliability"] is None and found["pooled"]["brier"]["value"] is None
    assert found["pooled"]["false_lost"]["value"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--frame-rate", "0"], "--frame-rate is 0"),
        (["--tracker", "nothing"], "has no tracker 'nothing'; it has"),
        (["--model", "no_such_model"], "no_such_model"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--perturbed", "-1"], "--perturbed is -1"),
        (["--jobs", "0"], "--jobs is 0"),
        (["--gpu-part", "0.5"], "--gpu-part is for --ray"),
        (["--ray", "local", "--gpu-part", "-1"], "--gpu-part is -1"),
        (["--ray", "local", "--devices", "cuda:0"], "--ray takes no --devices"),
        (["--benchmark", "lasot"], "LaSOT"),
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
    outputs = ["--json", str(tmp_path / "r.json"), "--out", str(tmp_path / "boxes")]
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


def test_a_benchmark_lies_in_one_folder(square_sequence: Path, capsys: pytest.CaptureFixture[str]):
    folder = str(square_sequence)
    assert main(["evaluate", folder, folder, "--benchmark", "folder"]) == 2
    assert "takes one DIR, not 2" in capsys.readouterr().err


def test_a_result_keeps_score_candidate_and_state(
    tmp_path: Path, square_sequence: Path, tiny_model: Path
):
    evaluate = ["evaluate", str(square_sequence), "--model", str(tiny_model), "--perturbed", "1"]
    assert main([*evaluate, "--out", str(tmp_path / "out")]) == 0
    for folder in (tmp_path / "out", tmp_path / "out" / "perturbed_0"):
        run = read_run(folder, "square")
        assert run.boxes_xywh.shape == run.candidate_boxes_xywh.shape == (12, 4)
        assert run.scores[0] == 1.0 and (run.scores[1:] < 1).all()
        assert (run.states == State.TRACKING).all() and run.fps > 0


def test_another_model_does_not_mix_its_results_in(
    tmp_path: Path, square_sequence: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    evaluate = ["evaluate", str(square_sequence), "--out", str(tmp_path / "out")]
    assert main([*evaluate, "--model", str(tiny_model)]) == 0
    assert main([*evaluate, "--tracker", "mil"]) == 2
    assert "results of another tracker" in capsys.readouterr().err


def test_a_set_that_only_a_server_scores_is_run_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    LAYOUTS["got10k_test"][0](tmp_path / "data")
    evaluate = ["evaluate", str(tmp_path / "data"), "--benchmark", "got10k_test"]
    assert main([*evaluate, "--tracker", "mil"]) == 2
    assert "only a server can score got10k_test" in capsys.readouterr().err
    assert main([*evaluate, "--tracker", "mil", "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "0 of 2 sequences are done" in shown and "frames scored" not in shown
    assert len(read_run(tmp_path / "out", "GOT-10k_Test_000001").boxes_xywh) == 12


@pytest.mark.slow
def test_processes_give_the_same_figures(tmp_path: Path, square_sequence: Path, tiny_model: Path):
    figures = []
    for jobs in ("1", "2"):
        path = tmp_path / f"{jobs}.json"
        evaluate = ["evaluate", str(square_sequence), "--model", str(tiny_model), "--perturbed"]
        assert main([*evaluate, "1", "--jobs", jobs, "--json", str(path)]) == 0
        found = json.loads(path.read_text())
        figures.append((found["perturbed"], found["mean_over_frames"], found["convention"]))
    assert figures[0] == figures[1] and figures[0][-1] == "plain"
