"""Exported files are read strictly: what is wrong is named before anything runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from saved_models import save_small

from litetrack_ros.backends.onnx_backend import OnnxBackend
from litetrack_ros.backends.onnx_files import (
    OnnxPaths,
    graph_precision,
    is_graph,
    model_name,
    read_metadata,
)
from litetrack_ros.errors import WeightsError
from litetrack_ros.export.onnx_export import export_onnx


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models, 'a' and 'b', that differ in depth."""
    folder = tmp_path_factory.mktemp("models")
    for name, layers in (("a", 2), ("b", 1)):
        weights = save_small(folder / f"{name}.safetensors", name=name, ai_layers=layers)
        export_onnx(weights, folder, name)
    return folder


def truncate(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def foreign(path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [other])), path)


def flip_weight(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def change_metadata(path: Path, key: str, value: str) -> None:
    model = onnx.load(path, load_external_data=False)
    for entry in model.metadata_props:
        if entry.key == key:
            entry.value = value
    path.write_bytes(model.SerializeToString())


def swap(paths: OnnxPaths) -> None:
    search = paths.search.read_bytes()
    paths.search.write_bytes(paths.template.read_bytes())
    paths.template.write_bytes(search)


FAULTS: dict[str, tuple[Callable[[OnnxPaths, Path], object], str]] = {
    "search truncated": (lambda p, _: truncate(p.search, 0.7), "truncated"),
    "template truncated": (lambda p, _: truncate(p.template, 0.99), "truncated"),
    "empty": (lambda p, _: truncate(p.search, 0), "not a model that litetrack model export wrote"),
    "text": (lambda p, _: p.search.write_text("a page, not found"), "no ONNX file"),
    "foreign": (lambda p, _: foreign(p.search), "not a model that litetrack model export wrote"),
    "weights truncated": (lambda p, _: truncate(p.weights, 0.5), "damaged"),
    "weights damaged": (lambda p, _: flip_weight(p.weights), "damaged"),
    "weights missing": (lambda p, _: p.weights.unlink(), "missing"),
    "search missing": (lambda p, _: p.search.unlink(), "missing"),
    "graphs swapped": (lambda p, _: swap(p), "swapped"),
    "other variant's search": (
        lambda p, folder: shutil.copy(folder / "b.search.onnx", p.search),
        "different models .'a' and 'b'",
    ),
    "other variant's weights": (
        lambda p, folder: shutil.copy(folder / "b.weights.bin", p.weights),
        "belongs to another model",
    ),
    "unknown setting": (
        lambda p, _: change_metadata(p.search, "model", '{"nme": "a"}'),
        "unknown key 'nme'",
    ),
    "no number": (lambda p, _: change_metadata(p.search, "max_targets", "all"), "metadata"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_files_are_refused_with_the_reason(exported: Path, tmp_path: Path, fault: str):
    for path in exported.glob("a.*"):
        shutil.copy(path, tmp_path)
    paths = OnnxPaths.of(tmp_path, "a", "fp32")
    paths.manifest.unlink()  # which would know first
    damage, message = FAULTS[fault]
    damage(paths, exported)
    with pytest.raises(WeightsError, match=message):
        OnnxBackend(paths)


def test_a_graph_cut_at_a_field_is_refused(exported: Path, tmp_path: Path):
    """Its last field left out whole, a file is sound protobuf without the hash it must have."""
    shutil.copy(exported / "a.search.onnx", tmp_path)
    path = tmp_path / "a.search.onnx"
    model = onnx.load(path, load_external_data=False)
    del model.metadata_props[-1]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match="weights_sha256"):
        read_metadata(path)


@pytest.mark.parametrize(
    ("file", "name", "graph", "precision"),
    [
        ("litetrack_nano.safetensors", "litetrack_nano", False, "fp32"),
        ("litetrack_nano.search.onnx", "litetrack_nano", True, "fp32"),
        ("litetrack_nano.fp16.template.onnx", "litetrack_nano", True, "fp16"),
        ("my.model.int8.search.onnx", "my.model", True, "int8"),
        ("other.onnx", "other.onnx", False, "fp32"),
    ],
)
def test_names(file: str, name: str, graph: bool, precision: str):
    assert model_name(Path(file)) == name
    assert is_graph(Path(file)) == graph
    assert graph_precision(Path(file)) == precision
