"""The stem's ImageNet weights against numbers of the reference implementation."""

import pytest
import torch
from torch import Tensor

from litetrack_ros.errors import WeightsError
from litetrack_ros.model.stem import EfficientNetLite0Stem
from litetrack_ros.training.frozen_stem import FrozenStem
from litetrack_ros.training.pretrained import PACKAGE, load_pretrained_stem, stem_state

# Features (channel, row, column) of efficientnet_lite_pytorch 0.1.0 for the image below.
REFERENCE = {
    (0, 0, 0): 9.0084,
    (17, 13, 13): -6.47504,
    (79, 6, 2): 3.00808,
    (80, 0, 13): -3.57177,
    (120, 7, 7): -0.94471,
    (150, 13, 0): 18.24098,
    (191, 5, 9): 2.10945,
    (191, 13, 13): 2.98633,
}


@pytest.fixture(scope="module")
def stem() -> EfficientNetLite0Stem:
    pytest.importorskip(PACKAGE, reason="the ImageNet weights are not installed")
    stem = EfficientNetLite0Stem(16)
    load_pretrained_stem(stem)
    return stem.eval()


def _image() -> Tensor:
    y, x = torch.meshgrid(torch.arange(224.0), torch.arange(224.0), indexing="ij")
    channels = [
        torch.sin(x / 9) + torch.cos(y / 17),
        torch.sin((x + y) / 23),
        torch.cos(x / 31) * torch.sin(y / 7),
    ]
    return 0.7 * torch.stack(channels)[None]


def test_features_are_the_references(stem: EfficientNetLite0Stem) -> None:
    with torch.no_grad():
        features = stem.features(_image())[0]
    for place, value in REFERENCE.items():
        assert float(features[place]) == pytest.approx(value, abs=2e-3)


def test_missing_weights_are_named(stem: EfficientNetLite0Stem) -> None:
    with pytest.raises(WeightsError, match="_conv_stem"):
        stem_state({}, stem)


def test_the_frozen_stem_computes_the_same(stem: EfficientNetLite0Stem) -> None:
    pytest.importorskip("onnxruntime")
    crops = torch.randint(0, 256, (2, 64, 64, 3), generator=torch.Generator().manual_seed(0))
    mean, std = torch.tensor(stem.pixel_mean), torch.tensor(stem.pixel_std)
    with torch.no_grad():
        expected = stem.features(((crops - mean) / std).permute(0, 3, 1, 2))
    features = FrozenStem(stem)(crops.to(torch.uint8))
    assert features.dtype == torch.float16
    assert float((features - expected).norm() / expected.norm()) < 2e-3
