"""LiteTrack in the form that runs on a robot: everything foldable folded, the template cached.

The numbers are those of :class:`litetrack_ros.model.litetrack.LiteTrack`. What differs:

- crops come in as uint8; the normalisation is folded into the stem,
- attention scale, layer scale and batch norm are folded into the neighbouring weights,
- the template is kept as the keys and values of each interaction layer, so that a frame costs no
  template arithmetic at all (the paper keeps the last layer's features),
- the head's three first convolutions are one,
- window, argmax and decode are part of the graph: six numbers a target and its score map come back.
"""

import copy
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from litetrack_ros.config import ModelConfig
from litetrack_ros.model.head import (
    BRANCHES,
    CenterHead,
    HeadMaps,
    averaged_boxes,
    boxes_at,
    cells_around,
    clamped_sigmoid,
)
from litetrack_ros.model.layers import Block
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.model.stem import EfficientNetLite0Stem, PatchEmbed, SameConv2d


class TemplateCache(NamedTuple):
    """What a frame needs of its templates; the leading axis is the target.

    Attributes:
        keys: ``(B, ai_layers, heads, M, C / heads)``; of two templates M tokens of the first, then
            M of the recent one; for the joint interaction, where nothing can
            be precomputed, the embedded template tokens as ``(B, 1, 1, M, C)``.
        values: as ``keys``; for the joint interaction ``(B, 0, 1, M, C)``.
    """

    keys: Tensor
    values: Tensor

    def with_recent(self, recent: "TemplateCache") -> "TemplateCache":
        """The same first templates beside those of another cache as the recent ones."""
        tokens = self.keys.shape[3] // 2
        return TemplateCache(
            torch.cat([self.keys[..., :tokens, :], recent.keys[..., tokens:, :]], dim=3),
            torch.cat([self.values[..., :tokens, :], recent.values[..., tokens:, :]], dim=3),
        )


