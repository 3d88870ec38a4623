"""Checkpoints as the authors' training writes them, and as an attacker would."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import small_config, small_model

from litetrack_ros.errors import WeightsError
from litetrack_ros.model.authors_checkpoints import build_official, read_official


class Settings:
    """Stands for the authors' settings object; the reader must not need this class."""

    def __init__(self) -> None:
        self.batch_size = 32
        self.nested = {"path": Path("somewhere"), "values": [1, 2]}


class TouchesFile:
    """A hostile object: unpickling it with the ordinary unpickler writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.path, "executed"))


def authors_net() -> dict[str, torch.Tensor]:
    net = dict(small_model().state_dict())
    net["backbone.cls_token"] = torch.zeros(1, 1, 32)
    net["backbone.pos_embed"] = torch.zeros(1, 197, 32)
    return net


def test_last_epochs(tmp_path: Path) -> None:
    path = tmp_path / "LiteTrack_ep0300.pth.tar"
    torch.save({"net": authors_net()}, path)
    model = build_official(small_config(), read_official(path), str(path))
    wanted = small_model().state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in model.state_dict().items())


def test_earlier_epochs_hold_foreign_objects(tmp_path: Path) -> None:
    path = tmp_path / "LiteTrack_ep0100.pth.tar"
    model = small_model()
    optimizer = torch.optim.AdamW(model.parameters())
    model.predict(torch.zeros(1, 256, 32)).score.sum().backward()
    optimizer.step()
    content = {
        "epoch": 100,
        "net": {key: torch.nn.Parameter(v, False) for key, v in authors_net().items()},
        "optimizer": optimizer.state_dict(),
        "settings": Settings(),
        "stats": {"loss": Settings},
        "device": torch.device("cpu"),
        "half": torch.zeros(3, dtype=torch.float16),
    }
    torch.save(content, path)
    state = read_official(path)
    assert set(state) == set(authors_net())
    assert torch.equal(state["backbone.pos_embed_x"], authors_net()["backbone.pos_embed_x"])


def test_hostile_pickle_executes_nothing(tmp_path: Path) -> None:
    path, witness = tmp_path / "hostile.pth.tar", tmp_path / "witness"
    torch.save({"net": authors_net(), "settings": TouchesFile(witness)}, path)
    assert set(read_official(path)) == set(authors_net())
    assert not witness.exists()
    torch.load(path, weights_only=False)
    assert witness.exists(), "the file is not hostile, so the test shows nothing"


def test_hostile_net_is_refused(tmp_path: Path) -> None:
    path, witness = tmp_path / "hostile.pth.tar", tmp_path / "witness"
    torch.save({"net": {"weight": TouchesFile(witness)}}, path)
    with pytest.raises(WeightsError, match="'weight', which is not a tensor"):
        read_official(path)
    assert not witness.exists()


def test_tensor_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "beyond.pth.tar"
    torch.save({"net": {"weight": torch.zeros(4)}}, path)
    beyond = path.with_name("edited.pth.tar")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(beyond, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("data.pkl"):
                assert content.count(b"K\x04\x85") == 1  # the tensor's size, (4,)
                content = content.replace(b"K\x04\x85", b"K\x63\x85")
            target.writestr(name, content)
    with pytest.raises(WeightsError, match=r"edited\.pth\.tar"):
        read_official(beyond)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no checkpoint this package reads"),
        (b"not a checkpoint", "no checkpoint this package reads"),
        (pickle.dumps({"net": {}}), "no checkpoint this package reads"),
    ],
)
def test_foreign_file(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "foreign.pth.tar"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=complaint):
        read_official(path)


def test_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.pth.tar"
    torch.save({"net": authors_net()}, path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WeightsError, match=r"cut\.pth\.tar"):
        read_official(path)


@pytest.mark.parametrize("content", [{"model": {}}, {"net": {}}, [1, 2], torch.zeros(1)])
def test_other_checkpoints(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "other.pth.tar"
    torch.save(content, path)
    with pytest.raises(WeightsError, match="no 'net'"):
        read_official(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nothing"):
        read_official(tmp_path / "nothing.pth.tar")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ai_layers": 3}, "missing backbone.blocks.3"),
        ({"fe_layers": 0}, "unexpected backbone.blocks.2"),
        ({"head_channels": 32}, r"has shape .* instead of"),
    ],
)
def test_weights_of_another_variant(changes: dict[str, int], complaint: str) -> None:
    with pytest.raises(WeightsError, match=complaint):
        build_official(small_config(**changes), authors_net(), "some.pth.tar")
