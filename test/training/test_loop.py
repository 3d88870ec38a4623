import csv
import dataclasses
import json
import os
import signal
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from published_layouts import write_got10k

from litetrack_ros.datasets.catalogue import open_set
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.datasets.shards import write_shards
from litetrack_ros.errors import ConfigError, WeightsError
from litetrack_ros.media.drawing import RED
from litetrack_ros.model.checkpoint import load_weights
from litetrack_ros.pairs.pair_recipe import PairSampling
from litetrack_ros.pairs.sampling import TrackingPairs
from litetrack_ros.training.batches import PairBatch, PairSource
from litetrack_ros.training.loop import RunOptions, Trainer, train
from litetrack_ros.training.recipe import Recipe
from litetrack_ros.training.validation import tracked_ao


def _train(recipe: Recipe, source: PairSource, folder: Path, **options: object) -> int:
    return train(recipe, source, source, folder, RunOptions(**{"workers": 0, **options}))  # type: ignore[arg-type]


def _table(folder: Path, name: str = "training") -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def _stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process get SIGTERM in the middle of a step."""
    step = Trainer.step

    def stopping_step(self: Trainer, index: int, batch: PairBatch) -> dict[str, torch.Tensor]:
        if index == steps - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, index, batch)

    monkeypatch.setattr(Trainer, "step", stopping_step)


def test_a_run_leaves_a_model_and_its_figures(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    assert _train(tiny_recipe, squares, tmp_path) == 12
    loaded = load_weights(tmp_path / "latest.safetensors")
    assert loaded.model_config == tiny_recipe.model_config()
    assert loaded.metadata["steps"] == "12"
    load_weights(tmp_path / "best.safetensors")
    assert [row["step"] for row in _table(tmp_path)] == [str(k) for k in range(12)]
    assert [row["step"] for row in _table(tmp_path, "validation")] == ["4", "8", "12"]


def test_the_best_is_chosen_by_tracking(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path, scenes: Path
) -> None:
    recipe = dataclasses.replace(tiny_recipe, tracked=str(scenes))
    _train(recipe, squares, tmp_path / "run")
    table = _table(tmp_path / "run", "validation")
    reached = [float(row["tracked_ao"]) for row in table]
    best = load_weights(tmp_path / "run/best.safetensors")
    assert best.metadata["steps"] == table[int(np.argmax(reached))]["step"]
    wanted = tracked_ao(best.model, find_sequences([scenes]))
    assert max(reached) == pytest.approx(wanted, abs=1e-5)
    assert json.loads(best.metadata["recipe"])["tracked"] == scenes.name  # no path
    _train(tiny_recipe, squares, tmp_path / "other")
    assert "tracked_ao" not in _table(tmp_path / "other", "validation")[0]
    one, other = (
        load_weights(tmp_path / run / "latest.safetensors").model.state_dict()
        for run in ("run", "other")
    )
    # What it is chosen by changes nothing in the training.
    assert all(map(torch.equal, one.values(), other.values()))


def test_tensorboard_gets_figures_and_pictures(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    _train(tiny_recipe, squares, tmp_path)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"), {"images": 0})
    events.Reload()
    assert "training/loss" in events.Tags()["scalars"]
    samples, predictions = (
        events.Images(title) for title in ("training/pairs", "validation/predictions")
    )
    assert [image.step for image in samples] == [0]
    assert [image.step for image in predictions] == [4, 8, 12]
    encoded = np.frombuffer(predictions[-1].encoded_image_string, np.uint8)
    shown = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    model = tiny_recipe.model_config()
    template, search = model.template_size, model.search_size
    assert shown.shape == (4 * search + 12, 2 * (template + 2 * search) + 4, 3)
    assert (shown == RED).all(axis=2).any()


@pytest.mark.parametrize("workers", [0, 1])
def test_the_same_seed_gives_the_same_losses(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path, workers: int
) -> None:
    for name, count in (("one", 0), ("two", workers)):
        _train(tiny_recipe, squares, tmp_path / name, workers=count)
    assert _table(tmp_path / "one") == _table(tmp_path / "two")


def test_another_seed_gives_other_losses(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    _train(tiny_recipe, squares, tmp_path / "one")
    _train(dataclasses.replace(tiny_recipe, seed=2), squares, tmp_path / "two")
    assert _table(tmp_path / "one")[0]["loss"] != _table(tmp_path / "two")[0]["loss"]


def test_resumed_training_equals_uninterrupted_training(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _train(tiny_recipe, squares, tmp_path / "whole")
    with monkeypatch.context() as patch:
        _stop_after(7, patch)
        assert _train(tiny_recipe, squares, tmp_path / "parts") == 7
    assert load_weights(tmp_path / "parts/latest.safetensors").metadata["steps"] == "7"
    assert _train(tiny_recipe, squares, tmp_path / "parts", resume=True) == 12
    for name in ("training", "validation"):
        assert _table(tmp_path / "whole", name) == _table(tmp_path / "parts", name)
    whole, parts = (
        load_weights(tmp_path / run / "latest.safetensors").model.state_dict()
        for run in ("whole", "parts")
    )
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=0, atol=0)


def test_a_run_from_shards_resumes_as_one_from_folders(
    tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle of a pass over the data, with other workers than the whole one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    name, folder = "got10k_train_full", tmp_path / "got"
    write_got10k(folder / "train", [1, 2, 3])
    plain = open_set(name, folder)
    write_shards(plain, tmp_path / "shards", shard_mb=0.05)
    recipe = dataclasses.replace(tiny_recipe, batch_size=2, validation_pairs=2)
    whole, parts = (
        TrackingPairs([training_set], [1], recipe.model_config(), PairSampling(), recipe.seed)
        for training_set in (plain, open_set(name, tmp_path / "shards"))
    )
    _train(recipe, whole, tmp_path / "whole")
    with monkeypatch.context() as patch:
        _stop_after(7, patch)
        assert _train(recipe, parts, tmp_path / "parts", workers=1) == 7
    assert _train(recipe, parts, tmp_path / "parts", workers=1, resume=True) == 12
    assert _table(tmp_path / "whole") == _table(tmp_path / "parts")
    ours, theirs = (
        load_weights(tmp_path / run / "latest.safetensors").model.state_dict()
        for run in ("whole", "parts")
    )
    assert all(map(torch.equal, ours.values(), theirs.values()))


def test_a_killed_run_resumes_from_its_last_checkpoint(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _train(tiny_recipe, squares, tmp_path / "whole")
    step = Trainer.step

    def dying_step(self: Trainer, index: int, batch: PairBatch) -> dict[str, torch.Tensor]:
        if index == 10:
            raise RuntimeError("power cut")
        return step(self, index, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", dying_step)
        with pytest.raises(RuntimeError, match="power cut"):
            _train(tiny_recipe, squares, tmp_path / "parts")
    assert _train(tiny_recipe, squares, tmp_path / "parts", resume=True) == 12
    assert _table(tmp_path / "whole") == _table(tmp_path / "parts")


def test_a_time_limit_only_stops(squares: PairSource, tiny_recipe: Recipe, tmp_path: Path) -> None:
    assert _train(tiny_recipe, squares, tmp_path, max_minutes=0.0) == 1
    assert _train(tiny_recipe, squares, tmp_path, resume=True) == 12
    _train(tiny_recipe, squares, tmp_path / "whole")
    assert _table(tmp_path) == _table(tmp_path / "whole")


def test_signals_are_given_back(squares: PairSource, tiny_recipe: Recipe, tmp_path: Path) -> None:
    before, threads = signal.getsignal(signal.SIGTERM), {t.name for t in threading.enumerate()}
    _train(tiny_recipe, squares, tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before
    # The progress bar's own thread stays for the next bar.
    assert {t.name for t in threading.enumerate()} - threads <= {"tqdm_monitor"}


def test_a_finished_run_has_nothing_left_to_do(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    _train(tiny_recipe, squares, tmp_path)
    table = _table(tmp_path)
    assert _train(tiny_recipe, squares, tmp_path, resume=True) == 12
    assert _table(tmp_path) == table


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path, precision: str
) -> None:
    recipe = dataclasses.replace(
        tiny_recipe,
        steps=240,
        warmup_steps=10,
        learning_rate=3e-3,
        rolled_share=0.0,
        precision=precision,  # type: ignore[arg-type]
        ema_decay=0.9,
        quality_from_step=200,
        validate_every=240,
    )
    _train(recipe, squares, tmp_path)
    report = {key: float(value) for key, value in _table(tmp_path, "validation")[-1].items()}
    assert report["hit_right"] > 0.95
    assert report["overlap_peak"] > 0.5


def test_a_folder_with_a_run_is_not_overwritten(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    _train(tiny_recipe, squares, tmp_path, max_minutes=0.0)
    with pytest.raises(ConfigError, match="--resume"):
        _train(tiny_recipe, squares, tmp_path)


def test_another_recipe_does_not_resume(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    _train(tiny_recipe, squares, tmp_path, max_minutes=0.0)
    with pytest.raises(ConfigError, match="another recipe"):
        _train(dataclasses.replace(tiny_recipe, seed=9), squares, tmp_path, resume=True)


@pytest.mark.parametrize("content", [None, b"", b"junk"])
def test_a_missing_or_damaged_state_is_named(
    squares: PairSource, tiny_recipe: Recipe, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"state\.pt"):
        _train(tiny_recipe, squares, tmp_path, resume=True)
