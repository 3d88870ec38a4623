from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_models import small_config, small_model

from litetrack_ros.config import TrackerConfig
from litetrack_ros.errors import WeightsError
from litetrack_ros.model.checkpoint import FORMAT, kept_state, load_weights, save_weights
from litetrack_ros.settings import to_json

TRACKER = TrackerConfig(lost_threshold=0.25, size_smoothing=0.5)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_weights(path, small_model(), TRACKER, {"command": "made by a test"})
    return path


def test_round_trip(saved: Path) -> None:
    loaded = load_weights(saved)
    assert loaded.model_config == small_config()
    assert loaded.tracker_config == TRACKER
    assert loaded.metadata["command"] == "made by a test"
    assert len(loaded.sha256) == 64
    wanted = kept_state(small_model())
    assert all(torch.equal(kept_state(loaded.model)[key], wanted[key]) for key in wanted)
    assert {path.name for path in saved.parent.iterdir()} == {saved.name, "small.sha256"}


def test_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot write"):
        save_weights(tmp_path / "nowhere" / "small.safetensors", small_model(), TRACKER)


@pytest.mark.parametrize("kept_bytes", [0, 4, 100, -1000])
def test_truncated_file(saved: Path, kept_bytes: int) -> None:
    saved.with_suffix(".sha256").unlink()
    saved.write_bytes(saved.read_bytes()[:kept_bytes])
    with pytest.raises(WeightsError, match=r"cannot read the weights file .*small\.safetensors"):
        load_weights(saved)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nothing"):
        load_weights(tmp_path / "nothing.safetensors")


def test_foreign_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="not one of this package's models"):
        load_weights(path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: s.pop("backbone.pos_embed_z"), "missing backbone.pos_embed_z"),
        (lambda s: s.update(extra=torch.zeros(1)), "unexpected extra"),
        (
            lambda s: s.update({"backbone.pos_embed_x": torch.zeros(1, 4, 32)}),
            r"backbone.pos_embed_x has shape \(1, 4, 32\) instead of \(1, 256, 32\)",
        ),
    ],
)
def test_keys_are_strict(tmp_path: Path, change, complaint: str) -> None:
    state = {key: value.clone() for key, value in kept_state(small_model()).items()}
    change(state)
    path = tmp_path / "wrong.safetensors"
    metadata = {
        "format": FORMAT,
        "model": to_json(small_config()),
        "tracker": to_json(TRACKER),
    }
    save_file(state, path, metadata=metadata)
    with pytest.raises(WeightsError, match=complaint):
        load_weights(path)


def test_faulty_configuration(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    metadata = {"format": FORMAT, "model": '{"depth": 3}', "tracker": to_json(TRACKER)}
    save_file({"weight": torch.zeros(2)}, path, metadata=metadata)
    with pytest.raises(WeightsError, match="unknown key 'depth'"):
        load_weights(path)
