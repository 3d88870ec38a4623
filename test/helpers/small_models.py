"""Networks small enough to run in milliseconds, with random weights."""

from __future__ import annotations

from typing import Any

import torch

from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.model.checkpoint import LoadedWeights
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.model.stem import EfficientNetLite0Stem

SMALL = {"embed_dim": 32, "num_heads": 2, "fe_layers": 1, "ai_layers": 2, "head_channels": 16}


def small_config(**changes: Any) -> ModelConfig:
    """A small variant; changes are fields of the configuration."""
    return ModelConfig(**{"name": "small", **SMALL, **changes})


def small_model(seed: int = 0, **changes: Any) -> LiteTrack:
    """A small model in which every weight, norm and statistic is random and matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LiteTrack(small_config(**changes)).eval()
        stem = model.backbone.patch_embed
        if isinstance(stem, EfficientNetLite0Stem):
            # PyTorch's own initialisation lets the signal die out over eleven blocks.
            torch.nn.init.kaiming_normal_(stem.first[0].weight)
            torch.nn.init.normal_(stem.proj.weight)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in model.named_buffers():
            if name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
            elif name.endswith("running_mean"):
                buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
    return model


def small_backend(tracker_config: TrackerConfig | None = None, **changes: Any) -> TorchBackend:
    """The torch backend on a small model."""
    config = tracker_config or TrackerConfig()
    return TorchBackend(LoadedWeights(small_model(**changes), config, "0" * 64, {}))
