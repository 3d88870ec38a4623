"""Starting from CAE's, MAE's and timm's layouts, a larger LiteTrack, and ImageNet's stem."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.errors import WeightsError
from litetrack_ros.model.checkpoint import save_weights
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.model.stem import EfficientNetLite0Stem
from litetrack_ros.training.init_from import (
    STEM_PACKAGE,
    initial_tensors,
    load_pretrained_stem,
    stem_state,
)
from litetrack_ros.training.network import FrozenStem

DIM, LAYERS = 32, 4
CONFIG = ModelConfig(
    name="small", embed_dim=DIM, num_heads=2, fe_layers=1, ai_layers=2, head_channels=8
)


def _vit(scale: str | None = None, separate_bias: bool = False) -> dict[str, Tensor]:
    """A ViT's state dict with random values."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * 0.2

    state = {
        "cls_token": random(1, 1, DIM),
        "pos_embed": random(1, 197, DIM),
        "patch_embed.proj.weight": random(DIM, 3, 16, 16),
        "patch_embed.proj.bias": random(DIM),
        "norm.weight": random(DIM),
    }
    for k in range(LAYERS):
        block = f"blocks.{k}."
        for norm in ("norm1", "norm2"):
            state |= {f"{block}{norm}.weight": random(DIM), f"{block}{norm}.bias": random(DIM)}
        for name, rows, columns in (
            ("attn.proj", DIM, DIM),
            ("mlp.fc1", 4 * DIM, DIM),
            ("mlp.fc2", DIM, 4 * DIM),
        ):
            state |= {f"{block}{name}.weight": random(rows, columns)}
            state |= {f"{block}{name}.bias": random(rows)}
        state[f"{block}attn.qkv.weight"] = random(3 * DIM, DIM)
        if separate_bias:
            state |= {f"{block}attn.q_bias": random(DIM), f"{block}attn.v_bias": random(DIM)}
        else:
            state[f"{block}attn.qkv.bias"] = random(3 * DIM)
        if scale == "timm":
            state |= {f"{block}ls1.gamma": random(DIM), f"{block}ls2.gamma": random(DIM)}
        elif scale == "cae":
            state |= {f"{block}gamma_1": random(DIM), f"{block}gamma_2": random(DIM)}
    return state


def _vit_layer(
    state: dict[str, Tensor], k: int, x: Tensor, scales: tuple[Tensor, Tensor]
) -> Tensor:
    """A plain ViT layer with its key bias."""
    p = {
        n.removeprefix(f"blocks.{k}."): v for n, v in state.items() if n.startswith(f"blocks.{k}.")
    }
    normed = F.layer_norm(x, (DIM,), p["norm1.weight"], p["norm1.bias"], 1e-6)
    qkv = F.linear(normed, p["attn.qkv.weight"], p["attn.qkv.bias"])
    q, key, v = qkv.unflatten(-1, (3, 2, DIM // 2)).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, key, v).transpose(1, 2).flatten(2)
    x = x + scales[0] * F.linear(mixed, p["attn.proj.weight"], p["attn.proj.bias"])
    normed = F.layer_norm(x, (DIM,), p["norm2.weight"], p["norm2.bias"], 1e-6)
    hidden = F.gelu(F.linear(normed, p["mlp.fc1.weight"], p["mlp.fc1.bias"]))
    return x + scales[1] * F.linear(hidden, p["mlp.fc2.weight"], p["mlp.fc2.bias"])


@pytest.mark.parametrize("layout", ["mae", "timm", "timm_safetensors"])
def test_a_pruned_vit_computes_what_its_first_layers_do(tmp_path: Path, layout: str) -> None:
    """Dropping the key bias is exact, and a missing layer scale is 1."""
    state = _vit("timm" if layout.startswith("timm") else None)
    path = tmp_path / ("vit.safetensors" if "safe" in layout else "vit.pth")
    if "safe" in layout:
        save_file(state, path)
    else:
        torch.save({"model": state} if layout == "mae" else state, path)
    found = initial_tensors(path, CONFIG)
    how = "set to 1, as the file has no layer scale" if layout == "mae" else "loaded"
    assert f"backbone.blocks.2.gamma_1: {how}" in found.report
    model = LiteTrack(CONFIG)
    model.load_state_dict({**model.state_dict(), **found.tensors})
    x = torch.randn(2, 10, DIM, generator=torch.Generator().manual_seed(1))
    ours, theirs = x, x
    for k, block in enumerate(model.backbone.blocks):
        scales = tuple(state.get(f"blocks.{k}.ls{n}.gamma", torch.ones(DIM)) for n in (1, 2))
        ours, theirs = block(ours), _vit_layer(state, k, theirs, scales)
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-5)


def test_cae_layout_and_report(tmp_path: Path) -> None:
    state = {f"encoder.{k}": v for k, v in _vit("cae", separate_bias=True).items()}
    state["decoder.blocks.0.norm1.weight"] = torch.zeros(DIM)
    torch.save({"model": state}, tmp_path / "cae_base.pth")
    found = initial_tensors(tmp_path / "cae_base.pth", CONFIG)
    for name in ("attn.q_bias", "gamma_2", "attn.qkv.weight"):
        torch.testing.assert_close(
            found.tensors[f"backbone.blocks.2.{name}"], state[f"encoder.blocks.2.{name}"]
        )
    report = dict(line.split(": ", 1) for line in found.report)
    assert report["backbone.blocks.0.gamma_1"] == "loaded"
    assert report["backbone.pos_embed_z"] == "resized from 197 to 64 positions"
    assert report["backbone.pos_embed_x"] == "resized from 197 to 256 positions"
    assert report["box_head.conv1_ctr.0.weight"] == "left fresh"
    assert report["target_token_embed.fc1.weight"] == "left fresh"
    wanted = {k for k in LiteTrack(CONFIG).state_dict() if "num_batches" not in k}
    assert set(report) == wanted | {"not used of cae_base.pth"}
    patches = state["encoder.pos_embed"][:, 1:].transpose(1, 2).unflatten(2, (14, 14))
    resized = F.interpolate(patches, size=(8, 8), mode="bicubic", align_corners=False)
    torch.testing.assert_close(
        found.tensors["backbone.pos_embed_z"], resized.flatten(2).transpose(1, 2)
    )


def test_a_trained_model_with_more_layers(tmp_path: Path) -> None:
    import dataclasses

    large = LiteTrack(dataclasses.replace(CONFIG, fe_layers=3))
    path = tmp_path / "large.safetensors"
    save_weights(path, large, TrackerConfig())
    found = initial_tensors(path, CONFIG)
    assert all(line.endswith("loaded") for line in found.report[:-1])
    for key, value in large.state_dict().items():
        if key in found.tensors:
            torch.testing.assert_close(found.tensors[key], value)
    assert "backbone.blocks.3.norm1.weight" not in found.tensors


def test_foreign_files(tmp_path: Path) -> None:
    torch.save({"model": {"conv.weight": torch.zeros(3)}}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="no layer that fits"):
        initial_tensors(tmp_path / "other.pth", CONFIG)
    torch.save([1], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="no state dict"):
        initial_tensors(tmp_path / "list.pth", CONFIG)
    with pytest.raises(WeightsError, match="cannot read"):
        initial_tensors(tmp_path / "absent.safetensors", CONFIG)


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
    pytest.importorskip(STEM_PACKAGE, reason="the ImageNet weights are not installed")
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