class FusedLayer(nn.Module):
    """One encoder layer with attention scale and layer scale folded into its weights."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        attention = block.attn
        self.num_heads = attention.num_heads
        self.norm1, self.norm2 = copy.deepcopy(block.norm1), copy.deepcopy(block.norm2)
        dim = block.gamma_1.shape[0]
        scale = torch.ones(3 * dim)
        scale[:dim] = attention.scale
        bias = torch.cat([attention.q_bias, torch.zeros(dim), attention.v_bias])
        self.qkv = _linear(attention.qkv.weight * scale[:, None], bias * scale)
        self.proj = _scaled_rows(attention.proj, block.gamma_1)
        self.fc1 = copy.deepcopy(block.mlp.fc1)
        self.fc2 = _scaled_rows(block.mlp.fc2, block.gamma_2)

    def keys_values(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values ``(B, heads, M, C / heads)`` of finished template features."""
        dim = z.shape[-1]
        kv = F.linear(self.norm1(z), self.qkv.weight[dim:], self.qkv.bias[dim:])
        keys, values = self._split(kv, 2)
        return keys, values

    def forward(self, x: Tensor, context: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Update tokens ``(B, N, C)``, attending to a template's keys and values in front."""
        queries, keys, values = self._split(self.qkv(self.norm1(x)), 3)
        if context is not None:
            keys = torch.cat([context[0], keys], dim=2)
            values = torch.cat([context[1], values], dim=2)
        mixed = F.scaled_dot_product_attention(queries, keys, values, scale=1.0)
        x = x + self.proj(mixed.transpose(1, 2).flatten(2))
        hidden: Tensor = F.gelu(self.fc1(self.norm2(x)))
        return x + self.fc2(hidden)

    def _split(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        # (B, N, parts * C) -> parts tensors of (B, heads, N, C / heads)
        return x.unflatten(-1, (parts, self.num_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


class FusedPatchStem(nn.Module):
    """The 16x16 patch embedding as one matrix product over uint8 patches."""

    def __init__(self, stem: PatchEmbed) -> None:
        super().__init__()
        weight = stem.proj.weight / torch.tensor(stem.pixel_std)[None, :, None, None]
        self.proj = _linear(weight.permute(0, 2, 3, 1).flatten(1), stem.proj.bias)
        # The mean is subtracted rather than folded into the bias: in low precision the large
        # products of raw pixels would cancel badly.
        self.register_buffer("mean", torch.tensor(stem.pixel_mean).repeat(16 * 16))
        self.mean: Tensor

    def forward(self, crops: Tensor) -> Tensor:
        """uint8 RGB ``(B, S, S, 3)`` to tokens ``(B, (S / 16)**2, C)``."""
        grid = crops.shape[1] // 16
        patches = crops.reshape(-1, grid, 16, grid, 16 * 3).transpose(2, 3)
        pixels = patches.reshape(-1, grid * grid, 16 * 16 * 3).to(self.mean.dtype)
        tokens: Tensor = self.proj(pixels - self.mean)
        return tokens


class FusedEfficientNetStem(nn.Module):
    """EfficientNet-Lite0 with batch norm and normalisation folded."""

    def __init__(self, stem: EfficientNetLite0Stem) -> None:
        super().__init__()
        self.stem = copy.deepcopy(stem)
        for sequence in [m for m in self.stem.modules() if isinstance(m, nn.Sequential)]:
            if isinstance(sequence[0], SameConv2d) and isinstance(sequence[1], nn.BatchNorm2d):
                sequence[0] = fuse_conv_bn_eval(sequence[0].eval(), sequence[1].eval())
                sequence[1] = nn.Identity()
        first = self.stem.first[0]
        assert isinstance(first, SameConv2d)
        # Subtracting the mean keeps zero padding equal to the training form's.
        std = torch.tensor(stem.pixel_std)
        first.weight = nn.Parameter(first.weight / std[None, :, None, None])
        self.register_buffer("mean", torch.tensor(stem.pixel_mean))
        self.mean: Tensor

    def forward(self, crops: Tensor) -> Tensor:
        """uint8 RGB ``(B, S, S, 3)`` to tokens ``(B, (S / 16)**2, C)``."""
        images = (crops.to(self.mean.dtype) - self.mean).permute(0, 3, 1, 2)
        tokens: Tensor = self.stem(images)
        return tokens


class FusedHead(nn.Module):
    """The centre head without batch norm, its three first convolutions in one."""

    def __init__(self, head: CenterHead) -> None:
        super().__init__()
        fused = {b: [_fold_batch_norm(m) for m in head.branch_layers(b)] for b in BRANCHES}
        firsts = [fused[branch][0] for branch in BRANCHES]
        self.first = nn.Conv2d(firsts[0].in_channels, 3 * firsts[0].out_channels, 3, padding=1)
        self.first.weight = nn.Parameter(torch.cat([conv.weight for conv in firsts]))
        self.first.bias = nn.Parameter(torch.cat([_bias(conv) for conv in firsts]))
        self.branches = nn.ModuleDict({b: nn.ModuleList(fused[b][1:]) for b in BRANCHES})

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features ``(B, C, G, G)`` to float32 score logits, size logits and offsets."""
        parts = F.relu(self.first(features)).chunk(3, dim=1)
        maps = {}
        for (branch, layers), x in zip(self.branches.items(), parts, strict=True):
            assert isinstance(layers, nn.ModuleList)
            for layer in layers[:-1]:
                x = F.relu(layer(x))
            maps[branch] = layers[-1](x).float()
        return maps["ctr"], maps["size"], maps["offset"]


class FusedLiteTrack(nn.Module):
    """The inference form, built from a trained model; its precision is that of its weights.

    Args:
        model: the trained form; it is not changed.
        precision: ``float32``, ``float16`` or ``bfloat16``. Window, sigmoid, argmax and decode are
            float32 in each.
    """

    def __init__(self, model: LiteTrack, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        with torch.no_grad():
            self._build(copy.deepcopy(model).cpu().float().eval())
        self.requires_grad_(False)
        self.to(precision).eval()
        window = hann_window(self.config.search_grid).pow(self.config.window_power)
        self.register_buffer("window", window.reshape(1, -1))
        self.window: Tensor

    def _build(self, model: LiteTrack) -> None:
        self.config: ModelConfig = model.config
        backbone = model.backbone
        stem = backbone.patch_embed
        self.stem = (
            FusedPatchStem(stem) if isinstance(stem, PatchEmbed) else FusedEfficientNetStem(stem)
        )
        self.target_cue = model.target_cue
        self.recent_embed = model.recent_embed if model.config.templates == 2 else None
        self.layers = nn.ModuleList(FusedLayer(cast(Block, block)) for block in backbone.blocks)
        self.head = FusedHead(model.box_head)
        self.pos_embed_z = nn.Parameter(backbone.pos_embed_z)
        self.pos_embed_x = nn.Parameter(backbone.pos_embed_x)

    @property
    def interaction_layers(self) -> list[FusedLayer]:
        """The asynchronous-interaction layers, in order."""
        return [cast(FusedLayer, layer) for layer in self.layers[self.config.fe_layers :]]

    def encode_template(self, crops: Tensor, boxes_xyxy_norm: Tensor) -> TemplateCache:
        """Compute what :meth:`search` needs of each target, once.

        Args:
            crops: uint8 RGB, ``(B, template_size, template_size, 3)``.
            boxes_xyxy_norm: float32, the target in units of the crop's side, ``(B, 4)``.

        Returns:
            The cache of targets that have no other template; of two templates this one stands in
            both places, and :meth:`TemplateCache.with_recent` puts a recent one into the second.
        """
        z = self.template_features(crops, boxes_xyxy_norm)
        if self.recent_embed is not None:
            z = torch.cat([z, z + self.recent_embed], dim=1)
        if self.config.interaction == "joint":
            keys = z[:, None, None]
            return TemplateCache(keys, keys[:, :0])
        pairs = [layer.keys_values(z) for layer in self.interaction_layers]
        keys = torch.stack([pair[0] for pair in pairs], dim=1)
        return TemplateCache(keys, torch.stack([pair[1] for pair in pairs], dim=1))

    def template_features(self, crops: Tensor, boxes_xyxy_norm: Tensor) -> Tensor:
        """The paper's cached template: last-layer features ``(B, M, C)``."""
        z = self.stem(crops) + self.pos_embed_z
        token = None
        if self.target_cue is not None:
            grid = self.config.template_grid
            token, added = self.target_cue.cue(boxes_xyxy_norm.to(z.dtype), grid)
            z = z if added is None else z + added
        if self.config.interaction == "joint":
            return z
        if token is not None:
            z = torch.cat([token, z], dim=1)
        for layer in self.layers:
            z = layer(z)
        return z if token is None else z[:, 1:]

    def search_features(self, crops: Tensor, template: TemplateCache) -> Tensor:
        """Search features ``(B, C, G, G)`` of uint8 RGB ``(B, search_size, search_size, 3)``."""
        x = self.stem(crops) + self.pos_embed_x
        grid = self.config.search_grid
        if self.config.interaction == "joint":
            x = torch.cat([template.keys[:, 0, 0], x], dim=1)
            for layer in self.layers:
                x = layer(x)
            x = x[:, -grid * grid :]
        else:
            fe = self.config.fe_layers
            for layer in self.layers[:fe]:
                x = layer(x)
            for index, layer in enumerate(self.interaction_layers):
                x = layer(x, (template.keys[:, index], template.values[:, index]))
        return x.transpose(1, 2).unflatten(2, (grid, grid))

    def maps(self, crops: Tensor, template: TemplateCache) -> HeadMaps:
        """The head's maps, float32, as the trained form gives them."""
        score, size, offset = self.head(self.search_features(crops, template))
        return HeadMaps(clamped_sigmoid(score), clamped_sigmoid(size), offset)

    def forward(self, crops: Tensor, template: TemplateCache) -> tuple[Tensor, Tensor]:
        """One search step.

        Args:
            crops: uint8 RGB, ``(B, search_size, search_size, 3)``.
            template: one per crop.

        Returns:
            float32 ``(B, 6)``: centre x and y, width and height in units of the crop's side of the
            box at the response's peak, or around it (:func:`averaged_boxes`), raw score and
            response (window times score) at the peak; and the raw scores of all cells, float32
            ``(B, G * G)``.
        """
        score_logits, *maps = self.head(self.search_features(crops, template))
        score = clamped_sigmoid(score_logits)
        scores = score.flatten(1)  # (B, G * G)
        response, peak = (scores * self.window).max(dim=1, keepdim=True)
        boxes = self.boxes(HeadMaps(score, *maps), peak, logits=True)
        return torch.cat([boxes, scores.gather(1, peak), response], dim=1), scores

    def boxes(self, maps: HeadMaps, peaks: Tensor, logits: bool = False) -> Tensor:
        """What a map's peaks stand for.

        Args:
            maps: the head's answer.
            peaks: flat indices, ``(B, 1)``.
            logits: the map of sizes is that before its sigmoid, which only few cells then need.

        Returns:
            ``(B, 4)``, centre and size as in the result of :meth:`forward`.
        """
        average = self.config.average_boxes
        cells, inside = cells_around(peaks, self.config.search_grid) if average else (peaks, peaks)
        boxes = boxes_at(maps, cells)
        if logits:
            boxes = torch.cat([boxes[..., :2], clamped_sigmoid(boxes[..., 2:])], dim=-1)
        if not average:
            return boxes[:, 0]
        return averaged_boxes(boxes, maps.score.flatten(1).gather(1, cells), inside)


def hann_window(grid: int) -> Tensor:
    """The window over a score map, ``(grid, grid)`` float32: 0.5 (1 - cos(2 pi k / (grid + 1)))."""
    k = torch.arange(1, grid + 1, dtype=torch.float32)
    row = 0.5 * (1 - torch.cos((2 * torch.pi / (grid + 1)) * k))
    return row[:, None] * row[None, :]


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.contiguous())
    layer.bias = None if bias is None else nn.Parameter(bias)  # type: ignore[assignment]
    return layer


def _scaled_rows(linear: nn.Linear, scale: Tensor) -> nn.Linear:
    return _linear(linear.weight * scale[:, None], linear.bias * scale)


def _fold_batch_norm(layer: nn.Module) -> nn.Conv2d:
    if isinstance(layer, nn.Sequential):
        conv, norm = layer[0], layer[1]
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        return fuse_conv_bn_eval(conv, norm)
    assert isinstance(layer, nn.Conv2d)
    return copy.deepcopy(layer)


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias
