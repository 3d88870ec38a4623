"""Small data sets made in memory or on disk, and random numbers that any library can replay."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from reference_model import reference_crop

from litetrack_ros.datasets.training_set import SequenceEntry, SetIndex, TrainingSet

SIZES = {"one": (320, 240), "two": (200, 300), "photos": (256, 192)}


class RecordedDraws:
    """Random numbers of a seed; uniform and normal ones come from streams of their own."""

    def __init__(self, seed: int) -> None:
        self._uniform = np.random.RandomState(2 * seed)
        self._normal = np.random.RandomState(2 * seed + 1)

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return float(self._uniform.random_sample())

    def standard_normal(self) -> float:
        """Normal."""
        return float(self._normal.standard_normal())


def made_frame(width: int, height: int, seed: int) -> np.ndarray:
    """A smooth picture with structure, uint8 BGR."""
    crop = cv2.resize(reference_crop(320, seed)[:height, :width], (width, height))
    return cv2.GaussianBlur(crop, (0, 0), 2.0)


def made_boxes(count: int, width: int, height: int, seed: int) -> np.ndarray:
    """Boxes that move, and that reach over the border at times; ``(T, 4)`` float32."""
    rng = np.random.RandomState(seed)
    size = rng.uniform(12, 70, 2) * np.exp(0.02 * rng.standard_normal((count, 2)).cumsum(axis=0))
    path = rng.uniform(0, [width, height], 2) + 4 * rng.standard_normal((count, 2)).cumsum(axis=0)
    center = np.clip(path, 1, [width - 2, height - 2])
    return np.concatenate([center - size / 2, size], axis=1).astype(np.float32)


class MemorySet(TrainingSet):
    """A data set whose frames are made when they are asked for."""

    def __init__(self, name: str, index: SetIndex, size: tuple[int, int]) -> None:
        super().__init__(name, Path("unused"), index)
        self.size = size

    def encoded_frame(self, sequence: int, frame: int) -> bytes:
        """A PNG, so that every decoder gives the same pixels."""
        seed = 100 * sequence + frame % 5
        return bytes(cv2.imencode(".png", made_frame(*self.size, seed))[1].tobytes())


def made_set(name: str) -> MemorySet:
    """A set of videos with hidden frames, or of photos."""
    width, height = SIZES[name]
    entries = []
    for k in range(4):
        count = 1 if name == "photos" else 24 + 30 * k
        boxes = made_boxes(count, width, height, 7 * k + len(name))
        visible = np.random.RandomState(k).random_sample(count) < (0.4 if k % 2 else 0.95)
        if name == "one" and k == 3:
            visible[:] = False  # never to be drawn
        entries.append(SequenceEntry(str(k), "", "", 0, boxes, visible, video=name != "photos"))
    return MemorySet(name, SetIndex(entries), SIZES[name])
