"""Small bags of a moving square."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from litetrack_ros.media.sources import Frame
from litetrack_ros.replay.bag_writer import record

START_NS = 1_700_000_000_123_456_789


def moving_square(count: int) -> tuple[list[Frame], np.ndarray]:
    """BGR frames, 160x120, of a bright square that moves by 3 px a frame, and its boxes."""
    noise = np.random.default_rng(0).integers(0, 60, (120, 160, 3), dtype=np.uint8)
    frames, boxes = [], []
    for index in range(count):
        image = noise.copy()
        x = 20 + 3 * (index % 30)
        image[40:70, x : x + 30] = (40, 200, 240)
        frames.append(Frame(str(index), image))
        boxes.append((x, 40.0, 30.0, 30.0))
    return frames, np.array(boxes, dtype=np.float64)


def make_bag(path: Path, count: int = 6, storage: str = "mcap", fps: float = 30.0) -> Path:
    """Record the moving square with its ground truth."""
    frames, boxes = moving_square(count)
    record(frames, path, fps, START_NS, boxes, storage)
    return path
