"""The model as the loop trains it: from images or from frozen features, in one forward call."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from litetrack_ros.errors import ConfigError
from litetrack_ros.model.head import HeadMaps
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.model.stem import EfficientNetLite0Stem
from litetrack_ros.training.batches import PairBatch
from litetrack_ros.training.frozen_stem import FrozenStem
from litetrack_ros.training.recipe import Recipe

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TrainedNetwork(nn.Module):
    """A LiteTrack with a single forward call, as data-parallel wrapping needs it.

    Args:
        model: the model to train.
        freeze_stem: keep a pretrained stem as it is, its projection apart.
    """

    def __init__(self, model: LiteTrack, freeze_stem: bool) -> None:
        super().__init__()
        self.model = model
        stem = model.backbone.patch_embed
        self.fixed = (
            [stem.first, stem.blocks] if isinstance(stem, EfficientNetLite0Stem) else []
        )  # a list, so that it is not registered twice
        if freeze_stem:
            if not self.fixed:
                raise ConfigError(
                    f"the model '{model.config.name}' has no pretrained stem to freeze; "
                    "set 'stem: trained' in the recipe"
                )
            for part in self.fixed:
                part.requires_grad_(False)

    def train(self, mode: bool = True) -> TrainedNetwork:
        """As PyTorch's, but the stem's batch norm stays in evaluation."""
        super().train(mode)
        for part in self.fixed:
            part.eval()
        return self

    def forward(self, batch: PairBatch) -> HeadMaps:
        """Maps of a batch of images or features."""
        templates, searches = self._tokens(batch.templates), self._tokens(batch.searches)
        template = self.model.encode_template_tokens(templates, batch.template_boxes_xyxy_norm)
        return self.model.predict(self.model.backbone.search(searches, template))

    def _tokens(self, images_or_features: Tensor) -> Tensor:
        stem = self.model.backbone.patch_embed
        if images_or_features.dtype != torch.uint8:
            assert isinstance(stem, EfficientNetLite0Stem)
            return stem.project(images_or_features.float())
        dtype = self.model.backbone.pos_embed_x.dtype  # of the weights, also under autocast
        mean = images_or_features.new_tensor(stem.pixel_mean, dtype=dtype)
        std = images_or_features.new_tensor(stem.pixel_std, dtype=dtype)
        images = ((images_or_features - mean) / std).permute(0, 3, 1, 2)
        tokens: Tensor = stem(images)
        return tokens


def frozen_features(model: LiteTrack, recipe: Recipe, device: torch.device) -> FrozenStem | None:
    """The feature extractor to run in the loader: only for a frozen stem on a CPU.

    On a GPU the stem runs there, from the images.
    """
    stem = model.backbone.patch_embed
    if recipe.stem != "frozen" or device.type != "cpu":
        return None
    assert isinstance(stem, EfficientNetLite0Stem)
    return FrozenStem(stem)


def parameter_groups(network: TrainedNetwork, recipe: Recipe) -> list[dict[str, object]]:
    """AdamW's parameter groups: which weights decay, and the rates of stem, encoder and head.

    Each group has ``rate``, the factor on the learning rate.
    """
    stem = {id(p) for part in network.fixed for p in part.parameters()}
    # Sorted keys, as the optimizer's saved state goes by the order.
    groups: dict[tuple[bool, bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        slow = recipe.encoder_rate != 1.0 and name.startswith("model.backbone.")
        matrix = parameter.ndim > 1 and "pos_embed" not in name
        free = not matrix and recipe.decayed == "matrices"
        groups.setdefault((id(parameter) in stem, slow, free), []).append(parameter)
    return [
        {
            "params": groups[in_stem, slow, free],
            "weight_decay": 0.0 if free else recipe.weight_decay,
            "rate": (recipe.stem_rate if in_stem else 1.0) * (recipe.encoder_rate if slow else 1.0),
        }
        for in_stem, slow, free in sorted(groups)
    ]
