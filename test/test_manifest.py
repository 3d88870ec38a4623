"""Damaged model files are refused, stale ones named, and what nobody hashed is unverified."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from saved_models import save_small

from litetrack_ros.backends.onnx_files import OnnxPaths
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import DEFAULT_MODEL, ModelChoice
from litetrack_ros.errors import DamagedFileError, MediaError, WeightsError
from litetrack_ros.manifest import file_sha256, read_manifest, recording
from litetrack_ros.resources import model_path
from litetrack_ros.tools.main import main

onnx = pytest.importorskip("onnx")
pytest.importorskip("torch")

FILES = ("a.safetensors", "a.search.onnx", "a.template.onnx", "a.weights.bin")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model 'a' in both forms, and its manifest."""
    from litetrack_ros.export.onnx_export import export_onnx

    folder = tmp_path_factory.mktemp("models")
    export_onnx(save_small(folder / "a.safetensors", name="a"), folder, "a")
    return folder


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    """The folder to damage."""
    return Path(shutil.copytree(exported, tmp_path / "models"))


def flip(path: Path, byte: int, mask: int) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= mask
    path.write_bytes(bytes(content))


def test_the_manifest_is_one_of_sha256sum(exported: Path):
    assert sorted(read_manifest(exported / "a.sha256")) == sorted(FILES)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--strict", "-c", "a.sha256"], cwd=exported, check=True)


def test_the_shipped_files_are_those_of_their_manifest():
    manifest = model_path(f"{DEFAULT_MODEL}.safetensors").with_suffix(".sha256")
    lines = read_manifest(manifest)
    assert sorted(lines) == sorted(name.replace("a.", f"{DEFAULT_MODEL}.", 1) for name in FILES)
    for name, sha256 in lines.items():
        assert file_sha256(manifest.parent / name) == sha256


@pytest.mark.parametrize("backend", ["auto", "onnx", "torch"])
def test_one_flipped_bit_of_the_shipped_weights_is_refused(
    tmp_path: Path, backend: str, capsys: pytest.CaptureFixture[str]
):
    """A bit with which otb_crossing fell from AO 0.789 to 0.012, at exit status 0."""
    for path in model_path(f"{DEFAULT_MODEL}.safetensors").parent.glob(f"{DEFAULT_MODEL}.*"):
        shutil.copy(path, tmp_path)
    weights = tmp_path / f"{DEFAULT_MODEL}.safetensors"
    flip(weights, 1441387, 0x40)
    with pytest.raises(DamagedFileError, match="is damaged") as error:
        open_backend(ModelChoice(str(weights), backend))
    assert "export" not in str(error.value)
    assert main(["model", "export", str(weights)]) == 2  # which would spread it
    assert "is damaged" in capsys.readouterr().err


def test_a_bit_flipped_anywhere_is_refused(copied: Path):
    rng = random.Random(0)
    for name in FILES:
        content = (copied / name).read_bytes()
        for _ in range(8):
            flip(copied / name, rng.randrange(len(content)), 1 << rng.randrange(8))
            backend = "torch" if name == FILES[0] else "auto"
            with pytest.raises(DamagedFileError, match=f"{name} is damaged"):
                open_backend(ModelChoice(str(copied / "a.safetensors"), backend))
            (copied / name).write_bytes(content)


def test_a_cut_or_foreign_file_is_damaged_too(copied: Path):
    for name in FILES:
        content = (copied / name).read_bytes()
        for wrong in (b"", content[: len(content) // 2], content + b"\0", b"a page, not found"):
            (copied / name).write_bytes(wrong)
            with pytest.raises(DamagedFileError, match=f"{name} is damaged"):
                open_backend(ModelChoice(str(copied / "a.safetensors")))
        (copied / name).write_bytes(content)


def test_a_damaged_manifest_never_lets_a_damaged_file_pass(copied: Path):
    manifest = copied / "a.sha256"
    text = manifest.read_bytes()
    for byte in range(0, len(text), 3):
        flip(manifest, byte, 0x01)
        try:
            backend = open_backend(ModelChoice(str(copied / "a.safetensors"), "torch"))
        except WeightsError as error:
            assert "a.sha256" in str(error)
        else:  # the line of another file, or the name in its own
            other = manifest.read_bytes().splitlines()[0] == text.splitlines()[0]
            assert other or not backend.info.is_verified
        manifest.write_bytes(text)


def test_without_a_manifest_a_model_is_unverified(copied: Path, capsys: pytest.CaptureFixture[str]):
    path = copied / "a.safetensors"
    for backend in ("onnx", "torch"):
        assert open_backend(ModelChoice(str(path), backend)).info.is_verified
    (copied / "a.sha256").unlink()
    for backend in ("onnx", "torch"):
        assert not open_backend(ModelChoice(str(path), backend)).info.is_verified
    main(["doctor", "--model", str(path)])
    assert "unverified: a.sha256" in capsys.readouterr().out


def test_stale_is_not_damaged_and_advice_depends_on_what_is_known(copied: Path):
    path = copied / "a.safetensors"
    save_small(path, name="a", ai_layers=2)
    with pytest.raises(WeightsError, match=r"is stale.*run: litetrack model export") as error:
        open_backend(ModelChoice(str(path), "onnx"))
    assert not isinstance(error.value, DamagedFileError)
    # Without hashes the weights themselves may be at fault: nothing tells to spread them.
    (copied / "a.sha256").unlink()
    with pytest.raises(WeightsError, match="is stale") as error:
        open_backend(ModelChoice(str(path), "onnx"))
    assert "litetrack model export" not in str(error.value)


@pytest.mark.parametrize("place", ["initializer", "attribute", "subgraph"])
def test_a_graph_may_not_name_another_file_of_weights(copied: Path, place: str):
    paths = OnnxPaths.of(copied, "a", "fp32")
    shutil.copy(paths.weights, copied / "other.bin")
    model = onnx.load(paths.search, load_external_data=False)
    tensor = next(t for t in model.graph.initializer if t.external_data)
    if place != "initializer":
        moved = onnx.TensorProto()
        moved.CopyFrom(tensor)
        tensor = moved
        attribute = model.graph.node[0].attribute.add(name="extra", type=4)
        if place == "attribute":
            attribute.t.CopyFrom(tensor)
            tensor = attribute.t
        else:
            tensor = attribute.g.initializer.add()
            tensor.CopyFrom(moved)
    next(e for e in tensor.external_data if e.key == "location").value = "other.bin"
    with recording(paths.manifest, paths.search):
        paths.search.write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match=r"takes weights from 'other\.bin'"):
        open_backend(ModelChoice(str(paths.search)))


def test_a_failed_write_leaves_the_lines_of_what_is_there(tmp_path: Path):
    manifest, one, two = tmp_path / "m.sha256", tmp_path / "one", tmp_path / "two"
    one.write_text("old")
    two.write_text("old")
    with recording(manifest, one, two):
        pass
    with pytest.raises(MediaError), recording(manifest, one, two):
        assert read_manifest(manifest) == {}  # killed here, both are unverified
        two.write_text("new")
        raise MediaError("no space left on device")
    assert read_manifest(manifest) == {"one": hashlib.sha256(b"old").hexdigest()}
