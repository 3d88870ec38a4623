"""A teacher's maps and boxes as training signal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from tracking_sets import made_set

from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.model.checkpoint import save_weights
from litetrack_ros.model.head import HeadMaps
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.pairs.pair_recipe import PairSampling
from litetrack_ros.pairs.sampling import TrackingPairs
from litetrack_ros.training.batches import StepBatches
from litetrack_ros.training.distillation import Teacher, distillation_loss
from litetrack_ros.training.loop import Trainer
from litetrack_ros.training.losses import boxes_at
from litetrack_ros.training.processes import ProcessGroup
from litetrack_ros.training.recipe import Recipe

CPU = torch.device("cpu")
LARGE = ModelConfig(
    name="large", embed_dim=32, num_heads=2, fe_layers=2, ai_layers=1, head_channels=16
)
SMALL_YAML = "embed_dim: 16\nnum_heads: 2\nfe_layers: 0\nai_layers: 1\nhead_channels: 8\n"


@pytest.fixture
def teacher_file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = LiteTrack(LARGE)
    path = tmp_path / "teacher.safetensors"
    save_weights(path, model, TrackerConfig())
    return path


def _maps(seed: int) -> HeadMaps:
    generator = torch.Generator().manual_seed(seed)
    maps = [torch.rand(2, c, 8, 8, generator=generator) * 0.8 + 0.1 for c in (1, 2, 2)]
    return HeadMaps(*(m.requires_grad_() for m in maps))


def test_an_equal_student_costs_nothing_and_another_more() -> None:
    teacher = HeadMaps(*(m.detach() for m in _maps(0)))
    assert float(distillation_loss(_maps(0), teacher).detach()) == pytest.approx(0, abs=1e-4)
    student = _maps(1)
    loss = distillation_loss(student, teacher)
    assert float(loss.detach()) > 1
    loss.backward()
    assert student.size.grad is not None
    assert (student.size.grad != 0).flatten(1).sum(dim=1).tolist() == [2, 2]  # one cell each


def test_conventions_are_translated(teacher_file: Path) -> None:
    pairs = TrackingPairs([made_set("two")], [1], LARGE, PairSampling(), seed=0)
    batch = StepBatches(pairs, 2)[0]
    answers = [
        Teacher(teacher_file, dataclasses.replace(LARGE, decode=decode), CPU).answer(batch)
        for decode in ("official", "exact")
    ]
    boxes = [boxes_at(maps, torch.tensor([[5], [7]]))[:, 0] for maps in answers]
    moved = (boxes[1] - boxes[0]) * LARGE.search_size
    torch.testing.assert_close(moved, torch.tensor([[0.5, 0.5, 0, 0]] * 2), atol=1e-3, rtol=0)


def test_a_teacher_must_see_the_same_crops(teacher_file: Path) -> None:
    with pytest.raises(ConfigError, match="search_size 256, the student 128"):
        Teacher(teacher_file, dataclasses.replace(LARGE, search_size=128), CPU)


def test_training_moves_towards_the_teacher(teacher_file: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL_YAML)
    recipe = Recipe(
        model=str(tmp_path / "small.yaml"),
        steps=30,
        warmup_steps=0,
        learning_rate=3e-3,
        batch_size=2,
        stem="trained",
        supervision="peak",
        teacher=str(teacher_file),
        focal_weight=0.0,
        giou_weight=0.0,
        l1_weight=0.0,
    )
    torch.set_num_threads(1)
    pairs = TrackingPairs([made_set("two")], [1], recipe.model_config(), PairSampling(), seed=0)
    batch = StepBatches(pairs, 2)[0]
    trainer = Trainer(recipe, ProcessGroup(0, 1, CPU))
    losses = [float(trainer.step(k, batch)["loss"]) for k in range(12)]
    assert losses[-1] < 0.9 * losses[0]
