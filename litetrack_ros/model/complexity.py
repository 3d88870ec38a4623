"""Parameters and multiply-accumulates of a model, and the paper's Table I.

A multiply-accumulate (MAC) is one product of a matrix product or a convolution; attention's two
products count, norms, biases and activations do not. The paper's table holds what the tool ``thop``
reports for a search-only call of the authors' graph. It sees the modules that are called: no qkv (a
functional call), no attention products, no bare parameters (position embeddings, biases of queries
and values, layer scales); but four operations an element of each norm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from litetrack_ros.config import ModelConfig
from litetrack_ros.model.layers import Block
from litetrack_ros.model.litetrack import LiteTrack


@dataclass(frozen=True)
class Complexity:
    """Counts of one model.

    Attributes:
        parameters: of the authors' checkpoint for their variants, the two tensors their forward
            pass never reads included; else of the trained form.
        template_macs: of encoding a template once, without the cached keys and values.
        cache_macs: of computing the keys and values that are cached, once per template.
        search_macs: of a frame with cached keys and values.
        uncached_search_macs: of a frame in the authors' graph, which computes the template's norm,
            query, key, value and projection in each interaction layer of every frame.
    """

    parameters: int
    template_macs: int
    cache_macs: int
    search_macs: int
    uncached_search_macs: int


# The paper's Table I: parameters in millions and MACs in thousands of millions.
PAPER_TABLE_I = {
    "b9": (54.92, 14.17),
    "b8": (49.60, 12.77),
    "b6": (38.97, 10.09),
    "b4": (26.18, 6.78),
}
# Where the table departs from the released model by more than rounding.
DEPARTURES = {
    "b8": "Table I counts a 6 + 2 split",
    "b4": "Table I lacks a branch of the head",
}
_NORM_OPERATIONS = 4  # thop's figure for a norm with weight and bias, an element
_UNUSED_PARAMETERS = 768 + 197 * 768  # backbone.cls_token and backbone.pos_embed


def count(config: ModelConfig) -> Complexity:
    """Count a model of this configuration."""
    with torch.device("meta"):
        model = LiteTrack(config).eval()
        z = torch.empty(1, 3, config.template_size, config.template_size)
        x = torch.empty(1, 3, config.search_size, config.search_size)
        box = torch.empty(1, 4)
        features = torch.empty(1, config.template_tokens, config.embed_dim)
    template_macs = _macs(lambda: model.encode_template(z, box))
    with_template = _macs(lambda: model.predict(model.encode_search(x, features)))
    tokens, dim = config.template_tokens, config.embed_dim
    layers = config.ai_layers if config.interaction == "asynchronous" else 0
    cache_macs = layers * tokens * dim * 2 * dim
    # Our trained form computes keys and values alone; the authors' also a query and a projection.
    further = layers * tokens * dim * 2 * dim
    parameters = sum(p.numel() for p in model.parameters())
    if config.target_cue == "token" and config.stem == "patch16":
        parameters += _UNUSED_PARAMETERS
    return Complexity(
        parameters=parameters,
        template_macs=template_macs,
        cache_macs=cache_macs,
        search_macs=with_template - cache_macs,
        uncached_search_macs=with_template + further,
    )


def count_as_table_one(config: ModelConfig) -> tuple[int, int]:
    """Parameters and MACs of a variant in the convention of the paper's Table I."""
    with torch.device("meta"):
        model = LiteTrack(config).eval()
        images = torch.empty(1, 3, config.search_size, config.search_size)
        search = torch.empty(1, config.search_grid**2, config.embed_dim)
        template = torch.empty(1, config.template_tokens, config.embed_dim)
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


def _macs(run: Callable[[], object]) -> int:
    """MACs of a computation on tensors without content."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops() // 2  # the counter takes a product and a sum as two
