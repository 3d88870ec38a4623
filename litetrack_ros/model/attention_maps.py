"""How much the search tokens attend to the target in each layer (paper Fig. 3).

The paper shows the mean attention between all template tokens and the search tokens of a
one-stream encoder. In an asynchronous-interaction layer only the search tokens ask, so that the
picture here is of their side: the attention a search token pays to the template's tokens, each
weighted by how much of its cell the target's box covers, averaged over the heads. A model may set
the target apart by more of that attention than its surroundings pay, or by less.

A feature-extraction layer has no template: there the picture is of the attention that goes to the
search tokens where the target was found, weighted alike.
"""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from litetrack_ros.config import ModelConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.images import Uint8Image
from litetrack_ros.model.layers import Attention, Block
from litetrack_ros.model.litetrack import LiteTrack, cell_coverage


def check_layer(config: ModelConfig, layer: int) -> None:
    """Make sure that a model has a layer, counted from 1.

    Raises:
        ConfigError: it has no such layer.
    """
    if not 1 <= layer <= config.depth:
        raise ConfigError(
            f"there is no layer {layer}: '{config.name}' has the layers 1 to {config.depth}"
        )


@torch.inference_mode()
def target_attention(
    model: LiteTrack,
    template_crop: Uint8Image,
    template_box_xyxy_norm: npt.NDArray[np.float32],
    search_crop: Uint8Image,
    search_box_xyxy_norm: npt.NDArray[np.float32],
) -> dict[int, npt.NDArray[np.float32]]:
    """Attention of every search token to the target, in each layer.

    Args:
        model: the trained form, in eval mode.
        template_crop: RGB, ``(template_size, template_size, 3)``.
        template_box_xyxy_norm: the target in units of the crop's side, ``(4,)``.
        search_crop: RGB, ``(search_size, search_size, 3)``.
        search_box_xyxy_norm: where it was found, ``(4,)``; for feature-extraction layers.

    Returns:
        Layer number, from 1, to ``(G, G)`` float32 with G = search_size / 16: the share of a
        token's attention that goes to the target, in [0, 1].
    """
    config = model.config
    box = torch.from_numpy(np.asarray(template_box_xyxy_norm, dtype=np.float32))[None]
    weights = cell_coverage(box, config.template_grid).flatten().repeat(config.templates)
    found = torch.from_numpy(np.asarray(search_box_xyxy_norm, dtype=np.float32))[None]
    own = cell_coverage(found, config.search_grid).flatten()  # (N,)
    template = model.encode_template(_normalised(model, template_crop), box)
    maps: dict[int, npt.NDArray[np.float32]] = {}
    handles = []
    for layer in range(1, config.depth + 1):
        block = cast(Block, model.backbone.blocks[layer - 1])

        def record(attention: nn.Module, inputs: tuple[Any, ...], layer: int = layer) -> None:
            extracts = layer <= config.fe_layers
            shares = _shares(cast(Attention, attention), own if extracts else weights, *inputs)
            maps[layer] = shares.reshape(config.search_grid, config.search_grid).numpy()

        handles.append(block.attn.register_forward_pre_hook(record))
    try:
        model.encode_search(_normalised(model, search_crop), template)
    finally:
        for handle in handles:
            handle.remove()
    return maps


def _shares(
    attention: Attention, weights: Tensor, tokens: Tensor, context: Tensor | None = None
) -> Tensor:
    """Attention of the search tokens to the first tokens, weighted, ``(N,)``."""
    # The joint interaction has template and search tokens in one sequence, template in front; a
    # feature-extraction layer has the search tokens alone.
    together = tokens if context is None else torch.cat([context, tokens], dim=1)
    count = len(weights)
    keys, _ = attention.keys_values(together)
    alone = together.shape[1] == count
    queries = attention.queries(together if alone else together[:, count:])
    shares = (queries @ keys.transpose(-2, -1) * attention.scale).softmax(dim=-1)
    return (shares[0, :, :, :count] * weights).sum(dim=-1).mean(dim=0)


def _normalised(model: LiteTrack, crop: Uint8Image) -> Tensor:
    """An RGB crop as the stem takes it, ``(1, 3, S, S)``."""
    stem = model.backbone.patch_embed
    pixels = torch.from_numpy(np.ascontiguousarray(crop)).float()
    images = (pixels - torch.tensor(stem.pixel_mean)) / torch.tensor(stem.pixel_std)
    return images.permute(2, 0, 1)[None]
