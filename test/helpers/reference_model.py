"""Weights, crops and a scene that any machine makes alike, for comparison with recorded numbers.

The authors' code ran once on exactly these inputs; its answers lie in ``test/data/official_*.npz``.
``RandomState``'s streams are frozen by NumPy, so the inputs need not be stored.
"""

from __future__ import annotations

import functools

import numpy as np
import torch

from litetrack_ros.config import TrackerConfig, variant
from litetrack_ros.model.authors_checkpoints import build_official
from litetrack_ros.model.checkpoint import LoadedWeights
from litetrack_ros.model.litetrack import LiteTrack

SCENE_SIZE = (640, 480)
SCENE_BOX = (300.0, 200.0, 60.0, 48.0)
SCENE_FRAMES = 31
# Tame the outputs, so that a closed loop neither shrinks the box to nothing nor runs away; small
# first tokens make the norms' epsilon count.
GAIN = {
    "backbone.patch_embed.proj.weight": 0.1,
    "box_head.conv5_ctr.weight": 0.04,
    "box_head.conv5_size.weight": 0.03,
    "box_head.conv5_offset.weight": 0.1,
}
# The centre in the middle of its cell, and a sigmoid of 0.25: the target's share of the crop.
BIAS = {"box_head.conv5_offset.bias": 0.5, "box_head.conv5_size.bias": -1.1}
TEMPLATE_BOX_XYXY_NORM = (0.21, 0.27, 0.78, 0.73)


def reference_state(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """A tensor for every key of a state dict, with the spread of a trained network's."""
    state = {}
    for index, key in enumerate(sorted(shapes)):
        shape = shapes[key]
        rng = np.random.RandomState(1000 + index)
        if key.endswith("num_batches_tracked"):
            state[key] = torch.zeros(shape, dtype=torch.int64)
            continue
        values = rng.standard_normal(shape)
        if key.endswith("running_var"):
            values = 0.5 + np.abs(values)
        elif "norm" in key or (".1." in key and "box_head" in key):
            values = 0.1 * values + (1.0 if key.endswith("weight") else 0.0)
        elif "gamma" in key:
            values = 0.3 + 0.1 * values
        elif key.endswith("weight"):
            values = values * np.sqrt(2.0 / np.prod(shape[1:])) * GAIN.get(key, 1.0)
        elif key in BIAS:
            values = np.full(shape, BIAS[key])
        else:
            values = 0.1 * values
        state[key] = torch.from_numpy(values.astype(np.float32))
    return state


@functools.cache
def reference_crop(size_px: int, seed: int) -> np.ndarray:
    """A uint8 RGB crop with structure at several scales, ``(size_px, size_px, 3)``."""
    rng = np.random.RandomState(seed)
    image = np.zeros((size_px, size_px, 3))
    for cell in (4, 16, 64):
        cells = rng.randint(0, 256, (size_px // cell, size_px // cell, 3))
        image += np.kron(cells, np.ones((cell, cell, 1))) / 3
    return image.astype(np.uint8)


def reference_scene(frame: int) -> np.ndarray:
    """Frame of a scene 640x480: a patch moves over a background, both of blocks; uint8 RGB."""
    width, height = SCENE_SIZE
    background = reference_crop(640, 7)[:height, :width].copy()
    patch = reference_crop(64, 8)
    x = round(SCENE_BOX[0] + 1.7 * frame)
    y = round(SCENE_BOX[1] + 40 * np.sin(frame / 9))
    background[y : y + 48, x : x + 60] = patch[:48, :60]
    return background


def official_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of the authors' checkpoint of a variant."""
    with torch.device("meta"):
        ours = {k: tuple(v.shape) for k, v in LiteTrack(variant(name)).state_dict().items()}
    return {**ours, "backbone.cls_token": (1, 1, 768), "backbone.pos_embed": (1, 197, 768)}


def official_weights(name: str) -> LoadedWeights:
    """A variant with the reference weights, as loaded from the authors' checkpoint."""
    model = build_official(variant(name), reference_state(official_shapes(name)), name)
    return LoadedWeights(model, TrackerConfig(), "", {})
