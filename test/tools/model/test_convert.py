"""`litetrack model convert`: the authors' checkpoints, whatever else is pickled in them."""

import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from litetrack_ros.tools.main import main

torch = pytest.importorskip("torch")

from litetrack_ros.config import TrackerConfig, variant  # noqa: E402
from litetrack_ros.model.checkpoint import kept_state, load_weights  # noqa: E402
from litetrack_ros.model.litetrack import LiteTrack  # noqa: E402


class TrainingSettings:
    """Stands for the classes of the authors' training code."""

    def __init__(self) -> None:
        self.epoch = 300


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.marker}'",)


@pytest.fixture(scope="module")
def b4_state() -> dict[str, "torch.Tensor"]:
    """Tensors as in a B4 checkpoint, each of one stored value, so that the file is small."""
    with torch.device("meta"):
        model = LiteTrack(variant("b4"))
    state = {}
    for index, (key, tensor) in enumerate(kept_state(model).items()):
        state[key] = torch.tensor(0.001 * index).expand(tensor.shape)
    state["backbone.cls_token"] = torch.zeros(1, 1, 768)
    state["backbone.pos_embed"] = torch.zeros(1, 197, 768)
    state["box_head.conv1_ctr.1.num_batches_tracked"] = torch.tensor(7)
    return state


def convert(checkpoint: Path, output: Path, variant_name: str = "b4") -> int:
    return main(["model", "convert", str(checkpoint), "--variant", variant_name, "-o", str(output)])


def test_a_checkpoint_with_foreign_objects(tmp_path: Path, b4_state: dict):
    checkpoint, output = tmp_path / "official.pth.tar", tmp_path / "b4.safetensors"
    torch.save({"epoch": 300, "net": b4_state, "settings": TrainingSettings()}, checkpoint)
    assert convert(checkpoint, output) == 0
    loaded = load_weights(output)
    assert loaded.model_config == variant("b4")
    assert loaded.model_config.decode == "official"
    assert loaded.tracker_config == TrackerConfig()
    assert loaded.tracker_config.lost_threshold == 0  # no target states, as in the authors' tracker
    for key, tensor in kept_state(loaded.model).items():
        assert torch.equal(tensor, b4_state[key]), key


def test_a_hostile_checkpoint_is_read_and_not_obeyed(tmp_path: Path, b4_state: dict):
    checkpoint, marker = tmp_path / "hostile.pth.tar", tmp_path / "obeyed"
    torch.save({"net": b4_state, "settings": Hostile(marker)}, checkpoint)
    assert convert(checkpoint, tmp_path / "b4.safetensors") == 0
    assert not marker.exists()
    torch.load(checkpoint, weights_only=False)
    assert marker.exists()  # so the file was hostile


def wrong_variant(folder: Path, state: dict) -> None:
    torch.save({"net": state}, folder / "c.pth.tar")


def missing_key(folder: Path, state: dict) -> None:
    less = {k: v for k, v in state.items() if k != "backbone.pos_embed_x"}
    torch.save({"net": less}, folder / "c.pth.tar")


def hostile_alone(folder: Path, state: dict) -> None:
    torch.save(Hostile(folder / "obeyed"), folder / "c.pth.tar")


def hostile_tensor(folder: Path, state: dict) -> None:
    torch.save({"net": {"backbone.pos_embed_x": Hostile(folder / "obeyed")}}, folder / "c.pth.tar")


def pickled(folder: Path, content: bytes, **more: bytes) -> None:
    """An archive as torch.save writes it, with any pickle."""
    with zipfile.ZipFile(folder / "c.pth.tar", "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for name, data in more.items():
            archive.writestr(f"archive/data/{name}", data, zipfile.ZIP_DEFLATED)


def huge_bytes(folder: Path, state: dict) -> None:
    pickled(folder, b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.")


def huge_bytearray(folder: Path, state: dict) -> None:
    pickled(folder, b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x.")


def huge_frame(folder: Path, state: dict) -> None:
    pickled(folder, b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.")


def huge_memo(folder: Path, state: dict) -> None:
    pickled(folder, b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b".")


def zip_bomb(folder: Path, state: dict) -> None:
    pickled(folder, b"\x80\x02N.", **{"0": bytes(200_000_000)})


def pickle_bomb(folder: Path, state: dict) -> None:
    with zipfile.ZipFile(folder / "c.pth.tar", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"N0" * 50_000_000 + b"N.")


def slow_packing(folder: Path, state: dict) -> None:
    with zipfile.ZipFile(folder / "c.pth.tar", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02N.")


def truncated(folder: Path, state: dict) -> None:
    wrong_variant(folder, state)
    content = (folder / "c.pth.tar").read_bytes()
    (folder / "c.pth.tar").write_bytes(content[: len(content) // 2])


def empty(folder: Path, state: dict) -> None:
    (folder / "c.pth.tar").touch()


def absent(folder: Path, state: dict) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "variant_name", "message"),
    [
        (wrong_variant, "b9", "does not fit the model 'b9': missing backbone.blocks.4."),
        (missing_key, "b4", "missing backbone.pos_embed_x"),
        (hostile_alone, "b4", "holds no 'net'"),
        (hostile_tensor, "b4", "'net' holds 'backbone.pos_embed_x', which is not a tensor"),
        (truncated, "b4", "no checkpoint this package reads"),
        (empty, "b4", "no checkpoint this package reads"),
        (absent, "b4", "cannot read the checkpoint"),
        (huge_bytes, "b4", "damaged or hostile"),
        (huge_bytearray, "b4", "damaged or hostile"),
        (huge_frame, "b4", "damaged or hostile"),
        (huge_memo, "b4", "damaged or hostile"),
        (zip_bomb, "b4", "would unpack to 2000000"),
        (pickle_bomb, "b4", "damaged or hostile"),
        (slow_packing, "b4", "torch.save never uses"),
        (wrong_variant, "b5", "b5"),
    ],
)
def test_bad_checkpoints_write_nothing(
    tmp_path: Path,
    b4_state: dict,
    capsys: pytest.CaptureFixture[str],
    make: Any,
    variant_name: str,
    message: str,
):
    make(tmp_path, b4_state)
    before = sorted(tmp_path.iterdir())
    assert convert(tmp_path / "c.pth.tar", tmp_path / "out.safetensors", variant_name) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_the_output_s_name_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert convert(tmp_path / "c.pth.tar", tmp_path / "b4.pth") == 2
    assert "must end in .safetensors" in capsys.readouterr().err
