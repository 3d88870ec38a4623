"""The counting convention of the paper's Table I, so that its figures can be explained.

The table holds what the tool ``thop`` reports for a search-only call of the authors' graph. It sees
the modules that are called: no qkv (a functional call), no attention products, no bare parameters
(position embeddings, biases of queries and values, layer scales); but four operations an element of
each norm. :mod:`litetrack_ros.model.complexity` has the true counts.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from litetrack_ros.config import ModelConfig
from litetrack_ros.model.layers import Block
from litetrack_ros.model.litetrack import LiteTrack

# Where the table departs from the released model by more than rounding.
DEPARTURES = {
    "b8": "Table I counts a 6 + 2 split",
    "b4": "Table I lacks a branch of the head",
}
_NORM_OPERATIONS = 4  # thop's figure for a norm with weight and bias, an element


def count_as_table_one(config: ModelConfig) -> tuple[int, int]:
    """Parameters and MACs of a variant in the table's convention."""
    with torch.device("meta"):
        model = LiteTrack(config).eval()
        images = torch.empty(1, 3, config.search_size, config.search_size)
        search = torch.empty(1, config.search_grid**2, config.embed_dim)
        template = torch.empty(1, config.template_grid**2, config.embed_dim)
    both = torch.cat([template, search], dim=1)
    macs = 0

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs
        if isinstance(module, nn.Conv2d):
            area = module.kernel_size[0] * module.kernel_size[1]
            macs += output.numel() * module.in_channels // module.groups * area
        elif isinstance(module, nn.Linear):
            macs += output.numel() * module.in_features
        elif isinstance(module, nn.LayerNorm | nn.BatchNorm2d):
            macs += _NORM_OPERATIONS * output.numel()

    called: list[nn.Module] = [model.backbone.patch_embed, model.box_head]
    calls: list[tuple[Any, Tensor]] = [(model.backbone.patch_embed, images)]
    for index, module in enumerate(model.backbone.blocks):
        block = cast(Block, module)
        called += [block.norm1, block.attn.proj, block.norm2, block.mlp]
        # In the authors' interaction layers norm1 and proj take the template's tokens too.
        tokens = search if index < config.fe_layers else both
        calls += [(block.norm1, tokens), (block.attn.proj, tokens)]
        calls += [(block.norm2, search), (block.mlp, search)]
    leaves = [leaf for part in called for leaf in part.modules()]
    handles = [leaf.register_forward_hook(add) for leaf in leaves]
    with torch.no_grad():
        for part, tensor in calls:
            part(tensor)
        model.predict(search)
    for handle in handles:
        handle.remove()
    parameters = sum(p.numel() for leaf in leaves for p in leaf.parameters(recurse=False))
    return parameters, macs
