"""The networks of a run: the trained one, and its pretrained stem where that is frozen."""

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from litetrack_ros.dependencies import require
from litetrack_ros.errors import ConfigError
from litetrack_ros.model.fused import FusedEfficientNetStem
from litetrack_ros.model.head import HeadMaps
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.model.stem import EfficientNetLite0Stem
from litetrack_ros.training.batches import PairBatch
from litetrack_ros.training.recipe import Recipe

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TrainedNetwork(nn.Module):
    """A LiteTrack with a single forward call, as data-parallel wrapping needs it.

    It takes images, or the features that a frozen stem made of them.

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

    def train(self, mode: bool = True) -> "TrainedNetwork":
        """As PyTorch's, but the stem's batch norm stays in evaluation."""
        super().train(mode)
        for part in self.fixed:
            part.eval()
        return self

    def forward(self, batch: PairBatch) -> HeadMaps:
        """Maps of a batch of images or features."""
        return self.model.predict(self.encoded(batch))

    def encoded(self, batch: PairBatch) -> Tensor:
        """The encoder's answer to a batch, ``(B, N, C)``: all but the head."""
        templates, searches = self._tokens(batch.templates), self._tokens(batch.searches)
        first = self.model.encode_template_tokens(templates, batch.template_boxes_xyxy_norm)
        recent = None
        if self.model.config.templates == 2 and batch.recents is not None:
            assert batch.recent_boxes_xyxy_norm is not None
            recent = self.model.encode_template_tokens(
                self._tokens(batch.recents), batch.recent_boxes_xyxy_norm
            )
        template = self.model.side_by_side(first, recent)
        features: Tensor = self.model.backbone.search(searches, template)
        return features

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


class FrozenStem:
    """The pretrained stem as a fixed feature extractor, run where the pairs are made.

    It has no projection; its features travel in half precision. onnxruntime runs it in less than
    half of PyTorch's time on a CPU, and in float32: bfloat16 would be as fast, but its features are
    7 % off.

    Args:
        stem: the stem to copy.

    Raises:
        MissingDependencyError: onnxruntime is not installed.
    """

    def __init__(self, stem: EfficientNetLite0Stem) -> None:
        require("onnxruntime")
        self._graph = _export(_Features(stem))
        self._session: Any = None
        self._process = 0

    def __call__(self, crops: Tensor) -> Tensor:
        """uint8 RGB ``(B, S, S, 3)`` to features ``(B, 192, S / 16, S / 16)`` float16."""
        if self._process != os.getpid():  # a session's threads do not outlive a fork
            self._session, self._process = _open_session(self._graph), os.getpid()
        (features,) = self._session.run(None, {"crops": crops.numpy()})
        return torch.from_numpy(features.astype(np.float16))


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


class _Features(nn.Module):
    def __init__(self, stem: EfficientNetLite0Stem) -> None:
        super().__init__()
        self.folded = FusedEfficientNetStem(stem).eval()

    def forward(self, crops: Tensor) -> Tensor:
        images = (crops.float() - self.folded.mean).permute(0, 3, 1, 2)
        features: Tensor = self.folded.stem.features(images)
        return features


def _export(features: _Features) -> bytes:
    axes = {"crops": {0: "batch", 1: "height", 2: "width"}}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        graph = Path(folder) / "stem.onnx"
        warnings.simplefilter("ignore")  # of the tracer, about shapes that do not vary here
        torch.onnx.export(
            features,
            (torch.zeros(1, 64, 64, 3, dtype=torch.uint8),),
            str(graph),
            input_names=["crops"],
            output_names=["features"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        return graph.read_bytes()


def _open_session(graph: bytes) -> Any:
    onnxruntime = require("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
