"""Does an exported model say what PyTorch says?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.onnx_backend import OnnxBackend
from litetrack_ros.backends.onnx_files import CROPS, KEYS, RESULT, VALUES, OnnxPaths
from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.dependencies import require
from litetrack_ros.export.crops import CropPair
from litetrack_ros.export.graph import onnx
from litetrack_ros.geometry import overlap
from litetrack_ros.tracker.decode import map_box_back

ort = require("onnxruntime")


@dataclass(frozen=True)
class Differences:
    """Largest and usual differences from PyTorch in fp32, over teacher-forced crops.

    Attributes:
        pairs: crops compared.
        score_map: largest, of any cell.
        size_map: largest, in units of the crop's side, of the cells looked at.
        offset_map: largest, in cells of the map, of the cells looked at.
        other_peaks: crops in which another cell was chosen.
        box_px: of x, y, w and h in image pixels, the largest of a crop, ``(pairs,)``.
        overlaps: of both boxes, ``(pairs,)``.
    """

    pairs: int
    score_map: float
    size_map: float
    offset_map: float
    other_peaks: int
    box_px: npt.NDArray[np.float64]
    overlaps: npt.NDArray[np.float64]

    def figures(self) -> dict[str, float]:
        """The figures of the report, JSON's types."""
        return {
            "crops": self.pairs,
            "score_map_max": self.score_map,
            "size_map_max": self.size_map,
            "offset_map_max": self.offset_map,
            "other_peaks": self.other_peaks,
            "box_px_max": float(self.box_px.max()),
            "box_px_p99": float(np.percentile(self.box_px, 99)),
            "overlap_mean": float(self.overlaps.mean()),
            "overlap_min": float(self.overlaps.min()),
        }


def compare(
    reference: TorchBackend,
    backend: OnnxBackend,
    paths: OnnxPaths,
    pairs: Sequence[CropPair],
) -> Differences:
    """Run both on the same crops.

    Size and offset are compared in one cell of each pair, another one in each: the exported model
    computes them at the peak alone, so that each costs a run. Where boxes are averaged, those are
    the mean's.

    Args:
        reference: fp32.
        backend: the exported model.
        paths: its files.
        pairs: the crops.
    """
    both: tuple[Backend, Backend] = (reference, backend)
    probe = _CellProbe(paths)
    grid = reference.model_config.search_grid
    score_map = size_map = offset_map = 0.0
    other_peaks, box_px, overlaps = 0, [], []
    rng = np.random.default_rng(0)
    for pair in pairs:
        templates = [each.encode_template(pair.template, pair.template_box) for each in both]
        maps = reference.maps(pair.search, templates[0])
        scores = maps.score[:, 0].numpy()
        cell = int(rng.choice(grid * grid, 1, replace=False)[0])
        size, offset = probe.run(pair, templates[1], cell, grid)
        wanted = reference.model.boxes(maps, torch.tensor([[cell]]))[0].numpy()
        size_map = max(size_map, float(np.abs(size - wanted[2:]).max()))
        offset_map = max(offset_map, float(np.abs(offset - _from_cell(wanted, cell, grid)).max()))
        answers = [
            each.search(pair.search, template)
            for each, template in zip(both, templates, strict=True)
        ]
        found_scores = answers[1].score_maps
        score_map = max(score_map, float(np.abs(scores - found_scores).max()))
        decode = reference.model_config.decode
        boxes = [map_box_back(a.boxes_cxcywh_norm[0], pair.region, decode) for a in answers]
        box_px.append(float(np.abs(boxes[0] - boxes[1]).max()))
        overlaps.append(float(overlap(boxes[0], boxes[1])))
        other_peaks += _peak(scores, reference) != _peak(found_scores, reference)
    return Differences(
        len(pairs),
        score_map,
        size_map,
        offset_map,
        int(other_peaks),
        np.array(box_px),
        np.array(overlaps),
    )


def _peak(scores: npt.NDArray[np.float32], reference: TorchBackend) -> int:
    return int((scores.reshape(-1) * reference.model.window.cpu().numpy().reshape(-1)).argmax())


class _CellProbe:
    """The search graph with its window as an input, which moves the peak to any cell."""

    def __init__(self, paths: OnnxPaths) -> None:
        model = onnx.load(str(paths.search))
        for tensor in model.graph.initializer:
            if tensor.name == "window":
                model.graph.input.append(
                    onnx.helper.make_tensor_value_info("window", tensor.data_type, tensor.dims)
                )
        options = ort.SessionOptions()
        options.log_severity_level = 3  # it warns that the window cannot be folded
        self._session = ort.InferenceSession(model.SerializeToString(), options)

    def run(
        self, pair: CropPair, template: Any, cell: int, grid: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Size and offset ``(2,)`` of a cell."""
        window = np.zeros((1, grid * grid), dtype=np.float32)
        window[0, cell] = 1.0
        feed = {CROPS: pair.search, KEYS: template.keys, "window": window}
        if template.values is not None:
            feed[VALUES] = template.values
        row = self._session.run([RESULT], feed)[0][0]
        return row[2:4], _from_cell(row, cell, grid)


def _from_cell(
    box_cxcywh_norm: npt.NDArray[np.float32], cell: int, grid: int
) -> npt.NDArray[np.float32]:
    """Of a centre, in cells from a cell's corner, ``(2,)``."""
    corner = np.array([cell % grid, cell // grid], dtype=np.float32)
    return box_cxcywh_norm[:2] * np.float32(grid) - corner
