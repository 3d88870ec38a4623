"""Crops cut by the device are those that OpenCV cuts."""

from __future__ import annotations

import numpy as np
import pytest

from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.images import to_rgb8
from litetrack_ros.media.scene import DrawnScene

torch = pytest.importorskip("torch")

BOXES = [
    (300, 200, 60, 48), (0, 0, 40, 30), (600, 450, 40, 30), (-30, 100, 50, 60), (100, 460, 90, 60),
    (1, 1, 638, 478), (320.4, 240.6, 8.2, 9.7), (200, 100, 64, 64), (637, 477, 3, 3),
    (-400, -300, 50, 50), (0, 0, 640, 480), (900, 700, 40, 40),
]  # fmt: skip


@pytest.mark.parametrize("order", ["bgr", "rgb"])
@pytest.mark.parametrize("kind", ["scene", "noise"])
@pytest.mark.parametrize(("factor", "size_px"), [(4.0, 256), (2.0, 128), (4.5, 224)])
def test_at_most_one_grey_level_off(order: str, kind: str, factor: float, size_px: int) -> None:
    from litetrack_ros.backends.torch_crop import device_crops, upload

    rng = np.random.default_rng(0)
    image = (
        DrawnScene(640, 480, 1).frame(0)
        if kind == "scene"
        else rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    )
    regions = [CropRegion.around(box, factor, size_px) for box in BOXES]
    regions += [
        CropRegion.around((*rng.uniform((-50, -50), (650, 490)), *rng.uniform(4, 300, 2)), factor,
                          size_px)
        for _ in range(40)
    ]  # fmt: skip
    found = device_crops(upload(image, torch.device("cpu")), regions, order == "bgr").numpy()
    for region, crop in zip(regions, found, strict=True):
        expected = to_rgb8(extract_crop(image, region), order)
        off = np.abs(crop.astype(int) - expected.astype(int)).max()
        assert off <= 1, (region, off)


def test_closed_loop_boxes_stay_within_half_a_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    from litetrack_ros.backends.registry import open_backend
    from litetrack_ros.backends.torch_crop import device_crops, upload
    from litetrack_ros.tracker import tracker as tracker_module

    pytest.importorskip("onnxruntime")
    backend = open_backend()
    scene = [(image, np.asarray(box)) for image, box in DrawnScene(640, 480, 60)]

    def track() -> np.ndarray:
        tracker = tracker_module.Tracker(backend)
        tracker.init(*scene[0])
        return np.array([tracker.update(image).box_xywh for image, _ in scene[1:]])

    usual = track()
    device = torch.device("cpu")
    monkeypatch.setattr(
        tracker_module,
        "extract_crop",
        lambda image, region: device_crops(upload(image, device), [region], is_bgr=False)[
            0
        ].numpy(),
    )
    assert np.abs(track() - usual).mean() < 0.5
