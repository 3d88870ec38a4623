"""`litetrack train` from pictures to a model that loads."""

from pathlib import Path

import pytest
from training_pictures import write_pictures

from litetrack_ros.tools.main import main

pytest.importorskip("torch")

MODEL = """
name: tiny
embed_dim: 32
num_heads: 2
fe_layers: 0
ai_layers: 1
head_channels: 8
target_cue: inside
template_size: 64
search_size: 128
decode: exact
"""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A run of two steps of a small model."""
    (tmp_path / "tiny.yaml").write_text(MODEL)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"model: {tmp_path / 'tiny.yaml'}\nsteps: 2\nbatch_size: 4\nwarmup_steps: 1\n"
        "stem: trained\nvalidation_pairs: 4\n"
    )
    data = write_pictures(tmp_path / "data")
    out = str(tmp_path / "run")
    return ["train", str(recipe), "--data", str(data), "--out", out, "--workers", "0"]


def test_a_run_ends_with_a_model(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from litetrack_ros.model.checkpoint import load_weights

    assert main(arguments) == 0
    assert "2 of 2 steps" in capsys.readouterr().out
    assert load_weights(tmp_path / "run" / "latest.safetensors").model_config.name == "tiny"
    assert (tmp_path / "run" / "training.csv").read_text().count("\n") == 3


def test_a_second_run_needs_resume(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--max-minutes", "0"]) == 0
    assert "1 of 2 steps" in capsys.readouterr().out
    assert main(arguments) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0


def test_faults_are_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments[:3], str(tmp_path / "nowhere"), *arguments[4:]]) == 2
    assert "nowhere" in capsys.readouterr().err
    (tmp_path / "recipe.yaml").write_text("model: nano\nstep: 1\n")
    assert main(arguments) == 2
    assert "recipe.yaml" in capsys.readouterr().err
