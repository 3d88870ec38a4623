"""Pairs of several sources by their shares, and training on them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from training_pictures import write_boxed, write_pictures

from litetrack_ros.errors import DatasetError
from litetrack_ros.model.checkpoint import load_weights
from litetrack_ros.pairs.clip_pairs import ClipPairs
from litetrack_ros.pairs.pair import Pair
from litetrack_ros.pairs.pair_recipe import SourceShares
from litetrack_ros.pairs.photo_pairs import PhotoPairs
from litetrack_ros.pairs.synthetic import SyntheticPairs
from litetrack_ros.training.batches import MixedPairs, pair_sources
from litetrack_ros.training.loop import RunOptions, train
from litetrack_ros.training.recipe import Recipe

SHARES = SourceShares(synthetic=0.5, clips=0.3, photos=0.2, held_out="held")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Pictures of every kind, in two folders."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return [str(write_pictures(tmp_path / "made")), str(write_boxed(tmp_path / "real"))]


class _Constant:
    def __init__(self, value: int) -> None:
        self.value = value

    def pair(self, index: int) -> Pair:
        picture = np.full((2, 2, 3), self.value, np.uint8)
        return Pair(picture, np.zeros(4, np.float32), picture, np.zeros(4, np.float32), False)


def test_shares_hold_in_every_batch() -> None:
    mixed = MixedPairs([_Constant(k) for k in range(3)], [0.5, 0.35, 0.15])
    drawn = np.array([mixed.pair(k).search[0, 0, 0] for k in range(3200)])
    np.testing.assert_allclose(np.bincount(drawn) / 3200, [0.5, 0.35, 0.15], atol=0.002)
    for batch in drawn.reshape(-1, 32):
        np.testing.assert_allclose(np.bincount(batch, minlength=3), [16, 11.2, 4.8], atol=2)


def test_sources_of_a_recipe(folders: list[str], tiny_recipe: Recipe) -> None:
    recipe = dataclasses.replace(tiny_recipe, sources=SHARES)
    for mixed in pair_sources(recipe, folders):
        assert isinstance(mixed, MixedPairs)
        synthetic, clips, photos = mixed.sources
        assert isinstance(synthetic, SyntheticPairs)
        assert isinstance(clips, ClipPairs) and isinstance(photos, PhotoPairs)
    train_clips, held_out = (len(m.sources[1].clips) for m in pair_sources(recipe, folders))  # type: ignore[attr-defined]
    assert (train_clips, held_out) == (3, 1)
    with pytest.raises(DatasetError, match="no video with boxes"):
        pair_sources(recipe, folders[:1])


def test_synthetic_pairs_alone_stay_what_they_were(folders: list[str], tiny_recipe: Recipe) -> None:
    config = tiny_recipe.model_config()
    before = SyntheticPairs([Path(folders[0])], config, 1, tiny_recipe.pairs)
    for recipe in (tiny_recipe, dataclasses.replace(tiny_recipe, sources=SourceShares())):
        source = pair_sources(recipe, folders[:1]).train
        for k in range(4):
            for one, two in zip(source.pair(k), before.pair(k), strict=True):
                np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("workers", [0, 1])
def test_resumed_training_equals_uninterrupted_training(
    folders: list[str], tiny_recipe: Recipe, tmp_path: Path, workers: int
) -> None:
    recipe = dataclasses.replace(
        tiny_recipe, sources=SHARES, steps=5, batch_size=4, validation_pairs=4, checkpoint_every=2
    )
    sources = pair_sources(recipe, folders)

    def run(name: str, resume: bool = False, minutes: float | None = None) -> int:
        options = RunOptions(workers=workers, resume=resume, max_minutes=minutes)
        return train(recipe, sources.train, sources.validation, tmp_path / name, options)

    assert run("whole") == 5
    assert run("parts", minutes=0.0) < 5
    assert run("parts", resume=True) == 5
    whole, parts = (
        load_weights(tmp_path / name / "latest.safetensors").model.state_dict()
        for name in ("whole", "parts")
    )
    for key, value in whole.items():
        torch.testing.assert_close(parts[key], value, rtol=0, atol=0)
