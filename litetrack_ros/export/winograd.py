"""A 3x3 convolution as sixteen matrix products: Winograd's F(2x2, 3x3).

Every 2x2 tile of outputs takes 16 multiplications instead of 36 (Lavin and Gray, *Fast Algorithms
for Convolutional Neural Networks*, CVPR 2016). onnxruntime has no such convolution for CPUs; it
pays where both numbers of channels are large.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from litetrack_ros.export.graph import GraphBuilder

FloatArray = npt.NDArray[np.float32]

_MIN_CHANNELS = 256  # measured: at 128 to 64 channels the transforms cost more than is saved

_INPUT = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], dtype=np.float64)
_KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=np.float64)
_OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]], dtype=np.float64)


def pays(inputs: int, outputs: int, grid: int) -> bool:
    """Whether a convolution is faster in this form."""
    return min(inputs, outputs) >= _MIN_CHANNELS and grid % 2 == 0


def winograd_conv(
    graph: GraphBuilder, weight: FloatArray, bias: FloatArray, tokens: str, grid: int
) -> str:
    """A 3x3 convolution with zero padding over tokens.

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


def _tile_matrices(grid: int) -> tuple[FloatArray, FloatArray]:
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
