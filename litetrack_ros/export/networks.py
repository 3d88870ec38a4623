"""The two graphs of a model: what runs once per target, and what runs every frame."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from litetrack_ros.backends.onnx_files import (
    BOXES,
    CROPS,
    KEYS,
    RESULT,
    SCORES,
    VALUES,
    cache_dims,
    input_shapes,
    takes_boxes,
)
from litetrack_ros.export.graph import GraphBuilder
from litetrack_ros.export.head_lowering import HeadLowering
from litetrack_ros.export.lowering import FloatType, Lowering
from litetrack_ros.model.fused import FusedLayer, FusedLiteTrack


def template_graph(
    model: FusedLiteTrack,
    metadata: dict[str, str],
    opset: int,
    dtype: FloatType,
    targets: int | str,
) -> Any:
    """The graph of :meth:`FusedLiteTrack.encode_template`.

    Args:
        model: the fused model, float32.
        metadata: goes into the file.
        opset: of ONNX's standard operators.
        dtype: of weights, activations and the cached keys and values.
        targets: how many at once; a name is any number.
    """
    config = model.config
    size, count = config.template_size, config.template_grid**2
    graph = GraphBuilder("litetrack_template", opset)
    for name, shape in input_shapes("template", config, targets).items():
        graph.input(name, np.uint8 if name == CROPS else np.float32, shape)
    lower = Lowering(graph, model, dtype)
    z = lower.tokens(CROPS, size, model.pos_embed_z)
    if takes_boxes(config):
        z = lower.template_cue(z, BOXES)
    if config.interaction == "joint":
        parts = {KEYS: [z]}
    else:
        for layer in model.layers:
            z = lower.layer(cast(FusedLayer, layer), z, lower.template_tokens_with_cue)
        z = lower.without_token(z)
        pairs = [lower.keys_values(layer, z, count) for layer in model.interaction_layers]
        parts = {KEYS: [pair[0] for pair in pairs], VALUES: [pair[1] for pair in pairs]}
    for name, dims in cache_dims(config).items():
        stacked = [graph.reshape(value, -1, 1, *dims[1:]) for value in parts[name]]
        graph.output(graph.concat(stacked, axis=1), name, dtype, (targets, *dims))
    return graph.model(metadata)


def search_graph(
    model: FusedLiteTrack,
    metadata: dict[str, str],
    opset: int,
    dtype: FloatType,
    targets: int | str,
    winograd: bool,
) -> Any:
    """The graph of :meth:`FusedLiteTrack.forward`.

    Args:
        model, metadata, opset, dtype, targets: as for :func:`template_graph`.
        winograd: use Winograd's form of a convolution where it pays.
    """
    config = model.config
    size, grid = config.search_size, config.search_grid
    graph = GraphBuilder("litetrack_search", opset)
    for name, shape in input_shapes("search", config, targets).items():
        graph.input(name, np.uint8 if name == CROPS else dtype, shape)
    lower = Lowering(graph, model, dtype)
    x = lower.tokens(CROPS, size, model.pos_embed_x)
    if config.interaction == "joint":
        x = lower.joint(x, KEYS)
    else:
        for layer in model.layers[: config.fe_layers]:
            x = lower.layer(cast(FusedLayer, layer), x, grid * grid)
        contexts = zip(lower.per_layer(KEYS), lower.per_layer(VALUES), strict=True)
        for layer, context in zip(model.interaction_layers, contexts, strict=True):
            x = lower.layer(layer, x, grid * grid, context)
    result, scores = HeadLowering(lower, winograd).decode(x)
    graph.output(result, RESULT, np.float32, (targets, 6))
    graph.output(scores, SCORES, np.float32, (targets, grid * grid))
    return graph.model(metadata)
