"""The head and the decode as ONNX operators, and a fast form of the head's first convolution.

Only the score is needed everywhere: its peak says which cell's size and offset are read. Those two
branches are computed for that cell alone, from the 9x9 features that its four 3x3 convolutions see,
or, where boxes are averaged, for 3x3 cells from 11x11. This is exact, and saves two thirds of the
head, or one.

Winograd's F(2x2, 3x3) makes sixteen matrix products of a 3x3 convolution: every 2x2 tile of outputs
takes 16 multiplications instead of 36 (Lavin and Gray, *Fast Algorithms for Convolutional Neural
Networks*, CVPR 2016). onnxruntime has no such convolution for CPUs; it pays where both numbers of
channels are large.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from litetrack_ros.export.graph import GraphBuilder
from litetrack_ros.export.lowering import Lowering
from litetrack_ros.model.head import AGREEING_OVERLAP, SIGMOID_FLOOR

Float32Array = npt.NDArray[np.float32]

_MIN_CHANNELS = 256  # measured: at 128 to 64 channels the transforms cost more than is saved

_INPUT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], dtype=np.float64)
_KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=np.float64)
_OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], dtype=np.float64)


class HeadLowering:
    """Writes the head of a model into a graph.

    Args:
        lower: of the same graph and model.
        winograd: use :func:`winograd_conv` where it pays.
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
        self._beside = 1 if lower.config.average_boxes else 0  # cells beside the peak

    def decode(self, x: str) -> tuple[str, str]:
        """Window, argmax and decode, in float32.

        Args:
            x: search features as tokens, ``(B * N, C)``.

        Returns:
            The result ``(B, 6)`` of :meth:`FusedLiteTrack.forward`, and the scores ``(B, N)``.
        """
        g, grid = self.graph, self.grid
        count = (2 * self._beside + 1) ** 2
        score = self._sigmoid(self._score_logits(x))
        window = self.lower.model.window.numpy().astype(np.float32)
        response = g.node("Mul", score, g.constant(window, "window"))
        peak = g.node("ArgMax", response, axis=1, keepdims=1)  # (B, 1)
        with g.sensitive():  # they cost little, and are read to a fraction of a cell
            offset, size_logits = self._at_peak(x, peak)
        columns, rows = np.meshgrid(np.arange(grid), np.arange(grid))
        cells = np.stack([columns, rows], axis=-1).reshape(-1, 2, 1).astype(np.float32)
        if self._beside:
            steps = np.arange(-self._beside, self._beside + 1)
            columns, rows = np.meshgrid(steps, steps)
            cells = cells + np.stack([columns.ravel(), rows.ravel()]).astype(np.float32)
        cell = g.reshape(g.node("Gather", g.constant(cells, "cells"), peak, axis=0), -1, 2, count)
        center = g.node("Div", g.node("Add", cell, offset), g.constant(np.float32(grid)))
        size = self._sigmoid(size_logits)
        box = g.concat([center, size], axis=1)
        if self._beside:
            box = self._mean(box, center, size, self._weights(score, peak))
        found = [g.node("GatherElements", value, peak, axis=1) for value in (score, response)]
        return g.concat([g.reshape(box, -1, 4), *found], axis=1), score

    def _weights(self, score: str, peak: str) -> str:
        """Squares of the scores of the peak's 3x3 cells, ``(B, 1, 9)``; 0 outside the map."""
        g = self.graph
        table, inside = _window_tables(self.grid, self._beside)
        near = g.node("Gather", g.constant(table, "near_cells"), peak, axis=0)
        scores = g.node("GatherElements", score, g.reshape(near, -1, table.shape[1]), axis=1)
        mask = g.node("Gather", g.constant(inside.astype(np.float32), "near"), peak, axis=0)
        scores = g.reshape(scores, -1, 1, table.shape[1])
        return g.node("Mul", g.node("Mul", scores, scores), mask)

    def _mean(self, boxes: str, centers: str, sizes: str, weights: str) -> str:
        """:func:`litetrack_ros.model.head.averaged_boxes`.

        Args:
            boxes: ``(B, 4, 9)``, the peak's in the middle; their ``centers`` and ``sizes`` are
                ``(B, 2, 9)``.
            weights: ``(B, 1, 9)``.

        Returns:
            ``(B, 4, 1)``.
        """
        g = self.graph
        half = g.node("Mul", sizes, g.constant(np.float32(0.5)))
        low, high = g.node("Sub", centers, half), g.node("Add", centers, half)
        right = g.node("Min", high, self._peaks(high))
        common = g.node("Sub", right, g.node("Max", low, self._peaks(low)))
        shared = self._product(g.node("Relu", common))
        areas = self._product(sizes)
        union = g.node("Sub", g.node("Add", areas, self._peaks(areas)), shared)
        least = g.node("Mul", union, g.constant(np.float32(AGREEING_OVERLAP)))
        agreeing = g.cast(g.node("GreaterOrEqual", shared, least), np.float32)
        weights = g.node("Mul", weights, agreeing)
        cells = g.constant(np.array([2], dtype=np.int64))
        sums = [
            g.node("ReduceSum", value, cells, keepdims=1)
            for value in (g.node("Mul", boxes, weights), weights)
        ]
        return g.node("Div", *sums)

    def _peaks(self, values: str) -> str:
        """Of values of 3x3 cells ``(B, K, 9)`` the middle one's, ``(B, K, 1)``."""
        first, last, axis = (self.graph.constant(np.array([v], dtype=np.int64)) for v in (4, 5, 2))
        return self.graph.node("Slice", values, first, last, axis)

    def _product(self, values: str) -> str:
        """Of across and down ``(B, 2, 9)``, ``(B, 1, 9)``."""
        halves = self.graph.constant(np.array([1, 1], dtype=np.int64))
        return self.graph.node("Mul", *self.graph.split_node("Split", 2, values, halves, axis=1))

    def _score_logits(self, x: str) -> str:
        """``(B, N)``, float32."""
        g, grid, width = self.graph, self.grid, self._width
        weight, bias = self._first_layer(slice(0, width))
        inputs = weight.shape[1]
        if self.winograd and winograd_pays(inputs, width, grid):
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
        """Offset and size logits ``(B, 2, K)`` in float32 of one cell for each target, or of 3x3.

        Both branches run side by side as groups of one convolution. Cells outside the map are zero
        in every layer, as the padding of the whole convolutions is.
        """
        g, branches = self.graph, [self._branches["offset"], self._branches["size"]]
        layers = list(zip(*branches, strict=True))
        # Of the 3x3 convolutions: the first one more, the last one is 1x1.
        reach = len(layers) + self._beside
        whole = side = 2 * reach + 1
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
            value = g.node("Mul", value, self._middle(mask, side, whole))
            weight = torch.cat([conv.weight for conv in convs])
            bias = torch.cat([_bias(conv) for conv in convs])
            value = self.lower.conv(weight, bias, value, groups=len(convs))
            if convs is not layers[-1]:
                value = g.node("Relu", value)
        halves = g.constant(np.array([2, 2], dtype=np.int64))
        flat = g.reshape(self.lower.raised(value), -1, 4, side**2)
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


