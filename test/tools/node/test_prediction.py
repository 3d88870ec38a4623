"""``litetrack node prediction`` on results of a made run, and on the drawn scene."""

import json
from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.datasets.sequences import format_boxes
from litetrack_ros.evaluation.results import SequenceRun, write_run
from litetrack_ros.tools.main import main


def test_it_scores_results_of_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    frames = 40
    times = np.arange(frames) / 30
    boxes = np.stack([10 + 90 * times, np.full(frames, 50.0), *np.full((2, frames), 30.0)], axis=1)
    results, sequence = tmp_path / "runs", tmp_path / "walk"
    results.mkdir()
    sequence.mkdir()
    (sequence / "groundtruth.txt").write_text(format_boxes(boxes))
    scores, call_s = np.full(frames, 0.9), np.full(frames, 0.01)
    run = SequenceRun("walk", boxes, scores, boxes, scores, np.full(frames, 2), call_s)
    write_run(results, run)
    figures = tmp_path / "figures.json"
    words = ["node", "prediction", str(sequence), "--results", str(results), "--json", str(figures)]
    assert main(words) == 0
    assert "closed:" in capsys.readouterr().out
    rates = json.loads(figures.read_text())["rates_hz"]
    assert set(rates) == {"30", "10"}
    assert rates["30"]["share"]["share"] > 0.5


@pytest.mark.slow
def test_the_demo_scene_gains(capsys: pytest.CaptureFixture) -> None:
    assert main(["node", "prediction", "--frames", "90"]) == 0
    assert "least gain +0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"), [(["DIR"], "--results RUNS"), (["--rate", "0"], "--rate must be above 0")]
)
def test_what_is_missing_is_said(
    words: list[str], reason: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(["node", "prediction", *words]) == 2
    assert reason in capsys.readouterr().err
