"""Which backend a model is opened with."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from saved_models import save_small

from litetrack_ros.backends.registry import find_model, open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.errors import BackendError, MissingDependencyError, WeightsError
from litetrack_ros.export.onnx_export import export_onnx
from litetrack_ros.resources import MODEL_SUFFIXES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """'both' in torch and ONNX fp32, 'torch' in torch alone, 'stale' with another model's ONNX."""
    folder = tmp_path_factory.mktemp("models")
    for name, layers in (("both", 1), ("torch", 1), ("stale", 2)):
        save_small(folder / f"{name}.safetensors", name=name, ai_layers=layers, embed_dim=16)
    weights = save_small(folder / "both.safetensors", name="both", ai_layers=1, embed_dim=16)
    for name in ("both", "stale", "graph"):
        export_onnx(weights, folder, name)
    return folder


@pytest.mark.parametrize(
    ("file", "backend", "precision", "expected"),
    [
        ("both.safetensors", "auto", "fp32", "onnx"),
        ("both.safetensors", "torch", "fp32", "torch"),
        ("both.safetensors", "onnx", "fp32", "onnx"),
        ("both.safetensors", "auto", "bf16", "torch"),
        ("both.safetensors", "auto", "fp16", "torch"),
        ("torch.safetensors", "auto", "fp32", "torch"),
        ("stale.safetensors", "auto", "fp32", "torch"),
        ("graph.search.onnx", "auto", "fp32", "onnx"),
        ("graph.template.onnx", "onnx", "fp32", "onnx"),
    ],
)
def test_the_backend_chosen(folder: Path, file: str, backend: str, precision: str, expected: str):
    opened = open_backend(ModelChoice(str(folder / file), backend, precision=precision))
    assert (opened.info.backend, opened.info.precision) == (expected, precision)


@pytest.mark.parametrize(
    ("file", "arguments", "error", "message"),
    [
        ("torch.safetensors", {"backend": "onnx"}, WeightsError, "litetrack model export"),
        ("stale.safetensors", {"backend": "onnx"}, WeightsError, "other weights"),
        ("both.safetensors", {"backend": "onnx", "precision": "bf16"}, BackendError, "bf16"),
        ("both.safetensors", {"backend": "onnx", "device": "cuda"}, BackendError, "cuda"),
        ("both.safetensors", {"backend": "tensorflow"}, BackendError, "tensorflow"),
        ("graph.search.onnx", {"backend": "torch"}, BackendError, "exported graph"),
        ("absent.safetensors", {}, WeightsError, "absent"),
    ],
)
def test_what_cannot_be_opened_is_named(
    folder: Path, file: str, arguments: dict, error: type, message: str
):
    with pytest.raises(error, match=message):
        open_backend(ModelChoice(str(folder / file), **arguments))


def test_auto_warns_of_a_stale_export(folder: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        open_backend(ModelChoice(str(folder / "stale.safetensors")))
    assert "other weights" in caplog.text


def test_auto_takes_torch_without_onnxruntime(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert open_backend(ModelChoice(str(folder / "both.safetensors"))).info.backend == "torch"


def test_without_either_the_way_out_is_onnxruntime(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """As a Debian package installs: the sentence that configure fails with."""
    for name in ("onnxruntime", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match=r"^onnxruntime .*pip install.*\[onnx\]"):
        open_backend(ModelChoice(str(folder / "both.safetensors")))


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_fallback_is_used_only_where_allowed(folder: Path, backend: str):
    file = str(folder / "both.safetensors")
    with pytest.raises(BackendError):
        open_backend(ModelChoice(file, backend, device="cuda:7"))
    opened = open_backend(ModelChoice(file, backend, device="cuda:7", allow_fallback=True))
    assert "cpu" in opened.info.provider.lower()


def test_shipped_models_go_by_their_name(folder: Path, monkeypatch: pytest.MonkeyPatch):
    names = sorted(path.name for path in folder.iterdir() if path.suffix in MODEL_SUFFIXES)
    names.append("point_boxes.onnx")  # ships too, but tracks nothing
    monkeypatch.setattr("litetrack_ros.backends.registry.model_names", lambda: names)
    monkeypatch.setattr("litetrack_ros.backends.registry.model_path", lambda name: folder / name)
    assert find_model("both").name == "both.safetensors"
    assert find_model("graph").name in ("graph.search.onnx", "graph.template.onnx")
    with pytest.raises(WeightsError, match="both, graph, stale, torch"):
        find_model("nothing")
