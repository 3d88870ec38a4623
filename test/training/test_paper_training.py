"""The paper's recipes carried out on small made data sets."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from published_layouts import write_coco, write_got10k, write_lasot, write_trackingnet

from litetrack_ros.errors import ConfigError
from litetrack_ros.pairs.pair_recipe import PairRecipe
from litetrack_ros.settings import to_json
from litetrack_ros.tools.main import main
from litetrack_ros.training.batches import StepBatches, pair_sources
from litetrack_ros.training.loop import RunOptions, Trainer, train
from litetrack_ros.training.processes import ProcessGroup
from litetrack_ros.training.recipe import Recipe, read_recipe
from litetrack_ros.training.run_folder import _same_recipe

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "config/train").glob("*.yaml"))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The four sets in small, in one folder."""
    root = tmp_path / "data"
    write_got10k(root / "got10k/train", [1, 2, 16])  # 16 is of votval
    write_got10k(root / "got10k/val", [1], prefix="Val")
    write_lasot(root / "lasot", ["airplane-2"])
    write_trackingnet(root / "trackingnet", ["a"], zipped=True)
    write_coco(root / "coco")
    return root


def _tiny(tmp_path: Path, **changes: object) -> Recipe:
    (tmp_path / "tiny.yaml").write_text(
        "embed_dim: 32\nnum_heads: 2\nfe_layers: 1\nai_layers: 1\nhead_channels: 16\n"
    )
    recipe = read_recipe(ROOT / "config/train/b4_all.yaml")
    values: dict[str, object] = {
        "model": str(tmp_path / "tiny.yaml"),
        "steps": 6,
        "batch_size": 4,
        "precision": "float32",
        "validation_pairs": 4,
        "validate_every": 3,
        "checkpoint_every": 2,
    }
    return dataclasses.replace(recipe, **{**values, **changes})


