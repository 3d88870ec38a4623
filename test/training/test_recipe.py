from pathlib import Path

import pytest

from litetrack_ros import resources
from litetrack_ros.errors import ConfigError
from litetrack_ros.training.recipe import Recipe, read_recipe


def test_shipped_recipe_names_a_shipped_model() -> None:
    recipe = read_recipe(resources.config_path("train_nano"))
    assert recipe.model_config().name == "nano"
    assert recipe.model_config().decode == "exact"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: nano\nsteps: 9\nlerning_rate: 1", "unknown key 'lerning_rate'"),
        ("model: nano", "'steps' is missing"),
        ("model: nano\nsteps: many", "steps is 'many'"),
        ("model: nano\nsteps: 10\nprecision: int8", "precision is 'int8'"),
        ("model: nano\nsteps: 10\nwarmup_steps: 10", "warmup_steps is 10"),
        ("model: nano\nsteps: 500\nrolled_share: 1.5", "rolled_share is 1.5"),
        ("- 1", "key: value"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_recipe(path)


def test_unknown_model_is_named() -> None:
    with pytest.raises(ConfigError, match="models/none"):
        Recipe(model="none", steps=500).model_config()
