"""Fewer layers, other splits, and the command that reports them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from published_layouts import boxes, jpeg, lines

from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.model.checkpoint import load_weights, save_weights
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.tools.main import main
from litetrack_ros.training.pruning import prune, pruned_forms, split_forms

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
    forms = [(f.config.interaction, f.config.fe_layers, f.config.ai_layers)
             for f in pruned_forms(model)]  # fmt: skip
    assert forms == [
        ("asynchronous", 2, 2),
        ("joint", 0, 4),
        ("asynchronous", 1, 2),
        ("joint", 0, 3),
        ("asynchronous", 0, 2),
        ("joint", 0, 2),
    ]
    splits = [(f.config.fe_layers, f.config.ai_layers) for f in split_forms(model)]
    assert splits == [(3, 1), (2, 2), (1, 3), (0, 4)]


def test_the_command(model: LiteTrack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "m.safetensors", tmp_path / "p.safetensors"
    save_weights(path, model, TrackerConfig())
    for k in range(6):
        jpeg(tmp_path / "data/clip/frames" / f"{k}.jpg", k)
    (tmp_path / "data/clip/groundtruth.txt").write_text(lines(boxes(6)))
    assert (
        main(["model", "prune", "--model", str(path), "--fe", "1", "--ai", "1", "--out", str(out)])
        == 0
    )
    assert load_weights(out).model_config.depth == 2
    for report, count in (("layers", 6), ("splits", 4)):
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
    assert np.unique([r["model"] for r in rows]).size == 4
    assert main(["model", "prune", "--model", str(path)]) == 2
    assert main(["model", "prune", "--model", str(path), "--report", "layers"]) == 2
    assert "needs --data" in capsys.readouterr().err
