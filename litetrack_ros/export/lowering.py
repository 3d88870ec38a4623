"""The fused model's modules as ONNX operators, one method a module.

Encoder layers work on all targets' tokens as one matrix ``(B * N, C)``, so that every linear layer
is one Gemm with its bias; attention alone sees ``(B, heads, N, C / heads)``.
"""

from typing import Literal, cast

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from litetrack_ros.config import ModelConfig
from litetrack_ros.export.graph import GraphBuilder
from litetrack_ros.model.fused import (
    FusedEfficientNetStem,
    FusedLayer,
    FusedLiteTrack,
    FusedPatchStem,
)
from litetrack_ros.model.layers import Mlp
from litetrack_ros.model.litetrack import InsideCue, TokenCue
from litetrack_ros.model.stem import EfficientNetLite0Stem, SameConv2d

FloatType = Literal["float32", "float16"]


class Lowering:
    """Writes parts of a model into a graph.

    Args:
        graph: takes the nodes.
        model: the fused model, float32.
        dtype: of weights and activations. LayerNormalization, softmax and decode are float32 in
            each.
    """

    def __init__(self, graph: GraphBuilder, model: FusedLiteTrack, dtype: FloatType) -> None:
        self.graph = graph
        self.model = model
        self.config: ModelConfig = model.config
        self.dtype = np.dtype(dtype)

    def tokens(self, crops: str, size_px: int, pos_embed: Tensor) -> str:
        """uint8 RGB ``(B, S, S, 3)`` to tokens with position, ``(B * N, C)``."""
        g, stem = self.graph, self.model.stem
        if isinstance(stem, FusedPatchStem):
            tokens = self._patch_stem(stem, crops, size_px)
        else:
            tokens = self._efficientnet_stem(stem, crops, size_px)
        return self._flat(g.node("Add", tokens, self.weight(pos_embed, "pos_embed")))

    def template_cue(self, z: str, boxes: str) -> str:
        """Mark the target in template tokens ``(B * M, C)``; a token cue makes them M + 1."""
        g, cue = self.graph, self.model.target_cue
        count, dim = self.template_tokens, self.config.embed_dim
        if isinstance(cue, TokenCue):
            token = self._mlp(cue, self.lowered(boxes))
            rows = [g.reshape(token, -1, 1, dim), g.reshape(z, -1, count, dim)]
            return self._flat(g.concat(rows, axis=1))
        if isinstance(cue, InsideCue):
            coverage = self.lowered(g.reshape(self._cell_coverage(boxes), -1, 1))
            return g.node("Add", z, g.node("Mul", coverage, self.weight(cue.weight, "cue")))
        return z

    @property
    def template_tokens(self) -> int:
        """Tokens of one template, without the cue's."""
        return self.config.template_grid**2

    @property
    def template_tokens_with_cue(self) -> int:
        """Tokens of a template in the encoder."""
        return self.template_tokens + isinstance(self.model.target_cue, TokenCue)

    def without_token(self, z: str) -> str:
        """Drop the token of the cue from the template's, if it made one; ``(B * M, C)``."""
        count = self.template_tokens_with_cue
        if count == self.template_tokens:
            return z
        g = self.graph
        first, last, axis = (g.constant(np.array([v], dtype=np.int64)) for v in (1, count, 1))
        tokens = g.reshape(z, -1, count, self.config.embed_dim)
        return self._flat(g.node("Slice", tokens, first, last, axis))

    def in_both_places(self, z: str) -> str:
        """For two templates, one's features in the first place and the recent one's; else as is."""
        embedding = self.model.recent_embed
        if embedding is None:
            return z
        g, count, dim = self.graph, self.template_tokens, self.config.embed_dim
        recent = g.node("Add", z, self.weight(embedding, "recent"))
        rows = [g.reshape(tokens, -1, count, dim) for tokens in (z, recent)]
        return self._flat(g.concat(rows, axis=1))

    def per_layer(self, cached: str) -> list[str]:
        """Cached keys or values ``(B, layers, heads, M, D)`` as one ``(B, heads, M, D)`` each."""
        g, config = self.graph, self.config
        if config.ai_layers == 1:
            parts = [cached]
        else:
            sizes = g.constant(np.ones(config.ai_layers, dtype=np.int64))
            parts = g.split_node("Split", config.ai_layers, cached, sizes, axis=1)
        dim = config.embed_dim // config.num_heads
        return [g.reshape(p, -1, config.num_heads, config.template_tokens, dim) for p in parts]

    def joint(self, x: str, z: str) -> str:
        """All layers over template and search tokens together; the search tokens after it."""
        g, dim = self.graph, self.config.embed_dim
        count = self.config.search_grid**2
        both = self.template_tokens + count
        rows = [g.reshape(z, -1, self.template_tokens, dim), g.reshape(x, -1, count, dim)]
        x = self._flat(g.concat(rows, axis=1))
        for layer in self.model.layers:
            x = self.layer(cast(FusedLayer, layer), x, both)
        first, last, axis = (
            g.constant(np.array([v], dtype=np.int64)) for v in (both - count, both, 1)
        )
        return self._flat(g.node("Slice", g.reshape(x, -1, both, dim), first, last, axis))

    def layer(
        self, layer: FusedLayer, x: str, count: int, context: tuple[str, str] | None = None
    ) -> str:
        """One encoder layer over tokens ``(B * count, C)``; context as :meth:`keys_values`."""
        g = self.graph
        normed = self._norm(layer.norm1, x)
        queries, keys, values = (self._heads(layer, normed, part, count) for part in range(3))
        if context is not None:
            keys = g.concat([context[0], keys], axis=2)
            values = g.concat([context[1], values], axis=2)
        scores = g.node("MatMul", queries, g.transpose(keys, 0, 1, 3, 2))
        weights = self.lowered(g.node("Softmax", self.raised(scores), axis=-1))
        mixed = g.transpose(g.node("MatMul", weights, values), 0, 2, 1, 3)
        x = g.node("Add", x, self._linear(layer.proj, self._flat(mixed)))
        extra = self._extra_hidden(layer.fc1.out_features)
        fc1, fc1_bias = (
            F.pad(p, (0, 0) * (p.dim() - 1) + (0, extra)) for p in layer.fc1.parameters()
        )
        hidden = self._gelu(self._gemm(fc1, fc1_bias, self._norm(layer.norm2, x)))
        fc2 = F.pad(layer.fc2.weight, (0, extra))
        return g.node("Add", x, self._gemm(fc2, layer.fc2.bias, hidden))

    def keys_values(self, layer: FusedLayer, z: str, count: int) -> tuple[str, str]:
        """A template's keys and values ``(B, heads, count, C / heads)`` for one layer."""
        normed = self._norm(layer.norm1, z)
        return self._heads(layer, normed, 1, count), self._heads(layer, normed, 2, count)

    def weight(self, tensor: Tensor, name: str) -> str:
        """A weight as a constant of the graph's precision."""
        return self.graph.constant(tensor.detach().numpy().astype(self.dtype), name)

    def _patch_stem(self, stem: FusedPatchStem, crops: str, size_px: int) -> str:
        g, grid = self.graph, size_px // 16
        patches = g.transpose(g.reshape(crops, -1, grid, 16, grid, 48), 0, 1, 3, 2, 4)
        pixels = g.cast(g.reshape(patches, -1, 16 * 16 * 3), self.dtype)  # (B * N, 768)
        # 128 rather than the mean: the difference is exact in every precision.
        centered = g.node("Sub", pixels, g.constant(np.array(128, dtype=self.dtype)))
        bias = stem.proj.bias + stem.proj.weight @ (128.0 - stem.mean)
        tokens = self._gemm(stem.proj.weight, bias, centered)
        return g.reshape(tokens, -1, grid * grid, self.config.embed_dim)

    def _efficientnet_stem(self, stem: FusedEfficientNetStem, crops: str, size_px: int) -> str:
        g, net = self.graph, stem.stem
        # Subtracted before the convolution, whose zero padding must stay the mean colour, and row
        # by row, because broadcasting along an axis of three is slow.
        rows = g.cast(g.reshape(crops, 0, size_px, size_px * 3), self.dtype)
        mean = np.tile(stem.mean.numpy().astype(self.dtype), size_px)
        centered = g.node("Sub", rows, g.constant(mean, "mean"))
        image = g.transpose(g.reshape(centered, 0, size_px, size_px, 3), 0, 3, 1, 2)
        value = self._conv_relu6(net.first, image)
        taps = []
        for index, block in enumerate(net.blocks):
            y = value
            if not isinstance(block.expand, nn.Identity):
                y = self._conv_relu6(cast(nn.Sequential, block.expand), y)
            y = self._conv_relu6(cast(nn.Sequential, block.depthwise), y)
            y = self._same_conv(cast(SameConv2d, cast(nn.Sequential, block.project)[0]), y)
            value = g.node("Add", value, y) if block.residual else y
            if index in EfficientNetLite0Stem.TAPS:
                taps.append(value)
        tokens = self.conv(net.proj.weight, net.proj.bias, g.concat(taps, axis=1))
        grid = size_px // 16
        tokens = g.reshape(tokens, 0, self.config.embed_dim, grid * grid)
        return g.transpose(tokens, 0, 2, 1)

    def conv(
        self,
        weight: Tensor,
        bias: Tensor | None,
        value: str,
        pad: int = 0,
        pad_after: int | None = None,
        stride: int = 1,
        groups: int = 1,
    ) -> str:
        """A convolution; ``pad_after`` is the padding on the right and below, if it differs."""
        inputs = [self.weight(weight, "conv_weight")]
        if bias is not None:
            inputs.append(self.weight(bias, "conv_bias"))
        after = pad if pad_after is None else pad_after
        return self.graph.node(
            "Conv",
            value,
            *inputs,
            kernel_shape=list(weight.shape[2:]),
            strides=[stride, stride],
            pads=[pad, pad, after, after],
            group=groups,
        )

    def _same_conv(self, conv: SameConv2d, value: str) -> str:
        total = conv.kernel_size[0] - conv.stride[0]
        return self.conv(
            conv.weight,
            conv.bias,
            value,
            pad=total // 2,
            pad_after=total - total // 2,
            stride=conv.stride[0],
            groups=conv.groups,
        )

    def _conv_relu6(self, sequence: nn.Sequential, value: str) -> str:
        limits = [self.graph.constant(np.array(v, dtype=self.dtype)) for v in (0, 6)]
        conv = self._same_conv(cast(SameConv2d, sequence[0]), value)
        return self.graph.node("Clip", conv, *limits)

    def _extra_hidden(self, width: int) -> int:
        """Idle hidden channels that keep rows of a CPU's pages apart in its cache.

        Rows whose distance is a multiple of 4096 bytes share the same few places in a first-level
        cache; 16 more channels make the second product of B4's MLP a tenth faster.
        """
        return 16 if self.dtype == np.float32 and width * 4 % 4096 == 0 else 0

    def _heads(self, layer: FusedLayer, normed: str, part: int, count: int) -> str:
        """Queries, keys or values (part 0, 1, 2), ``(B, heads, count, C / heads)``."""
        dim, heads = self.config.embed_dim, layer.num_heads
        rows = slice(part * dim, (part + 1) * dim)
        x = self._gemm(layer.qkv.weight[rows], layer.qkv.bias[rows], normed)
        split = self.graph.reshape(x, -1, count, heads, dim // heads)
        return self.graph.transpose(split, 0, 2, 1, 3)

    def _norm(self, norm: nn.LayerNorm, x: str) -> str:
        g = self.graph
        scale, bias = (
            g.constant(p.detach().numpy().astype(np.float32), "norm")
            for p in (norm.weight, norm.bias)
        )
        normed = g.node(
            "LayerNormalization", self.raised(x), scale, bias, axis=-1, epsilon=norm.eps
        )
        return self.lowered(normed)

    def _linear(self, linear: nn.Linear, x: str) -> str:
        return self._gemm(linear.weight, linear.bias, x)

    def _gemm(self, weight: Tensor, bias: Tensor, x: str) -> str:
        # Stored transposed, so that runtimes that do not pack weights read them row by row.
        return self.graph.node(
            "Gemm", x, self.weight(weight.T, "weight"), self.weight(bias, "bias")
        )

    def _mlp(self, mlp: Mlp, x: str) -> str:
        return self._linear(mlp.fc2, self._gelu(self._linear(mlp.fc1, x)))

    def _gelu(self, x: str) -> str:
        g = self.graph
        if g.opset >= 20:
            return g.node("Gelu", x)
        # In float32: near zero output, 1 + erf cancels.
        wide = self.raised(x)
        root2, one, half = (g.constant(np.float32(v)) for v in (2**0.5, 1.0, 0.5))
        erf = g.node("Erf", g.node("Div", wide, root2))
        return self.lowered(g.node("Mul", g.node("Mul", wide, g.node("Add", erf, one)), half))

    def _cell_coverage(self, boxes: str) -> str:
        """:func:`litetrack_ros.model.litetrack.cell_coverage`, float32 ``(B, grid, grid)``."""
        g, grid = self.graph, self.config.template_grid
        scaled = g.node("Mul", boxes, g.constant(np.float32(grid)))
        halves = g.constant(np.array([2, 2], dtype=np.int64))
        low, high = (
            g.reshape(corner, -1, 2, 1)
            for corner in g.split_node("Split", 2, scaled, halves, axis=1)
        )
        start = np.arange(grid, dtype=np.float32)
        right = g.node("Min", high, g.constant(start + 1))
        left = g.node("Max", low, g.constant(start))
        limits = [g.constant(np.float32(v)) for v in (0, 1)]
        covered = g.node("Clip", g.node("Sub", right, left), *limits)  # (B, 2, grid)
        halves = g.constant(np.array([1, 1], dtype=np.int64))
        x, y = g.split_node("Split", 2, covered, halves, axis=1)
        return g.node("Mul", g.reshape(y, -1, grid, 1), x)

    def _flat(self, x: str) -> str:
        return self.graph.reshape(x, -1, self.config.embed_dim)

    def raised(self, x: str) -> str:
        """A value in float32."""
        return x if self.dtype == np.float32 else self.graph.cast(x, np.float32)

    def lowered(self, x: str) -> str:
        """A float32 value in the graph's precision."""
        return x if self.dtype == np.float32 else self.graph.cast(x, self.dtype)
