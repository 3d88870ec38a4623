"""The LiteTrack network in the form that is trained and saved.

For inference this form is folded into :class:`litetrack_ros.model.fused.FusedLiteTrack`, which
computes the same numbers with less work.
"""

from __future__ import annotations

from torch import Tensor, nn

from litetrack_ros.config import ModelConfig
from litetrack_ros.model.cue import InsideCue, TokenCue
from litetrack_ros.model.encoder import Encoder
from litetrack_ros.model.head import CenterHead, HeadMaps


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
            ``(B, M, C)`` with M = (template_size / 16)**2.
        """
        return self.encode_template_tokens(self.backbone.patch_embed(templates), boxes_xyxy_norm)

    def encode_template_tokens(self, tokens: Tensor, boxes_xyxy_norm: Tensor) -> Tensor:
        """As :meth:`encode_template`, from stem tokens ``(B, M, C)``."""
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