def winograd_pays(inputs: int, outputs: int, grid: int) -> bool:
    """Whether a convolution is faster in Winograd's form."""
    return min(inputs, outputs) >= _MIN_CHANNELS and grid % 2 == 0


def winograd_conv(
    graph: GraphBuilder, weight: Float32Array, bias: Float32Array, tokens: str, grid: int
) -> str:
    """A 3x3 convolution with zero padding over tokens, in Winograd's form.

    Args:
        graph: takes the nodes.
        weight: ``(K, C, 3, 3)``.
        bias: ``(K,)``.
        tokens: ``(B * grid * grid, C)``, row by row.
        grid: cells along a side, even.

    Returns:
        ``(B * grid * grid, K)``.
    """
    g, (outputs, inputs) = graph, weight.shape[:2]
    tiles = grid // 2
    spread, gather = (g.constant(matrix, "tiles") for matrix in _tile_matrices(grid))
    # Both axes of a tile in turn: (B, rows, columns, C) -> (B, 4, tiles, 4, tiles, C).
    x = g.node("MatMul", spread, g.reshape(tokens, -1, grid, grid * inputs))
    x = g.node("MatMul", spread, g.reshape(x, -1, grid, inputs))
    x = g.transpose(g.reshape(x, -1, 4, tiles, 4, tiles, inputs), 1, 3, 0, 2, 4, 5)
    positions = g.split_node(
        "Split", 16, g.reshape(x, 16, -1, inputs), g.constant(np.ones(16, dtype=np.int64)), axis=0
    )
    kernels = np.einsum("pi,kcij,qj->pqck", _KERNEL, weight.astype(np.float64), _KERNEL)
    products = []
    # One product a position, because runtimes pack two-dimensional weights only.
    for position, kernel in zip(positions, kernels.reshape(16, inputs, outputs), strict=True):
        packed = g.constant(kernel.astype(np.float32), "winograd")
        product = g.node("MatMul", g.reshape(position, -1, inputs), packed)
        products.append(g.reshape(product, 1, -1, outputs))
    y = g.reshape(g.concat(products, axis=0), 4, 4, -1, tiles, tiles, outputs)
    y = g.transpose(y, 2, 0, 3, 1, 4, 5)
    y = g.node("MatMul", gather, g.reshape(y, -1, 4 * tiles, 4 * tiles * outputs))
    y = g.node("MatMul", gather, g.reshape(y, -1, 4 * tiles, outputs))
    return g.node("Add", g.reshape(y, -1, outputs), g.constant(bias, "bias"))


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


def _tile_matrices(grid: int) -> tuple[Float32Array, Float32Array]:
    """The transforms of all tiles along one axis, zero padding included.

    Returns:
        ``(4 * tiles, grid)`` from cells to positions in tiles, and ``(grid, 4 * tiles)`` back.
    """
    tiles = grid // 2
    spread = np.zeros((4, tiles, grid), dtype=np.float32)
    gather = np.zeros((grid, 4, tiles), dtype=np.float32)
    for tile in range(tiles):
        for cell in range(4):
            row = 2 * tile + cell - 1
            if 0 <= row < grid:
                spread[:, tile, row] = _INPUT[:, cell]
        gather[2 * tile : 2 * tile + 2, :, tile] = _OUTPUT
    return spread.reshape(4 * tiles, grid), gather.reshape(grid, 4 * tiles)
