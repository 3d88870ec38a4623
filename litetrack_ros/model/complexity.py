"""Parameters and multiply-accumulates of a model, template and search step apart.

A multiply-accumulate (MAC) is one product of a matrix product or a convolution; attention's two
products count, norms, biases and activations do not. The paper's Table I holds what the tool
`thop` counts of a search call, which leaves out qkv, the attention products and bare parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from litetrack_ros.config import ModelConfig
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
_UNUSED_PARAMETERS = 768 + 197 * 768  # backbone.cls_token and backbone.pos_embed


def count(config: ModelConfig) -> Complexity:
    """Count a model of this configuration."""
    with torch.device("meta"):
        model = LiteTrack(config).eval()
        z = torch.empty(1, 3, config.template_size, config.template_size)
        x = torch.empty(1, 3, config.search_size, config.search_size)
        box = torch.empty(1, 4)
        features = torch.empty(1, config.template_grid**2, config.embed_dim)
    template_macs = _macs(lambda: model.encode_template(z, box))
    with_template = _macs(lambda: model.predict(model.encode_search(x, features)))
    tokens, dim = config.template_grid**2, config.embed_dim
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


def _macs(run: Callable[[], object]) -> int:
    """MACs of a computation on tensors without content."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return counter.get_total_flops() // 2  # the counter takes a product and a sum as two
