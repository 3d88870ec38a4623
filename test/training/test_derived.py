"""Fewer layers, other splits, other settings, and the command that reports the former."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from published_layouts import boxes, jpeg, lines
from small_models import small_model

from litetrack_ros.config import Calibration, Logistic, ModelConfig, TrackerConfig
from litetrack_ros.datasets.sequences import AnnotatedSequence, read_sequence
from litetrack_ros.errors import ConfigError
from litetrack_ros.evaluation.comparison import compare
from litetrack_ros.evaluation.results import boxes_only
from litetrack_ros.model.checkpoint import LoadedWeights, load_weights, save_weights
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.tools.main import main
from litetrack_ros.training.derived import (
    Setting,
    mean_ao,
    prune,
    pruned_forms,
    right_frames,
    split_forms,
    track_all,
    try_settings,
    with_setting,
)

CONFIG = ModelConfig(
    name="m", embed_dim=32, num_heads=2, fe_layers=2, ai_layers=2, head_channels=16
)


@pytest.fixture(scope="module")
def model() -> LiteTrack:
    torch.manual_seed(0)
    return LiteTrack(CONFIG).eval()


def test_pruning_keeps_the_first_layers(model: LiteTrack) -> None:
    pruned = prune(model, 2, 1)
    assert pruned.config.name == "m_fe2_ai1" and len(pruned.backbone.blocks) == 3
    x = torch.rand(1, 256, 32, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(pruned.backbone.blocks, model.backbone.blocks, strict=False):
        torch.testing.assert_close(ours(x), theirs(x))
    with pytest.raises(ConfigError, match="so 5 cannot be kept"):
        prune(model, 3, 2)


def test_forms(model: LiteTrack) -> None:
    forms = [(f.config.fe_layers, f.config.ai_layers) for f in pruned_forms(model)]
    assert forms == [(2, 2), (1, 2), (0, 2)]
    splits = [(f.config.fe_layers, f.config.ai_layers) for f in split_forms(model)]
    assert splits == [(3, 1), (2, 2), (1, 3), (0, 4)]


def test_joint_forms_come_from_joint_weights() -> None:
    joint = LiteTrack(dataclasses.replace(CONFIG, interaction="joint", fe_layers=0, ai_layers=4))
    forms = [f.config for f in pruned_forms(joint.eval())]
    assert [(f.interaction, f.depth, f.name) for f in forms] == [
        ("joint", 4, "m_joint4"),
        ("joint", 3, "m_joint3"),
        ("joint", 2, "m_joint2"),
    ]
    with pytest.raises(ConfigError, match="joint"):
        prune(joint, 1, 2)
    with pytest.raises(ConfigError, match="no FE layers"):
        next(split_forms(joint))


def test_the_command(model: LiteTrack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "m.safetensors", tmp_path / "p.safetensors"
    calibration = Calibration(Logistic((0.1,) * 13, 0.0), Logistic((0.1,) * 4, 0.0))
    save_weights(path, model, TrackerConfig(lost_threshold=0.99, calibration=calibration))
    for k in range(6):
        jpeg(tmp_path / "data/clip/frames" / f"{k}.jpg", k)
    (tmp_path / "data/clip/groundtruth.txt").write_text(lines(boxes(6)))
    assert (
        main(["model", "prune", "--model", str(path), "--fe", "1", "--ai", "1", "--out", str(out)])
        == 0
    )
    pruned = load_weights(out)
    assert pruned.model_config.depth == 2
    assert pruned.tracker_config == TrackerConfig()  # the parent's thresholds are not its own
    for report, count in (("layers", 3), ("splits", 4)):
        figures = tmp_path / f"{report}.json"
        command = [
            "model",
            "prune",
            "--model",
            str(path),
            "--report",
            report,
            "--json",
            str(figures),
        ]
        assert main([*command, "--data", str(tmp_path / "data")]) == 0
        rows = json.loads(figures.read_text())["rows"]
        assert len(rows) == count and all(0 <= r["ao"] <= 1 and r["fps"] > 0 for r in rows)
        assert all(r["lost_threshold"] < 0.99 for r in rows)
    assert np.unique([r["model"] for r in rows]).size == 4
    assert main(["model", "prune", "--model", str(path)]) == 2
    assert main(["model", "prune", "--model", str(path), "--report", "layers"]) == 2
    assert "needs --data" in capsys.readouterr().err


@pytest.fixture
def sequence(tmp_path: Path) -> AnnotatedSequence:
    """Four frames of a moving square."""
    (tmp_path / "frames").mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for number in range(4):
        image = rng.integers(0, 80, (120, 160, 3), dtype=np.uint8)
        image[40:70, 50 + 3 * number : 80 + 3 * number] = 240
        cv2.imwrite(str(tmp_path / f"frames/{number:04d}.png"), image)
        lines.append(f"{50 + 3 * number},40,30,30\n")
    (tmp_path / "groundtruth.txt").write_text("".join(lines))
    return read_sequence(tmp_path)


def test_absent_frames_are_wrong_and_not_scored() -> None:
    box = [10.0, 10.0, 20.0, 20.0]
    sequence = AnnotatedSequence("s", Path(), np.array([box, box, [np.nan] * 4]))
    run = boxes_only("s", np.array([box] * 3))
    assert right_frames(sequence, run).tolist() == [True, False]
    assert mean_ao(compare("folder", "plain", [sequence], {"a": [run]})) == 1.0


def test_every_setting_is_tried_and_reported(sequence: AnnotatedSequence) -> None:
    weights = LoadedWeights(small_model(), TrackerConfig(lost_threshold=0.9), "", {})
    settings = [Setting(1.0, 1.0), Setting(0.5, 0.3)]
    steps: list[int] = []
    trials = list(try_settings(weights, settings, [sequence], on_frame=lambda: steps.append(1)))
    assert [trial.setting for trial in trials] == settings and len(steps) == 8
    assert all(trial.report.right + trial.report.wrong == 3 for trial in trials)


def test_settings_reach_the_tracker(sequence: AnnotatedSequence) -> None:
    weights = LoadedWeights(small_model(), TrackerConfig(lost_threshold=0.9), "", {})
    plain, held = (
        track_all(with_setting(weights, Setting(1.0, smoothing)), [sequence])
        .runs["small"]
        .popitem()[1]
        for smoothing in (1.0, 1e-9)
    )
    assert plain.boxes_xywh.shape == (4, 4) and plain.scores.shape == (4,)
    np.testing.assert_allclose(held.boxes_xywh[:, 2:], 30.0, atol=1e-3)
    assert not np.allclose(plain.boxes_xywh[1:, 2:], 30.0)


def test_the_state_machine_is_off_while_tuning() -> None:
    weights = LoadedWeights(small_model(), TrackerConfig(lost_threshold=0.9), "", {})
    tried = with_setting(weights, Setting(0.5, 1.0))
    assert tried.tracker_config == TrackerConfig()
    assert tried.model_config == dataclasses.replace(weights.model_config, window_power=0.5)
