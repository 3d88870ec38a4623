"""The network against numbers that the authors' code produced on the same weights and crops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_model import TEMPLATE_BOX_XYXY_NORM, official_weights, reference_crop

from litetrack_ros.backends.base import TemplateFeatures
from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.model.fused import FusedLiteTrack

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module", params=["b4", "b9"])
def case(request: pytest.FixtureRequest) -> tuple[TorchBackend, dict[str, np.ndarray]]:
    recorded = dict(np.load(DATA / f"official_{request.param}.npz"))
    return TorchBackend(official_weights(request.param)), recorded


Case = tuple[TorchBackend, dict[str, np.ndarray]]


def encode(backend: TorchBackend) -> TemplateFeatures:
    box = np.array([TEMPLATE_BOX_XYXY_NORM], dtype=np.float32)
    return backend.encode_template(reference_crop(128, 1)[None], box)


def test_template_features(case: Case) -> None:
    backend, recorded = case
    box = torch.tensor([TEMPLATE_BOX_XYXY_NORM])
    crop = torch.from_numpy(reference_crop(128, 1))[None]
    with torch.inference_mode():
        features = backend.model.template_features(crop, box)[0].numpy()
    wanted = recorded["template_features"]
    assert np.abs(features - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("seed", [2, 3])
def test_maps(case: Case, seed: int) -> None:
    backend, recorded = case
    maps = backend.maps(reference_crop(256, seed)[None], encode(backend))
    for name in ("score", "size", "offset"):
        difference = np.abs(getattr(maps, name)[0].numpy() - recorded[f"{name}_map_{seed}"])
        assert difference.max() <= 2e-5, name


@pytest.mark.parametrize("seed", [2, 3])
def test_boxes(case: Case, seed: int) -> None:
    backend, recorded = case
    box = backend.search(reference_crop(256, seed)[None], encode(backend)).boxes_cxcywh_norm[0]
    k = np.arange(1, 17)
    window = np.outer(*2 * [0.5 * (1 - np.cos(2 * np.pi * k / 17))])
    score, size, offset = (recorded[f"{n}_map_{seed}"] for n in ("score", "size", "offset"))
    row, column = np.unravel_index(np.argmax(score[0] * window), (16, 16))
    center = (np.array([column, row]) + offset[:, row, column]) / 16
    assert np.abs(box - [*center, *size[:, row, column]]).max() <= 2e-5


def wrong_norm_eps(model: FusedLiteTrack, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-5


def tanh_gelu(model: FusedLiteTrack, monkeypatch: pytest.MonkeyPatch) -> None:
    gelu = torch.nn.functional.gelu
    monkeypatch.setattr(torch.nn.functional, "gelu", lambda x: gelu(x, approximate="tanh"))


def no_target_token(model: FusedLiteTrack, monkeypatch: pytest.MonkeyPatch) -> None:
    model.target_cue = None


def bgr_for_rgb(model: FusedLiteTrack, monkeypatch: pytest.MonkeyPatch) -> None:
    stem = model.stem
    monkeypatch.setattr(stem, "forward", lambda crops: type(stem).forward(stem, crops.flip(-1)))


@pytest.mark.parametrize(
    ("mistake", "least_relative"),
    [(wrong_norm_eps, 2e-5), (tanh_gelu, 1e-4), (no_target_token, 1e-2), (bgr_for_rgb, 0.3)],
)
def test_recorded_features_tell_mistakes_apart(
    mistake: Callable[[FusedLiteTrack, pytest.MonkeyPatch], None],
    least_relative: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = np.load(DATA / "official_b4.npz")["template_features"]
    model = FusedLiteTrack(official_weights("b4").model)
    mistake(model, monkeypatch)
    box = torch.tensor([TEMPLATE_BOX_XYXY_NORM])
    with torch.inference_mode():
        features = model.template_features(torch.from_numpy(reference_crop(128, 1))[None], box)
    relative = np.abs(features[0].numpy() - wanted).max() / np.abs(wanted).max()
    assert relative > least_relative
