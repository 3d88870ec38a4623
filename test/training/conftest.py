"""A network small enough for tests, and pairs it can learn from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.pairs.pair import Pair
from litetrack_ros.training.recipe import Recipe

MODEL_YAML = """
name: tiny
embed_dim: 32
num_heads: 2
fe_layers: 1
ai_layers: 1
head_channels: 32
target_cue: inside
template_size: 32
search_size: 64
decode: exact
layer_scale_init: 1.0
"""


class Squares:
    """Pairs of a bright square on noise; every eighth pair has none in its search region."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def pair(self, index: int) -> Pair:
        """The pair of an index."""
        key = hashlib.sha256(f"{self.seed} {index}".encode()).digest()
        rng = np.random.default_rng(list(key))
        template = rng.integers(0, 80, (32, 32, 3), dtype=np.uint8)
        search = rng.integers(0, 80, (64, 64, 3), dtype=np.uint8)
        template[8:24, 8:24] = 250
        box = np.zeros(4, np.float32)
        present = index % 8 != 7
        if present:
            x, y = rng.integers(0, 48, 2)
            search[y : y + 16, x : x + 16] = 250
            box = np.array([x + 8, y + 8, 16, 16], np.float32) / 64
        template_box = np.array([0.5, 0.5, 0.5, 0.5], np.float32)
        return Pair(template, template_box, search, box, present)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def squares() -> Squares:
    """A source of pairs."""
    return Squares()


@pytest.fixture
def tiny_recipe(tmp_path: Path) -> Recipe:
    """Twelve steps of a network of two layers."""
    model = tmp_path / "tiny.yaml"
    model.write_text(MODEL_YAML)
    return Recipe(
        model=str(model),
        steps=12,
        batch_size=8,
        warmup_steps=2,
        stem="trained",
        rolled_share=0.25,
        quality_from_step=6,
        validate_every=4,
        validation_pairs=16,
        checkpoint_every=4,
    )


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """A folder of two drawn sequences of four frames."""
    root = tmp_path / "scenes"
    for seed in (1, 2):
        folder, scene = root / f"s{seed}", DrawnScene(160, 120, 4, seed)
        folder.mkdir(parents=True)
        for k, (frame, _) in enumerate(scene):
            cv2.imwrite(str(folder / f"{k:08d}.png"), frame)
        boxes = [",".join(map(str, scene.box_xywh(k))) for k in range(4)]
        (folder / "groundtruth.txt").write_text("\n".join(boxes) + "\n")
    return root
