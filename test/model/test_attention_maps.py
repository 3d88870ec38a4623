"""Attention to the target, on networks whose attention is known."""

import numpy as np
import pytest
import torch

from litetrack_ros.config import ModelConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.model.attention_maps import check_layer, target_attention
from litetrack_ros.model.litetrack import LiteTrack

SMALL = {"embed_dim": 32, "num_heads": 2, "head_channels": 8}
# Two by two of the template's cells, and half of two more.
BOX = np.array([0.25, 0.25, 0.5, 0.4375], dtype=np.float32)
COVERED_CELLS = 2 * 1.5
FOUND = np.array([0.25, 0.5, 0.75, 1.0], dtype=np.float32)  # eight by eight of the search cells
RANDOM = np.random.default_rng(0)
TEMPLATE = RANDOM.integers(0, 256, (128, 128, 3), dtype=np.uint8)
SEARCH = RANDOM.integers(0, 256, (256, 256, 3), dtype=np.uint8)


def build(**changes: object) -> LiteTrack:
    torch.manual_seed(0)
    return LiteTrack(ModelConfig(**(SMALL | changes))).eval()


CONFIGS = [{"fe_layers": 1, "ai_layers": 2}, {"interaction": "joint", "fe_layers": 0}]


@pytest.mark.parametrize("changes", CONFIGS)
def test_without_preference_every_token_gets_its_share(changes: dict):
    model = build(**changes)
    for block in model.backbone.blocks:
        torch.nn.init.zeros_(block.attn.qkv.weight)
    maps = target_attention(model, TEMPLATE, BOX, SEARCH, FOUND)
    assert list(maps) == list(range(1, model.config.depth + 1))
    for layer, shares in maps.items():
        assert shares.shape == (16, 16)
        # In a feature-extraction layer 64 of the 256 search tokens lie where it was found.
        alone = layer <= model.config.fe_layers
        expected = 64 / 256 if alone else COVERED_CELLS / (64 + 256)
        np.testing.assert_allclose(shares, expected, rtol=1e-5)


@pytest.mark.parametrize("changes", CONFIGS)
def test_shares_are_those_that_mix_the_values(changes: dict):
    """A value of 1 for covered template tokens and 0 for others mixes to the share itself."""
    model = build(**changes, embed_dim=64, num_heads=4)
    layer = model.config.depth
    attention = model.backbone.blocks[layer - 1].attn
    mixed: list[torch.Tensor] = []
    marks = torch.zeros(64 + 256)
    marks[:64].view(8, 8)[2:4, 2:4] = 1  # the box below covers these four cells exactly

    def keys_values(tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = type(attention).keys_values(attention, tokens)
        if tokens.shape[1] != len(marks):  # the template's own pass
            return keys, values
        return keys, marks[:, None].expand_as(values[0, 0]).expand_as(values)

    box = np.array([0.25, 0.25, 0.5, 0.5], dtype=np.float32)
    expected = target_attention(model, TEMPLATE, box, SEARCH, FOUND)[layer]
    attention.keys_values = keys_values
    attention.proj.register_forward_pre_hook(lambda _, inputs: mixed.append(inputs[0]))
    target_attention(model, TEMPLATE, box, SEARCH, FOUND)
    heads = mixed[-1][0, -256:].unflatten(-1, (4, 16)).mean(dim=(1, 2))  # search tokens
    np.testing.assert_allclose(expected.flatten(), heads.numpy(), rtol=1e-4)
    assert expected.std() > 0


@pytest.mark.parametrize("layer", [0, 5])
def test_other_layers_are_refused(layer: int):
    config = ModelConfig()
    check_layer(config, 1)
    with pytest.raises(ConfigError, match=f"no layer {layer}: 'custom' has the layers 1 to 4"):
        check_layer(config, layer)
