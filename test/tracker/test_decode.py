from __future__ import annotations

import numpy as np
import pytest

from litetrack_ros.crop import CropRegion
from litetrack_ros.geometry import xywh_to_cxcywh
from litetrack_ros.tracker.decode import map_box_back, template_box_xyxy_norm

BOX = np.array([300.3, 200.9, 61.0, 47.0])


def test_official_template_box_is_centred_half_a_pixel_early() -> None:
    region = CropRegion.around(BOX, 2.0, 128)
    box = template_box_xyxy_norm(BOX, region, "official")
    half = BOX[2:] * region.resize_factor / 2
    wanted = np.array([*(63.5 - half), *(63.5 + half)]) / 128
    assert np.allclose(box, wanted, atol=1e-7) and box.dtype == np.float32


@pytest.mark.parametrize("box", [BOX, np.array([-20.0, 450.0, 50.0, 40.0])])
def test_exact_template_box_is_where_the_target_is(box: np.ndarray) -> None:
    region = CropRegion.around(box, 2.0, 128)
    x1, y1, x2, y2 = template_box_xyxy_norm(box, region, "exact") * region.side_px
    assert np.allclose([x1 + region.x0_px, y1 + region.y0_px, x2 - x1, y2 - y1], box, atol=1e-4)


def test_exact_inverts_the_crop() -> None:
    region = CropRegion.around(BOX, 4.0, 256)
    norm = region.image_to_crop_norm(xywh_to_cxcywh(BOX)).astype(np.float32)
    assert np.allclose(map_box_back(norm, region, "exact"), BOX, atol=1e-4)


def test_official_ignores_the_rounding_of_the_crop() -> None:
    region = CropRegion.around(BOX, 4.0, 256)
    center = np.array([0.5, 0.5, 0.25, 0.25], dtype=np.float32)
    x, y, w, h = map_box_back(center, region, "official")
    assert np.allclose([x + w / 2, y + h / 2], region.center_xy_px, atol=1e-4)
    assert w == h == pytest.approx(region.side_px / 4)
