import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from recipe_page import PAGE, recipe_page
from training_pictures import write_pictures

from litetrack_ros import resources
from litetrack_ros.config import variant
from litetrack_ros.errors import ConfigError
from litetrack_ros.pairs.pair_recipe import PairRecipe
from litetrack_ros.settings import from_json, to_json
from litetrack_ros.training.batches import pair_sources
from litetrack_ros.training.recipe import Recipe, read_recipe

START = "model: nano\nsteps: 500\n"


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
        (START + "pairs: {looks: {}}", "pairs: unknown key 'looks'; the closest is 'look'"),
        (START + "pairs: {look: {gray: 1}}", "look: unknown key 'gray'; the closest is 'grey'"),
        (START + "pairs: {look: 1}", "look is 1, but must hold 'key: value' lines"),
        (START + "pairs: {look: {grey: 1.5}}", "look: grey is 1.5, but must be from 0 to 1"),
        (
            START + "pairs: {look: {low_res: [2, 1]}}",
            "low_res is .* but must be in rising order",
        ),
        (START + "pairs: {look: {low_res: 2}}", "low_res is 2, but must be a list of 2 numbers"),
        (START + "pairs: {sprite: {ellipse_powers: 3}}", "is 3, but must be a list of numbers"),
        (START + "pairs: {sprite: {polygon_corners: [3]}}", "must be a list of 2 numbers"),
        (START + "pairs: {look: {low_res: [1, x]}}", "low_res is 'x', but must be of type float"),
        (START + "pairs: {look: {jpeg_quality: [0, 9]}}", "jpeg_quality .* from 1 to 100"),
        (START + "pairs: {pose: {angle: -1}}", "pose: angle is -1.0, but must be at least 0"),
        (START + "pairs: {natural: 0.7, filmed: 0.4}", "must not exceed 1 together"),
        (START + "sampling: {}\npairs: {absent: 0}", "no effect beside sampling"),
        (START + "sampling: {}\nsources: {}", "sources has no effect beside sampling"),
        (START + "sources: {synthetic: 0.5, photos: 0.4}", "add up to 0.9, but must add up to 1"),
        (START + "sources: {synthetic: 0.5, clips: 0.5}", "held_out is empty"),
        (START + "sources: {film: 1}", "sources: unknown key 'film'"),
        (START + "sources: {synthetic: 1.5}", "synthetic is 1.5, but must be from 0 to 1"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_recipe(path)


def test_the_recipe_with_real_video_is_half_synthetic() -> None:
    recipe = read_recipe(resources.config_path("train_nano_real"))
    assert recipe.sources is not None and recipe.sources.synthetic >= 0.5
    assert recipe.learning_rate < read_recipe(resources.config_path("train_nano")).learning_rate


def test_the_recipe_with_two_templates_differs_from_the_model_in_that_alone() -> None:
    recipe = read_recipe(resources.config_path("train_nano_two"))
    assert recipe.model_config() == dataclasses.replace(variant("nano"), templates=2)
    assert dataclasses.replace(recipe, templates=0).model_config() == variant("nano")
    assert 0 < recipe.pairs.recent.wrong < recipe.pairs.recent.missing < 1


def test_unknown_model_is_named() -> None:
    with pytest.raises(ConfigError, match="models/none"):
        Recipe(model="none", steps=500).model_config()


def test_a_number_of_the_pairs_is_set_in_yaml(tmp_path: Path) -> None:
    """From the file to the picture: with all videos grey, so are all crops."""
    (tmp_path / "base.yaml").write_text(START + "pairs: {look: {grey: 1.0, noise_share: 0.25}}")
    (tmp_path / "grey.yaml").write_text("base: base.yaml\npairs: {look: {later: {cut: 0}}}")
    recipe = read_recipe(tmp_path / "grey.yaml")
    look = recipe.pairs.look
    assert (look.grey, look.noise_share, look.later.cut) == (1.0, 0.25, 0.0)
    pictures = [str(write_pictures(tmp_path / "pictures"))]
    usual = pair_sources(Recipe("nano", 500), pictures)
    for source, reference in zip(pair_sources(recipe, pictures), usual, strict=True):
        colours = [np.ptp(source.pair(k).search, axis=2).max() for k in range(12)]
        assert max(colours) < 12  # what JPEG leaves
        assert max(np.ptp(reference.pair(k).search, axis=2).max() for k in range(12)) > 50


def test_a_recipe_is_written_in_full_and_read_back() -> None:
    recipe = Recipe("nano", 500, pairs=PairRecipe(absent=0.4))
    written = json.loads(to_json(recipe))
    assert written["pairs"]["absent"] == 0.4
    assert written["pairs"]["look"]["later"]["blur_sigma_px"] == [0.3, 2.0]
    assert from_json(Recipe, json.dumps(written), "here") == recipe
    for key in ("look", "absent"):
        del written["pairs"][key]
    assert from_json(Recipe, json.dumps(written), "here") == Recipe("nano", 500)


def test_every_key_is_on_its_page() -> None:
    assert PAGE.read_text(encoding="utf-8") == recipe_page(), (
        "run python test/helpers/recipe_page.py"
    )
