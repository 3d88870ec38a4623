"""The LiteTrack network in the form that is trained and saved: target cue, encoder, centre head.

For inference this form is folded into :class:`litetrack_ros.model.fused.FusedLiteTrack`, which
computes the same numbers with less work.
"""

from typing import cast

import torch
from torch import Tensor, nn

from litetrack_ros.config import ModelConfig
from litetrack_ros.model.head import CenterHead, HeadMaps
from litetrack_ros.model.layers import Block, Mlp
from litetrack_ros.model.stem import build_stem

_RECENT_SPREAD = 0.02  # of the embedding that tells the recent template from the first, at first


class TokenCue(Mlp):
    """The authors' target token: an MLP 4-4-C of the box.

    A cue tells the template branch where the target is: it turns the target's box into a token to
    put in front of the template's tokens, or into an embedding to add to them.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__(4, 4, embed_dim)

    def cue(self, boxes_xyxy_norm: Tensor, grid: int) -> tuple[Tensor | None, Tensor | None]:
        """Boxes ``(B, 4)`` in units of the crop's side to a token ``(B, 1, C)`` and None."""
        return self(boxes_xyxy_norm).unsqueeze(1), None


class InsideCue(nn.Module):
    """A learned embedding on every template token, times how much of its cell the box covers."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        # From zero it would have to be found first that the target is marked at all.
        self.weight = nn.Parameter(torch.randn(embed_dim))

    def cue(self, boxes_xyxy_norm: Tensor, grid: int) -> tuple[Tensor | None, Tensor | None]:
        """Boxes ``(B, 4)`` in units of the crop's side to None and ``(B, grid * grid, C)``."""
        return None, cell_coverage(boxes_xyxy_norm, grid).flatten(1).unsqueeze(-1) * self.weight


class Encoder(nn.Module):
    """The pruned ViT with asynchronous feature extraction (paper Sec. III-B, III-C).

    Stem, position embeddings and layers are shared by the template and the search branch.

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
            template: what :meth:`template` returned, ``(B, M, C)``; of two templates, both.

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


class LiteTrack(nn.Module):
    """Encoder, target cue and centre head (paper Fig. 4).

    The state dict's keys are those of the authors' checkpoints, less the two tensors that their
    forward pass never reads.

    Args:
        config: the variant to build.
        drop_path_rate: stochastic depth of the last layer, for training.
    """

    def __init__(self, config: ModelConfig, drop_path_rate: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.backbone = Encoder(config, drop_path_rate)
        self.box_head = CenterHead(config.embed_dim, config.head_channels)
        if config.target_cue == "token":
            self.target_token_embed = TokenCue(config.embed_dim)
        elif config.target_cue == "inside":
            self.target_inside_embed = InsideCue(config.embed_dim)
        if config.templates == 2:
            self.recent_embed = nn.Parameter(_RECENT_SPREAD * torch.randn(config.embed_dim))

    @property
    def target_cue(self) -> TokenCue | InsideCue | None:
        """What tells the template branch where the target is."""
        if self.config.target_cue == "token":
            return self.target_token_embed
        return self.target_inside_embed if self.config.target_cue == "inside" else None

    def encode_template(self, templates: Tensor, boxes_xyxy_norm: Tensor) -> Tensor:
        """Template features, computed once per target.

        Args:
            templates: normalised RGB, ``(B, 3, template_size, template_size)``.
            boxes_xyxy_norm: the target's box in each, in units of the crop's side, ``(B, 4)``.

        Returns:
            ``(B, templates * M, C)`` with M = (template_size / 16)**2.
        """
        tokens = self.backbone.patch_embed(templates)
        return self.side_by_side(self.encode_template_tokens(tokens, boxes_xyxy_norm))

    def side_by_side(self, first: Tensor, recent: Tensor | None = None) -> Tensor:
        """What the search tokens see: the first template and, for two templates, a recent one.

        A learned embedding tells the recent one apart. Without one the first stands in its place
        too, so that targets with and without one have the same shapes.

        Args:
            first: features of :meth:`encode_template_tokens`, ``(B, M, C)``.
            recent: the same of the recent template, or None.

        Returns:
            ``(B, templates * M, C)``.
        """
        if self.config.templates == 1:
            return first
        recent = first if recent is None else recent
        return torch.cat([first, recent + self.recent_embed], dim=1)

    def encode_template_tokens(self, tokens: Tensor, boxes_xyxy_norm: Tensor) -> Tensor:
        """Features ``(B, M, C)`` of one template each, from stem tokens ``(B, M, C)``."""
        token, added = None, None
        if self.target_cue is not None:
            token, added = self.target_cue.cue(boxes_xyxy_norm, self.config.template_grid)
        return self.backbone.template(tokens if added is None else tokens + added, token)

    def encode_search(self, searches: Tensor, template: Tensor) -> Tensor:
        """Search features ``(B, N, C)`` of normalised RGB ``(B, 3, search_size, search_size)``."""
        return self.backbone.search(self.backbone.patch_embed(searches), template)

    def predict(self, features: Tensor) -> HeadMaps:
        """Maps of search features ``(B, N, C)``."""
        grid = self.config.search_grid
        # Contiguous, as the authors have it: the convolutions then sum in the same order, and the
        # gradients' entries agree twice as well.
        image = features.transpose(1, 2).contiguous().unflatten(2, (grid, grid))
        maps: HeadMaps = self.box_head(image)
        return maps

    def forward(self, templates: Tensor, boxes_xyxy_norm: Tensor, searches: Tensor) -> HeadMaps:
        """Maps of a batch of pairs; shapes as in the methods above."""
        template = self.encode_template(templates, boxes_xyxy_norm)
        return self.predict(self.encode_search(searches, template))


def cell_coverage(boxes_xyxy_norm: Tensor, grid: int) -> Tensor:
    """How much of every cell of a grid a box covers.

    Args:
        boxes_xyxy_norm: ``(B, 4)``, in units of the grid's side.
        grid: cells along a side.

    Returns:
        ``(B, grid, grid)``, rows first, in [0, 1].
    """
    start = torch.arange(grid, device=boxes_xyxy_norm.device, dtype=boxes_xyxy_norm.dtype)
    low, high = boxes_xyxy_norm[:, :2, None] * grid, boxes_xyxy_norm[:, 2:, None] * grid
    covered = (torch.minimum(high, start + 1) - torch.maximum(low, start)).clamp(0, 1)  # (B, 2, G)
    return covered[:, 1, :, None] * covered[:, 0, None, :]


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
