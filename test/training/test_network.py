"""What is trained and what stays fixed."""

import dataclasses

import pytest
import torch
from torch import nn

from litetrack_ros.config import ModelConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.training.batches import PairBatch, PairSource, collate
from litetrack_ros.training.network import TrainedNetwork, parameter_groups
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
