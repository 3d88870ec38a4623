"""From a weights file to ONNX files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litetrack_ros.backends.onnx_files import FORMAT, OnnxPaths
from litetrack_ros.config import to_json
from litetrack_ros.errors import ConfigError
from litetrack_ros.export.crops import CropPair
from litetrack_ros.export.graph_files import write_graphs
from litetrack_ros.export.lowering import FloatType
from litetrack_ros.export.networks import search_graph, template_graph
from litetrack_ros.model.checkpoint import LoadedWeights
from litetrack_ros.model.fused import FusedLiteTrack

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
        from litetrack_ros.export.quantize import quantize

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
        "format": FORMAT,
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
