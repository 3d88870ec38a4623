"""Small models as weights files, and crops to feed them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from small_models import small_model

from litetrack_ros.config import TrackerConfig
from litetrack_ros.model.checkpoint import LoadedWeights, load_weights, save_weights

SIZES = {"template_size": 64, "search_size": 128}


def save_small(path: Path, **changes: Any) -> LoadedWeights:
    """Write a small model's weights file and read it back."""
    save_weights(path, small_model(**SIZES | changes), TrackerConfig(lost_threshold=0.1))
    return load_weights(path)


def noise_crops(count: int, size_px: int, seed: int) -> np.ndarray:
    """Random RGB crops, ``(count, size, size, 3)``."""
    shape = (count, size_px, size_px, 3)
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def boxes_norm(count: int) -> np.ndarray:
    """Template boxes xyxy in units of the crop's side, ``(count, 4)``, each another one."""
    shift = 0.02 * np.arange(count)[:, None]
    return (np.array([[0.21, 0.27, 0.78, 0.73]]) + shift).astype(np.float32)
