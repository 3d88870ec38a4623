"""What made a run: in its folder, in its weights, and enough of it to make them again."""

import dataclasses
import getpass
import json
import platform
import re
from pathlib import Path

import pytest
import torch
from training_pictures import write_pictures

from litetrack_ros.errors import ConfigError, TrainingError
from litetrack_ros.model.checkpoint import load_weights
from litetrack_ros.pairs.pair import Pair
from litetrack_ros.tools.main import main
from litetrack_ros.training.batches import PairBatch, PairSource, StepBatches, roll_templates
from litetrack_ros.training.loop import RunOptions, Trainer, train
from litetrack_ros.training.processes import ProcessGroup
from litetrack_ros.training.provenance import data_hash
from litetrack_ros.training.recipe import Recipe, changed

MODEL = """
name: tiny
embed_dim: 32
num_heads: 2
fe_layers: 1
ai_layers: 1
head_channels: 8
target_cue: inside
template_size: 64
search_size: 128
decode: exact
"""


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """The folder of a run of 20 steps, started from the command line."""
    (tmp_path / "tiny.yaml").write_text(MODEL)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"model: {tmp_path / 'tiny.yaml'}\nepochs: 3\nepoch_pairs: 40\n")
    values = ["steps=20", "batch_size=4", "warmup_steps=2", "stem=trained", "validation_pairs=4"]
    values += ["learning_rate=1e-3", "checkpoint_every=9", "pairs.absent=0.25"]
    data = write_pictures(tmp_path / "data")
    command = ["train", str(recipe), "--data", str(data), "--out", str(tmp_path / "run")]
    assert main([*command, "--workers", "0", "--set", *values]) == 0
    return tmp_path / "run"


def test_a_run_is_made_again_from_its_weights_and_the_data(trained: Path, tmp_path: Path) -> None:
    weights = trained.parent / "alone" / "latest.safetensors"
    weights.parent.mkdir()
    (trained / "latest.safetensors").rename(weights)
    for name in ("tiny.yaml", "recipe.yaml"):
        (tmp_path / name).unlink()
    again, data = tmp_path / "again", str(tmp_path / "data")
    command = ["train", str(weights), "--data", data, "--out", str(again), "--workers", "0"]
    assert main(command) == 0
    assert (again / "latest.safetensors").read_bytes() == weights.read_bytes()


def test_the_weights_name_neither_place_nor_person(trained: Path, tmp_path: Path) -> None:
    metadata = load_weights(trained / "latest.safetensors").metadata
    record = json.loads(metadata["provenance"])
    assert json.loads(metadata["recipe"])["pairs"]["absent"] == 0.25
    assert record["seed"] == 1 and record["data"][0]["files"] > 0
    assert record["command"] == (
        "litetrack train WEIGHTS --data DIR --out RUN --device cpu --threads 1"
    )
    assert set(record["versions"]) >= {"litetrack_ros", "python", "torch", "numpy"}
    text = json.dumps(metadata)
    assert not re.search(r'[" =:]~?/[A-Za-z]', text), text
    assert str(tmp_path) not in text and str(Path.home()) + "/" not in text
    words = set(re.findall(r"[\w.-]+", text))
    assert platform.node() not in words and getpass.getuser() not in words


def test_the_folder_tells_all(trained: Path, tmp_path: Path) -> None:
    [start] = json.loads((trained / "run.json").read_text())["starts"]
    assert start["recipe"]["steps"] == 20 and start["recipe"]["model"].startswith(str(tmp_path))
    assert f"--data {tmp_path / 'data'}" in start["command"]
    assert start["host"] == platform.node() and "changes" in start


def test_data_is_told_apart_by_names_sizes_and_contents(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "boxes.txt").write_text("1,2,3,4")
        (tmp_path / name / "1.jpg").write_bytes(b"picture")
    first = data_hash(str(tmp_path / "a"))
    assert first == data_hash(str(tmp_path / "b")) and first["files"] == 2 and first["contents"]
    assert data_hash(f"set={tmp_path / 'b'}") == {**first, "name": "set"}
    (tmp_path / "b" / "1.jpg").write_bytes(b"another")
    assert data_hash(str(tmp_path / "b"))["sha256"] != first["sha256"]


def test_large_data_is_told_apart_by_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litetrack_ros.training.provenance.CONTENTS_BELOW_BYTES", 5)
    (tmp_path / "1.jpg").write_bytes(b"picture")
    (tmp_path / "boxes.txt").write_text("1,2,3,4")
    first, whole = data_hash(str(tmp_path)), data_hash(str(tmp_path), whole_contents=True)
    (tmp_path / "1.jpg").write_bytes(b"another")
    assert data_hash(str(tmp_path)) == first and not first["contents"]
    assert data_hash(str(tmp_path), whole_contents=True) != whole
    (tmp_path / "boxes.txt").write_text("1,2,3,5")
    assert data_hash(str(tmp_path)) != first