@pytest.mark.parametrize("path", RECIPES, ids=[p.stem for p in RECIPES])
def test_recipes_are_the_papers(path: Path) -> None:
    recipe = read_recipe(path)
    config = recipe.model_config()
    epochs = 300 if path.stem.endswith("_all") or path.stem == "base" else 100
    assert recipe.steps == epochs * (60000 // 32)
    assert (recipe.learning_rate, recipe.encoder_rate, recipe.weight_decay) == (1e-4, 0.1, 1e-4)
    assert (recipe.giou_weight, recipe.l1_weight, recipe.clip_norm) == (2, 5, 0)
    assert recipe.sampling is not None and recipe.drop_path == 0.1
    sets = (recipe.sampling.train, recipe.sampling.validation)  # as released
    four = "lasot_train got10k_vottrain coco2017_train trackingnet"
    alone = ("got10k_train_full", "got10k_val")
    assert sets == ((four, "got10k_votval") if epochs == 300 else alone)
    if path.stem.startswith("table5"):
        assert path.stem == f"table5_fe{config.fe_layers}_ai{config.ai_layers}"
    elif path.stem[1:2].isdigit():
        assert config.name == path.stem.partition("_")[0]
    assert path.stat().st_size < 1200


def test_table_4_has_the_one_stream_baseline_and_its_pruned_form() -> None:
    layers = [
        read_recipe(ROOT / f"config/train/table4_row{row}.yaml").model_config() for row in (1, 2, 3)
    ]
    assert [c.interaction for c in layers] == ["joint"] * 3
    assert [c.depth for c in layers] == [12, 12, 9]


def test_the_learning_rate_follows_the_pairs_of_all_processes() -> None:
    recipe = read_recipe(ROOT / "config/train/b9_all.yaml", world_size=2)
    assert recipe.steps == 300 * (30000 // 32)
    assert recipe.for_processes(2).learning_rate == pytest.approx(2e-4)
    assert recipe.for_processes(1).learning_rate == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: a.yaml\n", "based on itself"),
        ("model: b4\nsteps: 5\nepochs: 3\n", "give either"),
        ("model: b4\nepochs: 3\n", "epoch_pairs is None"),
        ("model: b4\nsteps: 5\nwarmup_steps: 0\nsampling: {train: 'a:0'}\n", "positive number"),
        ("model: b4\nsteps: 5\nwarmup_steps: 0\nsampling: {trian: a}\n", "unknown key 'trian'"),
        ("model: b4\nepochs: 1\nepoch_pairs: 20\n", "less than one batch"),
    ],
)
def test_faulty_recipes(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_recipe(path)


def test_a_step_of_b4(data: Path, tmp_path: Path) -> None:
    """One optimizer step of the full-size model on pairs of all four sets."""
    recipe = dataclasses.replace(
        read_recipe(ROOT / "config/train/b4_all.yaml"), batch_size=2, precision="float32"
    )
    torch.set_num_threads(1)
    sources = pair_sources(recipe, [str(data)])
    trainer = Trainer(recipe, ProcessGroup(0, 1, torch.device("cpu")))
    before = trainer.network.model.backbone.blocks[0].attn.qkv.weight.detach().clone()
    figures = trainer.step(0, StepBatches(sources.train, 2)[0])
    assert torch.isfinite(figures["loss"]) and figures["loss"] > 0
    moved = (trainer.network.model.backbone.blocks[0].attn.qkv.weight - before).abs().max()
    assert 0 < float(moved.detach()) <= 1.1 * 1e-5  # Adam's first step is the learning rate


def test_what_a_set_lacks_is_said_before_training(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair_sources(_tiny(tmp_path), [str(data)])
    assert "1119 of 1120 sequences of LaSOT's train set are missing" in caplog.text
    assert f"trackingnet in {data / 'trackingnet'}: 11 of 12 parts" in caplog.text


def test_resumed_training_equals_uninterrupted(data: Path, tmp_path: Path) -> None:
    recipe = _tiny(tmp_path)
    sources = pair_sources(recipe, [str(data)])
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(recipe, *sources, whole, RunOptions(workers=0)) == 6
    done = train(recipe, *sources, parts, RunOptions(workers=0, max_minutes=0))
    while done < 6:
        options = RunOptions(workers=0, max_minutes=0, resume=True)
        done = train(recipe, *sources, parts, options)
    states = [torch.load(folder / "state.pt", weights_only=True) for folder in (whole, parts)]
    for key, value in states[0]["network"].items():
        assert torch.equal(value, states[1]["network"][key]), key
    assert (whole / "training.csv").read_text() == (parts / "training.csv").read_text()


def test_the_command(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.yaml").write_text(
        "embed_dim: 32\nnum_heads: 2\nfe_layers: 1\nai_layers: 1\nhead_channels: 16\n"
    )
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"base: {ROOT / 'config/train/got10k.yaml'}\nmodel: {tmp_path / 'tiny.yaml'}\n"
        "epochs: 1\nepoch_pairs: 8\nbatch_size: 4\nprecision: float32\nvalidation_pairs: 4\n"
        "sampling: {train: got10k_train_full coco2017_train:2}\n"
    )
    command = ["train", str(recipe), "--data", str(data), "--workers", "0"]
    assert main([*command, "--out", str(tmp_path / "first")]) == 0
    model = tmp_path / "first/latest.safetensors"
    assert main([*command, "--out", str(tmp_path / "next"), "--init-from", str(model)]) == 0
    assert "2 of 2 steps done" in capsys.readouterr().out
    assert main(["train", str(recipe), "--data", "nowhere", "--out", str(tmp_path / "x")]) == 2
    assert "add got10k_train_full=DIR" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_twice_the_batch(tmp_path: Path) -> None:
    script = ROOT / "test/helpers/gradients_of_pairs.py"
    environment = {**os.environ, "PYTHONPATH": f"{script.parent}:{ROOT}", "OMP_NUM_THREADS": "1"}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for prefix, out, size in ((torchrun, "two.pt", "3"), ([], "one.pt", "6")):
        command = [sys.executable, *prefix, str(script), str(tmp_path / out), size]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in ("one", "two"))
    assert set(one) == set(two)
    for name, gradient in one.items():
        scale = float(gradient.abs().max())
        np.testing.assert_allclose(two[name], gradient, atol=1e-5 * max(scale, 1e-6), err_msg=name)


def test_a_state_of_an_earlier_version_resumes(tmp_path: Path) -> None:
    """Recipe keys that came later had their defaults then."""
    recipe = _tiny(tmp_path)
    written = json.loads(to_json(recipe))
    assert _same_recipe(json.dumps(written), recipe)
    del written["teacher"], written["rate_pairs"]
    assert _same_recipe(json.dumps(written), dataclasses.replace(recipe, rate_pairs=0))
    assert not _same_recipe(json.dumps(written), dataclasses.replace(recipe, teacher="t"))
    assert not _same_recipe(json.dumps({**written, "seed": 9}), recipe)
    assert not _same_recipe(json.dumps({**written, "colour": 1}), recipe)
    del written["pairs"]
    older = dataclasses.replace(recipe, rate_pairs=0, sampling=None)
    assert _same_recipe(json.dumps({**written, "sampling": None}), older)
    other = dataclasses.replace(older, pairs=PairRecipe(absent=0.3))
    assert not _same_recipe(json.dumps({**written, "sampling": None}), other)
