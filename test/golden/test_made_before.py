"""Files that an earlier version wrote load bit for bit, and its training goes on as it would have.

``recorded/run.tar.xz`` is the folder of a run of ``recorded/recipe.yaml`` that was stopped after
its first step, ``recorded/model`` the weights that it ended with when it was resumed at once, and
their ONNX files. All were made before the package was put in order (commit 72830cd), and are never
made anew: a release must read what an earlier one wrote.
"""

import csv
import tarfile
from pathlib import Path

import golden_doors as doors
import golden_runs as runs
import numpy as np
import pytest
from golden_values import RECORDED, difference_of_environments, differences
from training_pictures import write_pictures

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

LOOSE = 1e-5
STEPS = 4


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """The stopped run, with its recipe and pictures beside it."""
    with tarfile.open(RECORDED / "run.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    for name in ("recipe.yaml", "model.yaml"):
        (tmp_path / name).write_bytes((RECORDED / name).read_bytes())
    write_pictures(tmp_path / "data")
    return tmp_path / "run"


def _stored(path: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def _assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape, name
        assert found[name].tobytes() == value.tobytes(), name


def test_weights_load_bit_for_bit(run_folder: Path) -> None:
    for path in (runs.MODEL, run_folder / "latest.safetensors"):
        _assert_equal(doors.loaded_tensors(path), _stored(path))


def test_a_stopped_run_goes_on(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run_folder.parent)
    before = torch.get_num_threads()
    words = ["train", "recipe.yaml", "--data", "data", "--out", "run", "--workers", "0"]
    assert doors.litetrack([*words, "--resume"]) == 0
    torch.set_num_threads(before)
    with (run_folder / "training.csv").open(newline="") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == [str(k) for k in range(STEPS)]
    found, expected = _stored(run_folder / "latest.safetensors"), _stored(runs.MODEL)
    if not difference_of_environments():
        _assert_equal(found, expected)
    elif not difference_of_environments("cv2", "numpy"):  # the same pairs
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=LOOSE, atol=LOOSE, err_msg=name)
    else:  # the pairs are others, and so are the gradients
        assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in expected.items()}


def test_graphs_say_the_same() -> None:
    recorded, found = runs.read_recorded("graph_metadata"), runs.graph_metadata()
    for role, metadata in recorded.items():
        for config in ("tracker_config", "model_config"):
            settings = found[role][config]
            for name in settings.keys() - metadata[config].keys():
                assert settings.pop(name) == doors.default_setting(name)  # it came later
    assert differences(found, recorded, exact=True) == []
