"""The head and the decode as ONNX operators.

Only the score is needed everywhere: its peak says which cell's size and offset are read. Those two
branches are computed for that cell alone, from the 9x9 features that its four 3x3 convolutions see.
This is exact, and saves two thirds of the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from litetrack_ros.export.lowering import Lowering
from litetrack_ros.export.winograd import pays, winograd_conv
from litetrack_ros.model.head import SIGMOID_FLOOR


class HeadLowering:
    """Writes the head of a model into a graph.

    Args:
        lower: of the same graph and model.
        winograd: use :mod:`litetrack_ros.export.winograd` where it pays.
    """

    def __init__(self, lower: Lowering, winograd: bool) -> None:
        self.lower = lower
        self.graph = lower.graph
        self.grid = lower.config.search_grid
        self.winograd = winograd
        head = lower.model.head
        self._branches = {
            name: cast(Sequence[nn.Conv2d], layers) for name, layers in head.branches.items()
        }
        self._first = head.first
        self._width = head.first.out_channels // len(self._branches)

    def decode(self, x: str) -> tuple[str, str]:
        """Window, argmax and decode, in float32.

        Args:
            x: search features as tokens, ``(B * N, C)``.

        Returns:
            The result ``(B, 6)`` of :meth:`FusedLiteTrack.forward`, and the scores ``(B, N)``.
        """
        g, grid = self.graph, self.grid
        score = self._sigmoid(self._score_logits(x))
        window = self.lower.model.window.numpy().astype(np.float32)
        response = g.node("Mul", score, g.constant(window, "window"))
        peak = g.node("ArgMax", response, axis=1, keepdims=1)  # (B, 1)
        with g.sensitive():  # they cost little, and are read to a fraction of a cell
            offset, size_logits = self._at_peak(x, peak)
        columns, rows = np.meshgrid(np.arange(grid), np.arange(grid))
        cells = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float32)
        cell = g.reshape(g.node("Gather", g.constant(cells, "cells"), peak, axis=0), -1, 2)
        center = g.node("Div", g.node("Add", cell, offset), g.constant(np.float32(grid)))
        found = [g.node("GatherElements", value, peak, axis=1) for value in (score, response)]
        return g.concat([center, self._sigmoid(size_logits), *found], axis=1), score

    def _score_logits(self, x: str) -> str:
        """``(B, N)``, float32."""
        g, grid, width = self.graph, self.grid, self._width
        weight, bias = self._first_layer(slice(0, width))
        inputs = weight.shape[1]
        if self.winograd and pays(inputs, width, grid):
            hidden = winograd_conv(g, weight.numpy(), bias.numpy(), x, grid)
            value = self._image(g.node("Relu", hidden), width)
        else:
            value = g.node("Relu", self.lower.conv(weight, bias, self._image(x, inputs), pad=1))
        *middle, last = self._branches["ctr"]
        for conv in middle:
            value = g.node("Relu", self.lower.conv(conv.weight, _bias(conv), value, pad=1))
        with g.sensitive():
            logits = self.lower.conv(last.weight, _bias(last), value)
        return self.lower.raised(g.reshape(logits, -1, grid * grid))

    def _at_peak(self, x: str, peak: str) -> tuple[str, str]:
        """Offset and size logits ``(B, 2)`` in float32 of one cell for each target.

        Both branches run side by side as groups of one convolution. Cells outside the map are zero
        in every layer, as the padding of the whole convolutions is.
        """
        g, branches = self.graph, [self._branches["offset"], self._branches["size"]]
        layers = list(zip(*branches, strict=True))
        reach = len(layers)  # of the 3x3 convolutions: the first one more, the last one is 1x1
        side = 2 * reach + 1
        table, inside = _window_tables(self.grid, reach)
        inputs = self._first.in_channels
        index = g.reshape(
            g.node("Gather", g.constant(table, "window_cells"), peak, axis=0), -1, side**2, 1
        )
        tokens = g.reshape(x, -1, self.grid**2, inputs)
        window = g.node("GatherND", tokens, index, batch_dims=1)  # (B, side * side, C)
        masks = g.constant(inside.astype(self.lower.dtype), "window_inside")
        mask = g.reshape(g.node("Gather", masks, peak, axis=0), -1, 1, side, side)
        value = g.reshape(g.transpose(window, 0, 2, 1), -1, inputs, side, side)
        value = g.node("Mul", value, mask)
        weight, bias = self._first_layer(slice(self._width, None))
        value = g.node("Relu", self.lower.conv(weight, bias, value))
        for convs in layers:
            side -= 2
            value = g.node("Mul", value, self._middle(mask, side, 2 * reach + 1))
            weight = torch.cat([conv.weight for conv in convs])
            bias = torch.cat([_bias(conv) for conv in convs])
            value = self.lower.conv(weight, bias, value, groups=len(convs))
            if convs is not layers[-1]:
                value = g.node("Relu", value)
        halves = g.constant(np.array([2, 2], dtype=np.int64))
        flat = g.reshape(self.lower.raised(value), -1, 4)
        offset, size = g.split_node("Split", 2, flat, halves, axis=1)
        return offset, size

    def _middle(self, mask: str, side: int, whole: int) -> str:
        """The middle ``side`` rows and columns of a mask ``(B, 1, whole, whole)``."""
        first = (whole - side) // 2
        bounds = (
            self.graph.constant(np.array([v, v], dtype=np.int64)) for v in (first, first + side)
        )
        axes = self.graph.constant(np.array([2, 3], dtype=np.int64))
        return self.graph.node("Slice", mask, *bounds, axes)

    def _first_layer(self, channels: slice) -> tuple[Tensor, Tensor]:
        return self._first.weight.detach()[channels], _bias(self._first).detach()[channels]

    def _image(self, tokens: str, channels: int) -> str:
        """Tokens ``(B * N, C)`` as ``(B, C, grid, grid)``."""
        image = self.graph.reshape(tokens, -1, self.grid, self.grid, channels)
        return self.graph.transpose(image, 0, 3, 1, 2)

    def _sigmoid(self, logits: str) -> str:
        limits = [self.graph.constant(np.float32(v)) for v in (SIGMOID_FLOOR, 1 - SIGMOID_FLOOR)]
        return self.graph.node("Clip", self.graph.node("Sigmoid", logits), *limits)


def _window_tables(grid: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """The cells around every cell of a map.

    Returns:
        Their numbers ``(N, side * side)``, and 1 for those inside the map, 0 for the others, whose
        numbers are those of the nearest inside.
    """
    steps = np.arange(-reach, reach + 1)
    axis = np.arange(grid)[:, None] + steps  # (grid, side)
    within = (axis >= 0) & (axis < grid)
    nearest = axis.clip(0, grid - 1)
    cells = nearest[:, None, :, None] * grid + nearest[None, :, None, :]
    inside = within[:, None, :, None] & within[None, :, None, :]
    count = grid * grid
    return cells.reshape(count, -1).astype(np.int64), inside.reshape(count, -1)


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias
