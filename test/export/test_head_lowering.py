"""Winograd's form of the head's first convolution gives the convolution."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch

from litetrack_ros.export.graph import GraphBuilder
from litetrack_ros.export.head_lowering import winograd_conv, winograd_pays


@pytest.mark.parametrize(("inputs", "outputs", "grid", "targets"), [(5, 3, 2, 1), (8, 4, 16, 3)])
def test_winograd_gives_the_convolution(inputs: int, outputs: int, grid: int, targets: int):
    rng = np.random.RandomState(0)
    weight = rng.standard_normal((outputs, inputs, 3, 3)).astype(np.float32)
    bias = rng.standard_normal(outputs).astype(np.float32)
    image = rng.standard_normal((targets, inputs, grid, grid)).astype(np.float32)
    graph = GraphBuilder("test", 17)
    graph.input("x", np.float32, ("n", inputs))
    graph.output(winograd_conv(graph, weight, bias, "x", grid), "y", np.float32, ("n", outputs))
    tokens = image.transpose(0, 2, 3, 1).reshape(-1, inputs)
    session = ort.InferenceSession(graph.model({}).SerializeToString())
    (found,) = session.run(None, {"x": tokens})
    expected = torch.conv2d(*map(torch.from_numpy, (image, weight, bias)), padding=1)
    expected = expected.permute(0, 2, 3, 1).reshape(-1, outputs)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("inputs", "outputs", "grid", "expected"),
    [(768, 256, 16, True), (768, 256, 15, False), (128, 64, 16, False)],
)
def test_where_it_pays(inputs: int, outputs: int, grid: int, expected: bool):
    assert winograd_pays(inputs, outputs, grid) is expected
