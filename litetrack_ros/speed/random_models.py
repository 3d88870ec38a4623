"""Models of any variant with random weights, which run as fast as trained ones."""

from __future__ import annotations

from pathlib import Path

import torch

from litetrack_ros.config import TrackerConfig
from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.export.crops import CropPair
from litetrack_ros.export.onnx_export import export_onnx
from litetrack_ros.images import to_rgb8
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.model.checkpoint import load_weights, save_weights
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.model.variants import variant
from litetrack_ros.tracker.decode import template_box_xyxy_norm

_CALIBRATION_FRAMES = 4


def write_random_model(folder: Path, name: str) -> Path:
    """A weights file of a shipped variant.

    Raises:
        ConfigError: no such variant.
    """
    torch.manual_seed(0)
    path = folder / f"{name}.safetensors"
    save_weights(path, LiteTrack(variant(name)).eval(), TrackerConfig())
    return path


def export_random_model(path: Path, precision: str, max_targets: int) -> None:
    """Write the ONNX files of :func:`write_random_model`'s beside it."""
    weights = load_weights(path)
    model = weights.model_config
    pairs = []
    for image, box in DrawnScene(frames=_CALIBRATION_FRAMES):
        template = CropRegion.around(box, model.template_factor, model.template_size)
        search = CropRegion.around(box, model.search_factor, model.search_size)
        pairs.append(
            CropPair(
                to_rgb8(extract_crop(image, template))[None],
                template_box_xyxy_norm(box, template, model.decode)[None],
                to_rgb8(extract_crop(image, search))[None],
                search,
            )
        )
    calibration = pairs if precision == "int8" else []
    export_onnx(
        weights,
        path.parent,
        path.stem,
        precision,
        max_targets=max_targets,
        calibration=calibration,
    )
