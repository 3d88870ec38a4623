"""The pruned ViT encoder with asynchronous feature extraction (paper Sec. III-B, III-C)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from litetrack_ros.config import ModelConfig
from litetrack_ros.model.layers import Block
from litetrack_ros.model.stem import build_stem


class Encoder(nn.Module):
    """Stem, position embeddings and layers, shared by the template and the search branch.

    Args:
        config: the model's configuration.
        drop_path_rate: of the last layer; it rises linearly from 0 at the first.
    """

    def __init__(self, config: ModelConfig, drop_path_rate: float = 0.0) -> None:
        super().__init__()
        self.config = config
        dim = config.embed_dim
        self.patch_embed = build_stem(config)
        self.pos_embed_z = nn.Parameter(torch.zeros(1, config.template_grid**2, dim))
        self.pos_embed_x = nn.Parameter(torch.zeros(1, config.search_grid**2, dim))
        last = max(config.depth - 1, 1)
        self.blocks = nn.ModuleList(
            Block(config, drop_path_rate * index / last) for index in range(config.depth)
        )
        self.apply(_init_weights)
        for block in self.blocks:
            cast(Block, block).attn.init_as_similarity()
        for embedding in (self.pos_embed_z, self.pos_embed_x):
            nn.init.trunc_normal_(embedding, std=0.02)

    def template(self, tokens: Tensor, target_token: Tensor | None) -> Tensor:
        """Encode stem tokens of the template through all layers by self-attention (Eq. 1).

        Args:
            tokens: stem tokens with their cue, ``(B, M, C)``.
            target_token: ``(B, 1, C)``, put in front and dropped again at the end, or None.

        Returns:
            Template features ``(B, M, C)``; for the joint interaction only the embedded tokens,
            as there the layers need both inputs.
        """
        z = tokens + self.pos_embed_z
        if self.config.interaction == "joint":
            return z
        if target_token is not None:
            z = torch.cat([target_token, z], dim=1)
        for block in self.blocks:
            z = block(z)
        return z if target_token is None else z[:, 1:]

    def search(self, tokens: Tensor, template: Tensor) -> Tensor:
        """Encode stem tokens of the search region with the template's features (Eq. 2 and 3).

        Args:
            tokens: stem tokens, ``(B, N, C)``.
            template: what :meth:`template` returned, ``(B, M, C)``.

        Returns:
            Search features ``(B, N, C)``.
        """
        x = tokens + self.pos_embed_x
        if self.config.interaction == "joint":
            both = torch.cat([template, x], dim=1)
            for block in self.blocks:
                both = block(both)
            return both[:, template.shape[1] :]
        for index, block in enumerate(self.blocks):
            x = block(x) if index < self.config.fe_layers else block(x, template)
        return x


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