def test_values_in_place_of_the_recipes() -> None:
    values = {"model": "nano", "epochs": 3, "epoch_pairs": 9, "pairs": {"absent": 0.1, "later": 1}}
    found = changed(values, ["steps=5", "learning_rate=1e-3", "pairs.absent=0.3", "teacher=a=b"])
    assert found == {
        "model": "nano",
        "steps": 5,
        "learning_rate": 0.001,
        "pairs": {"absent": 0.3, "later": 1},
        "teacher": "a=b",
    }
    with pytest.raises(ConfigError, match="key=value"):
        changed(values, ["steps"])


@pytest.mark.parametrize("supervision", ["cells", "peak"])
@pytest.mark.parametrize("parts", [2, 3, 8])
def test_parts_have_the_gradients_of_the_whole_batch(
    squares: PairSource, tiny_recipe: Recipe, supervision: str, parts: int
) -> None:
    """With rolled templates, absent pairs, labels of quality, and batch norm in training."""
    whole = dataclasses.replace(tiny_recipe, supervision=supervision)  # type: ignore[arg-type]
    found = []
    for recipe in (whole, dataclasses.replace(whole, parts=parts)):
        trainer = Trainer(recipe, ProcessGroup(0, 1, torch.device("cpu")))
        trainer.network.double()
        batch = roll_templates(StepBatches(squares, 8)[0], 0.25, torch.Generator().manual_seed(1))
        assert 0 < int(batch.present.sum()) < 7
        report = trainer.gradients(7, batch, seed=3)
        gradients = {n: p.grad for n, p in trainer.network.named_parameters() if p.requires_grad}
        found.append((report, gradients, dict(trainer.network.named_buffers())))
    (one, gradients, buffers), (other, parted, other_buffers) = found
    assert other.total.item() == pytest.approx(one.total.item(), abs=1e-6)
    for name, gradient in gradients.items():
        torch.testing.assert_close(parted[name], gradient, rtol=1e-6, atol=1e-6, msg=name)
    for name, buffer in buffers.items():
        torch.testing.assert_close(other_buffers[name], buffer, rtol=1e-6, atol=1e-6, msg=name)


def test_a_run_in_parts_resumes_as_ever(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(tiny_recipe, parts=2, drop_path=0.2)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(recipe, squares, squares, whole, RunOptions(workers=0))
    train(recipe, squares, squares, parts, RunOptions(workers=0, max_minutes=0))
    train(recipe, squares, squares, parts, RunOptions(workers=0, resume=True))
    names = ("training.csv", "latest.safetensors")
    assert [(whole / n).read_bytes() for n in names] == [(parts / n).read_bytes() for n in names]


class _Poisoned:
    """Pairs of which one has a box that is no number."""

    def __init__(self, source: PairSource) -> None:
        self.source = source

    def pair(self, index: int) -> Pair:
        pair = self.source.pair(index)
        if index == 42:
            return pair._replace(search_box_cxcywh_norm=pair.search_box_cxcywh_norm * float("nan"))
        return pair


@pytest.mark.parametrize("parts", [1, 2])
def test_a_loss_that_is_not_finite_stops_the_run(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path, parts: int
) -> None:
    recipe = dataclasses.replace(tiny_recipe, parts=parts, rolled_share=0.0)
    with pytest.raises(TrainingError, match="step 5 is not finite") as error:
        train(recipe, _Poisoned(squares), squares, tmp_path, RunOptions(workers=0))
    path = tmp_path / "not_finite_5_0.pt"
    assert str(path) in str(error.value)
    saved = torch.load(path, weights_only=True)
    batch = PairBatch(*(saved[name] for name in PairBatch._fields))
    assert saved["step"] == 5 and batch.search_boxes_cxcywh_norm[2].isnan().all()
    # The state is that of step 4: mended data go on from there.
    assert train(recipe, squares, squares, tmp_path, RunOptions(workers=0, resume=True)) == 12


def test_a_finished_run_is_extended(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    options = RunOptions(workers=0, extend=first)
    other = dataclasses.replace(tiny_recipe, seed=2, learning_rate=1e-9, clip_norm=0.0)
    train(tiny_recipe, squares, squares, first, RunOptions(workers=0, max_minutes=0))
    with pytest.raises(ConfigError, match="step 1 of 12"):
        train(other, squares, squares, second, options)
    train(tiny_recipe, squares, squares, first, RunOptions(workers=0, resume=True))
    with pytest.raises(ConfigError, match="seed=2"):
        train(tiny_recipe, squares, squares, second, options)
    assert train(other, squares, squares, second, options) == 12
    last = torch.load(first / "state.pt", weights_only=True)["network"]
    found = torch.load(second / "state.pt", weights_only=True)["network"]
    for name, value in last.items():
        if name.endswith("weight") and "conv" not in name:  # no step to speak of away from them
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-4)
