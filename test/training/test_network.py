"""What is trained and what stays fixed, and a teacher's answers as training signal."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn
from tracking_sets import made_set

from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.model.checkpoint import save_weights
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.pairs.pair_recipe import PairSampling
from litetrack_ros.pairs.sampling import TrackingPairs
from litetrack_ros.training.batches import PairBatch, PairSource, StepBatches, collate
from litetrack_ros.training.loop import Trainer
from litetrack_ros.training.losses import boxes_at
from litetrack_ros.training.network import Teacher, TrainedNetwork, parameter_groups
from litetrack_ros.training.processes import ProcessGroup
from litetrack_ros.training.recipe import Recipe

LITE0 = ModelConfig(
    stem="efficientnet_lite0",
    embed_dim=16,
    num_heads=2,
    fe_layers=0,
    ai_layers=1,
    head_channels=8,
    target_cue="inside",
    template_size=32,
    search_size=64,
)


def _batch(source: PairSource) -> PairBatch:
    return collate([source.pair(k) for k in range(2)])


def test_images_give_the_models_own_maps(squares: PairSource, tiny_recipe: Recipe) -> None:
    model = LiteTrack(tiny_recipe.model_config()).eval()
    batch = _batch(squares)
    stem = model.backbone.patch_embed
    mean, std = torch.tensor(stem.pixel_mean), torch.tensor(stem.pixel_std)
    template, search = (
        ((images.float() - mean) / std).permute(0, 3, 1, 2)
        for images in (batch.templates, batch.searches)
    )
    with torch.no_grad():
        expected = model(template, batch.template_boxes_xyxy_norm, search)
        maps = TrainedNetwork(model, freeze_stem=False)(batch)
    for mine, models in zip(maps, expected, strict=True):
        torch.testing.assert_close(mine, models)


def test_frozen_stem_learns_nothing(squares: PairSource) -> None:
    torch.manual_seed(0)
    network = TrainedNetwork(LiteTrack(LITE0), freeze_stem=True).train()
    stem = network.model.backbone.patch_embed
    before = {name: value.clone() for name, value in stem.state_dict().items()}
    maps = network(_batch(squares))
    (maps.score.sum() + maps.size.sum() + maps.offset.sum()).backward()
    for name, value in stem.state_dict().items():  # the running means too
        torch.testing.assert_close(value, before[name])
    trained = {name for name, p in stem.named_parameters() if p.grad is not None}
    assert trained == {"proj.weight", "proj.bias"}


def test_a_trained_stem_keeps_its_batch_norm_in_evaluation() -> None:
    network = TrainedNetwork(LiteTrack(LITE0), freeze_stem=False).train()
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    stem_norms = [m for m in network.model.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(m.training for m in stem_norms)
    assert any(m.training for m in norms)  # the head's


def test_a_patch_stem_cannot_be_frozen(tiny_recipe: Recipe) -> None:
    with pytest.raises(ConfigError, match="stem: trained"):
        TrainedNetwork(LiteTrack(tiny_recipe.model_config()), freeze_stem=True)


def test_parameter_groups_hold_every_parameter_once(tiny_recipe: Recipe) -> None:
    network = TrainedNetwork(LiteTrack(LITE0), freeze_stem=False)
    recipe = dataclasses.replace(tiny_recipe, weight_decay=0.05, stem_rate=0.1)
    groups = parameter_groups(network, recipe)
    held = [id(p) for group in groups for p in group["params"]]  # type: ignore[attr-defined]
    assert sorted(held) == sorted(id(p) for p in network.parameters())
    assert {(g["rate"], g["weight_decay"]) for g in groups} == {
        (1.0, 0.05),
        (1.0, 0.0),
        (0.1, 0.05),
        (0.1, 0.0),
    }


CPU = torch.device("cpu")
LARGE = ModelConfig(
    name="large", embed_dim=32, num_heads=2, fe_layers=2, ai_layers=1, head_channels=16
)
SMALL_YAML = "embed_dim: 16\nnum_heads: 2\nfe_layers: 0\nai_layers: 1\nhead_channels: 8\n"


@pytest.fixture
def teacher_file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = LiteTrack(LARGE)
    path = tmp_path / "teacher.safetensors"
    save_weights(path, model, TrackerConfig())
    return path


def test_conventions_are_translated(teacher_file: Path) -> None:
    pairs = TrackingPairs([made_set("two")], [1], LARGE, PairSampling(), seed=0)
    batch = StepBatches(pairs, 2)[0]
    answers = [
        Teacher(teacher_file, dataclasses.replace(LARGE, decode=decode), CPU).answer(batch)
        for decode in ("official", "exact")
    ]
    boxes = [boxes_at(maps, torch.tensor([[5], [7]]))[:, 0] for maps in answers]
    moved = (boxes[1] - boxes[0]) * LARGE.search_size
    torch.testing.assert_close(moved, torch.tensor([[0.5, 0.5, 0, 0]] * 2), atol=1e-3, rtol=0)


def test_a_teacher_must_see_the_same_crops(teacher_file: Path) -> None:
    with pytest.raises(ConfigError, match="search_size 256, the student 128"):
        Teacher(teacher_file, dataclasses.replace(LARGE, search_size=128), CPU)


def test_training_moves_towards_the_teacher(teacher_file: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL_YAML)
    recipe = Recipe(
        model=str(tmp_path / "small.yaml"),
        steps=30,
        warmup_steps=0,
        learning_rate=3e-3,
        batch_size=2,
        stem="trained",
        supervision="peak",
        teacher=str(teacher_file),
        focal_weight=0.0,
        giou_weight=0.0,
        l1_weight=0.0,
    )
    torch.set_num_threads(1)
    pairs = TrackingPairs([made_set("two")], [1], recipe.model_config(), PairSampling(), seed=0)
    batch = StepBatches(pairs, 2)[0]
    trainer = Trainer(recipe, ProcessGroup(0, 1, CPU))
    losses = [float(trainer.step(k, batch)["loss"]) for k in range(12)]
    assert losses[-1] < 0.9 * losses[0]
