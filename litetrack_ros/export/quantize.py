"""Static int8 quantisation of the search graph, for CPUs.

Linear layers and convolutions run on 8-bit integers, with scales found on real crops; attention,
norms, the decode, and the last layers of the head stay in fp32. So does the template graph, which
runs once a target.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from litetrack_ros.backends.onnx_files import BOXES, CROPS
from litetrack_ros.dependencies import require
from litetrack_ros.export.crops import CropPair
from litetrack_ros.export.graph import SENSITIVE, onnx
from litetrack_ros.files import scratch_folder


def quantize(template: Any, search: Any, pairs: Sequence[CropPair]) -> Any:
    """The search graph in int8.

    Args:
        template, search: graphs in fp32 with their weights inside.
        pairs: crops to find the ranges of activations on.

    Returns:
        An ``onnx.ModelProto`` with the search graph's inputs, outputs and metadata.
    """
    require("onnxruntime")
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    excluded = [node.name for node in search.graph.node if node.doc_string == SENSITIVE]
    with scratch_folder("int8") as folder:
        source, target = folder / "fp32.onnx", folder / "int8.onnx"
        onnx.save(search, source)
        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.ERROR)  # it recommends another pre-processing in every run
        try:
            quantize_static(
                source,
                target,
                _Reader(template, pairs),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "Gemm"],
                nodes_to_exclude=excluded,
                per_channel=True,
                # Seven bits: CPUs without VNNI add two products in 16 bits, too few for eight.
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
            )
        finally:
            root.setLevel(level)
        quantized = onnx.load(target)
    onnx.helper.set_model_props(quantized, {p.key: p.value for p in search.metadata_props})
    return quantized


class _Reader:
    """Feeds the crops to onnxruntime's calibration."""

    def __init__(self, template: Any, pairs: Sequence[CropPair]) -> None:
        self._feeds = self._generate(template, pairs)

    def get_next(self) -> dict[str, Any] | None:
        """The next inputs, None after the last."""
        return next(self._feeds, None)

    @staticmethod
    def _generate(template: Any, pairs: Sequence[CropPair]) -> Iterator[dict[str, Any]]:
        session = require("onnxruntime").InferenceSession(template.SerializeToString())
        names = [output.name for output in session.get_outputs()]
        taken = {node.name for node in session.get_inputs()}
        for pair in pairs:
            feed = {CROPS: pair.template, BOXES: pair.template_box}
            outputs = session.run(names, {k: v for k, v in feed.items() if k in taken})
            cached = dict(zip(names, outputs, strict=True))
            yield {CROPS: pair.search, **cached}
