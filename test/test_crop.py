"""Crops against those that the authors' ``sample_target`` made of the same image and boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reference_model import reference_scene

from litetrack_ros.crop import CropRegion, extract_crop

RECORDED = dict(np.load(Path(__file__).parent / "data" / "official_crops.npz"))
CASES = [(i, f, s) for i in range(len(RECORDED["boxes"])) for f, s in ((2.0, 32), (4.0, 48))]


@pytest.mark.parametrize(("index", "factor", "size_px"), CASES)
def test_equals_the_authors(index: int, factor: float, size_px: int) -> None:
    region = CropRegion.around(RECORDED["boxes"][index], factor, size_px)
    crop = extract_crop(reference_scene(0), region)
    assert np.array_equal(crop, RECORDED[f"crop_{index}_{size_px}"])
    assert region.resize_factor == RECORDED["resize_factors"][index][0 if size_px == 32 else 1]


@pytest.mark.parametrize("box", [(-500, -500, 20, 20), (2000, 100, 30, 30), (100, 2000, 30, 30)])
def test_outside_is_black(box: tuple[float, float, float, float]) -> None:
    crop = extract_crop(reference_scene(0), CropRegion.around(box, 4.0, 64))
    assert crop.shape == (64, 64, 3) and not crop.any()


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((480, 640), np.uint8), ((480, 640, 4), np.uint8), ((480, 640), np.uint16)],
)
def test_keeps_channels_and_type(shape: tuple[int, ...], dtype: type) -> None:
    image = np.full(shape, 7, dtype=dtype)
    crop = extract_crop(image, CropRegion.around((600, 440, 60, 60), 4.0, 64))
    assert crop.shape == (64, 64, *shape[2:]) and crop.dtype == dtype


def test_does_not_depend_on_memory_layout() -> None:
    scene = reference_scene(0)
    region = CropRegion.around((300, 200, 60, 48), 4.0, 64)
    wide = np.zeros((480, 700, 3), dtype=np.uint8)
    wide[:, :640] = scene
    assert np.array_equal(
        extract_crop(wide[:, :640], region), extract_crop(np.ascontiguousarray(scene), region)
    )


@pytest.mark.parametrize("box", [(300.3, 199.6, 61, 47), (-20, 450, 50, 40)])
def test_to_crop_and_back(box: tuple[float, float, float, float]) -> None:
    region = CropRegion.around(box, 4.0, 256)
    there = region.image_to_crop_norm(box)
    assert np.allclose(region.crop_to_image(there), box)


def test_rounded_origin_is_the_units_origin() -> None:
    region = CropRegion.around((100.4, 50.3, 20, 20), 2.0, 128)
    assert (region.x0_px, region.y0_px, region.side_px) == (90, 40, 40)
    assert region.image_to_crop_norm((90, 40, 20, 20)).tolist() == [0, 0, 0.5, 0.5]
