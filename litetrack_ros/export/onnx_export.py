"""From a weights file to ONNX files: what runs once per target, and what runs every frame."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from litetrack_ros.backends import onnx_files
from litetrack_ros.backends.onnx_files import BOXES, CROPS, KEYS, VALUES, OnnxPaths
from litetrack_ros.errors import ConfigError
from litetrack_ros.export.crops import CropPair
from litetrack_ros.export.graph import GraphBuilder, write_graphs
from litetrack_ros.export.head_lowering import HeadLowering
from litetrack_ros.export.lowering import FloatType, Lowering
from litetrack_ros.export.quantize import quantize
from litetrack_ros.model.checkpoint import LoadedWeights
from litetrack_ros.model.fused import FusedLayer, FusedLiteTrack
from litetrack_ros.settings import to_json

# The first in which LayerNormalization is one operator, and one that every runtime of a robot
# knows; nothing later makes the graphs faster.
DEFAULT_OPSET = 17
OPSETS = range(17, 23)
DEFAULT_MAX_TARGETS = 8

# Of what the graphs are written in; int8 is made from them afterwards.
_DTYPES: dict[str, FloatType] = {"fp32": "float32", "fp16": "float16", "int8": "float32"}


def export_onnx(
    weights: LoadedWeights,
    folder: Path,
    name: str,
    precision: str = "fp32",
    opset: int = DEFAULT_OPSET,
    max_targets: int = DEFAULT_MAX_TARGETS,
    calibration: Sequence[CropPair] = (),
) -> OnnxPaths:
    """Write a model as two ONNX graphs and a file of weights.

    Args:
        weights: the model.
        folder: where to; made if absent.
        name: of the model, the stem of the files' names.
        precision: ``fp32``, ``fp16`` (for GPUs) or ``int8`` (for CPUs).
        opset: version of ONNX's standard operators.
        max_targets: largest number of targets in one call; 1 fixes all shapes.
        calibration: for int8, crops that show what the model will see.

    Returns:
        Where the files are.

    Raises:
        ConfigError: a precision, opset or number of targets there is not.
        WeightsError: the files cannot be written.
    """
    if precision not in _DTYPES:
        raise ConfigError(f"precision is '{precision}', but must be one of {', '.join(_DTYPES)}")
    if precision == "int8" and not calibration:
        raise ConfigError("int8 needs crops of real sequences to find its scales on")
    template, search = build_graphs(weights, precision, opset, max_targets)
    if precision == "int8":
        search = quantize(template, search, calibration)
    paths = OnnxPaths.of(folder, name, precision)
    write_graphs(paths, template, search)
    return paths


def build_graphs(
    weights: LoadedWeights, precision: str, opset: int, max_targets: int
) -> tuple[Any, Any]:
    """The template and the search graph as ``onnx.ModelProto``, with the weights inside.

    Raises:
        ConfigError: an opset or number of targets there is not.
    """
    if opset not in OPSETS:
        raise ConfigError(f"opset is {opset}, but must be from {OPSETS.start} to {OPSETS.stop - 1}")
    if max_targets < 1:
        raise ConfigError(f"max_targets is {max_targets}, but must be at least 1")
    model = FusedLiteTrack(weights.model)
    targets = 1 if max_targets == 1 else "targets"
    dtype = _DTYPES[precision]
    metadata = {
        "format": onnx_files.FORMAT,
        "model": to_json(weights.model_config),
        "tracker": to_json(weights.tracker_config),
        "precision": precision,
        "max_targets": str(max_targets),
        "source_sha256": weights.sha256,
    }
    template = template_graph(model, {**metadata, "role": "template"}, opset, dtype, targets)
    # Only in full precision: its sums of inputs need more digits than the others have.
    winograd = precision == "fp32"
    search = search_graph(model, {**metadata, "role": "search"}, opset, dtype, targets, winograd)
    return template, search


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
    size, count = config.template_size, config.template_tokens
    graph = GraphBuilder("litetrack_template", opset)
    for name, shape in onnx_files.input_shapes("template", config, targets).items():
        graph.input(name, np.uint8 if name == CROPS else np.float32, shape)
    lower = Lowering(graph, model, dtype)
    z = lower.tokens(CROPS, size, model.pos_embed_z)
    if onnx_files.takes_boxes(config):
        z = lower.template_cue(z, BOXES)
    if config.interaction == "joint":
        parts = {KEYS: [z]}
    else:
        for layer in model.layers:
            z = lower.layer(cast(FusedLayer, layer), z, lower.template_tokens_with_cue)
        z = lower.in_both_places(lower.without_token(z))
        pairs = [lower.keys_values(layer, z, count) for layer in model.interaction_layers]
        parts = {KEYS: [pair[0] for pair in pairs], VALUES: [pair[1] for pair in pairs]}
    for name, dims in onnx_files.cache_dims(config).items():
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
    for name, shape in onnx_files.input_shapes("search", config, targets).items():
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
    graph.output(result, onnx_files.RESULT, np.float32, (targets, 6))
    graph.output(scores, onnx_files.SCORES, np.float32, (targets, grid * grid))
    return graph.model(metadata)
