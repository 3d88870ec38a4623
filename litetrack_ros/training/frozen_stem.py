"""The pretrained stem as a fixed feature extractor, run where the pairs are made.

onnxruntime runs it in less than half of PyTorch's time on a CPU, and in float32: bfloat16 would be
as fast, but its features are 7 % off.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from litetrack_ros.dependencies import require
from litetrack_ros.model.fused import FusedEfficientNetStem
from litetrack_ros.model.stem import EfficientNetLite0Stem


class FrozenStem:
    """A stem without its projection; its features travel in half precision.

    Args:
        stem: the stem to copy.

    Raises:
        MissingDependencyError: onnxruntime is not installed.
    """

    def __init__(self, stem: EfficientNetLite0Stem) -> None:
        require("onnxruntime")
        self._graph = _export(_Features(stem))
        self._session: Any = None
        self._process = 0

    def __call__(self, crops: Tensor) -> Tensor:
        """uint8 RGB ``(B, S, S, 3)`` to features ``(B, 192, S / 16, S / 16)`` float16."""
        if self._process != os.getpid():  # a session's threads do not outlive a fork
            self._session, self._process = _open_session(self._graph), os.getpid()
        (features,) = self._session.run(None, {"crops": crops.numpy()})
        return torch.from_numpy(features.astype(np.float16))


class _Features(nn.Module):
    def __init__(self, stem: EfficientNetLite0Stem) -> None:
        super().__init__()
        self.folded = FusedEfficientNetStem(stem).eval()

    def forward(self, crops: Tensor) -> Tensor:
        images = (crops.float() - self.folded.mean).permute(0, 3, 1, 2)
        features: Tensor = self.folded.stem.features(images)
        return features


def _export(features: _Features) -> bytes:
    axes = {"crops": {0: "batch", 1: "height", 2: "width"}}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        graph = Path(folder) / "stem.onnx"
        warnings.simplefilter("ignore")  # of the tracer, about shapes that do not vary here
        torch.onnx.export(
            features,
            (torch.zeros(1, 64, 64, 3, dtype=torch.uint8),),
            str(graph),
            input_names=["crops"],
            output_names=["features"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
        return graph.read_bytes()


def _open_session(graph: bytes) -> Any:
    onnxruntime = require("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
