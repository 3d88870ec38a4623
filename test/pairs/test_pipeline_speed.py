"""What cropping and jittering cost on top of decoding the same frames at the same scale."""

from __future__ import annotations

import time

import numpy as np
import pytest
from tracking_sets import MemorySet, made_frame

from litetrack_ros.config import ModelConfig
from litetrack_ros.datasets.training_set import SequenceEntry, SetIndex
from litetrack_ros.images import decode_bgr
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs import sampling
from litetrack_ros.pairs.pair_recipe import PairSampling
from litetrack_ros.pairs.sampling import TrackingPairs

SIZE = (1280, 720)
SEQUENCES, FRAMES = 12, 24
MOST = 1.3


class Jpegs(MemorySet):
    """Videos of 1280x720 JPEGs, as textured as photos."""

    def __init__(self) -> None:
        rng = np.random.RandomState(0)
        entries = []
        for k in range(SEQUENCES):
            # Target sides over GOT-10k's range: from a twelfth to two thirds of the height.
            side = 60 * 8 ** (k / (SEQUENCES - 1))
            size = side * np.array([1.3, 1 / 1.3])
            center = np.array(SIZE) / 2 + rng.uniform(-150, 150, (FRAMES, 2))
            boxes = np.concatenate([center - size / 2, np.tile(size, (FRAMES, 1))], axis=1)
            visible = np.ones(FRAMES, dtype=np.bool_)
            entries.append(SequenceEntry(str(k), "", "", 0, boxes.astype(np.float32), visible))
        super().__init__("jpegs", SetIndex(entries), SIZE)
        noise = rng.normal(0, 12, (SIZE[1], SIZE[0], 3))
        picture = cv2.resize(made_frame(320, 240, 1), SIZE) + cv2.GaussianBlur(noise, (0, 0), 1)
        encoded = cv2.imencode(".jpg", np.clip(picture, 0, 255).astype(np.uint8))[1]
        self.jpeg = bytes(encoded.tobytes())

    def encoded_frame(self, sequence: int, frame: int) -> bytes:
        """The same picture in every frame."""
        return self.jpeg


@pytest.mark.slow
def test_the_pipeline_costs_little_more_than_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.setNumThreads(1)
    source = TrackingPairs([Jpegs()], [1], ModelConfig(), PairSampling(), seed=0)
    reductions: list[int] = []

    def remember(encoded: bytes, reduction: int) -> np.ndarray:
        reductions.append(reduction)
        return decode_bgr(encoded, reduction)

    monkeypatch.setattr(sampling, "decode_bgr", remember)
    ratios = []
    for repeat in range(5):
        reductions.clear()
        start = time.process_time()
        for index in range(40):
            source.pair(40 * repeat + index)
        pipeline = time.process_time() - start
        jpeg = source.sets[0].encoded_frame(0, 0)
        start = time.process_time()
        for reduction in reductions:
            decode_bgr(jpeg, reduction)
        ratios.append(pipeline / (time.process_time() - start))
    print(f"ratios {np.round(ratios, 2)}, {40 / pipeline:.0f} pairs a second and core")
    print({r: reductions.count(r) for r in sorted(set(reductions))})
    assert set(reductions) > {1, 2}
    assert np.median(ratios) <= MOST
