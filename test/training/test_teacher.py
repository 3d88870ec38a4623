"""A teacher's answers as training signal, for students of its own crops and of others."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tracking_sets import made_set

from litetrack_ros.config import ModelConfig, TrackerConfig, variant
from litetrack_ros.model.checkpoint import save_weights
from litetrack_ros.model.head import HeadMaps
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.pairs.pair import Pair
from litetrack_ros.pairs.pair_recipe import PairSampling
from litetrack_ros.pairs.sampling import TrackingPairs
from litetrack_ros.training.batches import PairBatch, StepBatches, collate
from litetrack_ros.training.loop import RunOptions, Trainer, train
from litetrack_ros.training.losses import center_cells
from litetrack_ros.training.processes import ProcessGroup
from litetrack_ros.training.recipe import Recipe
from litetrack_ros.training.teacher import (
    Teacher,
    common_crops,
    crops_to_make,
    distillation_loss,
    seen_by,
    translated,
)

CPU = torch.device("cpu")
LARGE = ModelConfig(
    name="large", embed_dim=32, num_heads=2, fe_layers=2, ai_layers=1, head_channels=16
)
SMALL_YAML = "embed_dim: 16\nnum_heads: 2\nfe_layers: 0\nai_layers: 1\nhead_channels: 8\n"


def _random_maps(seed: int, grid: int = 8) -> HeadMaps:
    generator = torch.Generator().manual_seed(seed)
    maps = [torch.rand(2, c, grid, grid, generator=generator) * 0.8 + 0.1 for c in (1, 2, 2)]
    return HeadMaps(*(m.requires_grad_() for m in maps))


def test_an_equal_student_costs_nothing_and_another_more() -> None:
    teacher = translated(HeadMaps(*(m.detach() for m in _random_maps(0))), 8)
    assert float(distillation_loss(_random_maps(0), teacher).detach()) == pytest.approx(0, abs=1e-4)
    student = _random_maps(1)
    loss = distillation_loss(student, teacher)
    assert float(loss.detach()) > 1
    loss.backward()
    assert student.size.grad is not None
    assert (student.size.grad != 0).flatten(1).sum(dim=1).tolist() == [2, 2]  # one cell each


@pytest.fixture
def teacher_file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = LiteTrack(LARGE)
    path = tmp_path / "teacher.safetensors"
    save_weights(path, model, TrackerConfig())
    return path


def test_conventions_are_translated(teacher_file: Path) -> None:
    pairs = TrackingPairs([made_set("two")], [1], LARGE, PairSampling(), seed=0)
    batch = StepBatches(pairs, 2)[0]
    answers = [
        Teacher(teacher_file, dataclasses.replace(LARGE, decode=decode), CPU).answer(batch)
        for decode in ("official", "exact")
    ]
    boxes = [taught.boxes_xyxy_norm for taught in answers]
    moved = (boxes[1] - boxes[0]) * LARGE.search_size
    torch.testing.assert_close(moved, torch.full((2, 4), 0.5), atol=1e-3, rtol=0)


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


def geometry(**values: object) -> ModelConfig:
    return dataclasses.replace(LARGE, decode="exact", **values)  # type: ignore[arg-type]


OTHERS = {
    "nano": geometry(search_size=224, search_factor=3.5),
    "half": geometry(search_size=128, template_size=64),
    "wider": geometry(search_size=320, search_factor=5.0, template_factor=2.5),
    "coarse": geometry(search_size=192, search_factor=4.5, template_size=96),
}


class Square:
    """Pairs of a white square on black, in the crops of a model; its centre by the index."""

    def __init__(self, crops: ModelConfig, side: float = 0.2) -> None:
        self.crops, self.side = crops, side

    def pair(self, index: int) -> Pair:
        rng = np.random.default_rng(index)
        images, boxes = [], []
        for size, spread in ((self.crops.template_size, 0.02), (self.crops.search_size, 0.2)):
            center = 0.5 + rng.uniform(-spread, spread, 2)
            low, high = (np.round((center + s * self.side / 2) * size).astype(int) for s in (-1, 1))
            image = np.zeros((size, size, 3), np.uint8)
            image[low[1] : high[1], low[0] : high[0]] = 255
            images.append(image)
            box = np.concatenate([(low + high) / 2, high - low]) / size
            boxes.append(box.astype(np.float32))
        return Pair(images[0], boxes[0], images[1], boxes[1], True)


@pytest.mark.parametrize("name", list(OTHERS))
@pytest.mark.parametrize("teaches", [True, False])
def test_each_sees_the_target_where_its_box_says(name: str, teaches: bool) -> None:
    """Within half a pixel, measured in the picture, in both models' crops."""
    student, teacher = (OTHERS[name], LARGE) if teaches else (LARGE, OTHERS[name])
    teacher = dataclasses.replace(teacher, decode="exact")
    student = dataclasses.replace(student, decode="exact")
    made = common_crops(student, teacher)
    batch = collate([Square(made).pair(k) for k in range(6)])
    for model in (student, teacher):
        own = seen_by(model, batch, made)
        assert own.searches.shape[1] == model.search_size
        assert own.templates.shape[1] == model.template_size
        assert own.searches.dtype == torch.uint8 and bool(own.present.all())
        low, high = own.template_boxes_xyxy_norm.unflatten(1, (2, 2)).unbind(dim=1)
        for images, centers, sides in (
            (
                own.searches,
                own.search_boxes_cxcywh_norm[:, :2],
                own.search_boxes_cxcywh_norm[:, 2:],
            ),
            (own.templates, (low + high) / 2, high - low),
        ):
            size = images.shape[1]
            weights = images[..., 0].double() / 255
            total = weights.sum(dim=(1, 2))
            across = torch.arange(size) + 0.5
            x = (weights.sum(dim=1) * across).sum(dim=1) / total
            y = (weights.sum(dim=2) * across).sum(dim=1) / total
            assert (torch.stack([x, y], dim=1) - centers * size).abs().max() < 0.5
            assert (total.sqrt() - sides.prod(dim=1).sqrt() * size).abs().max() < 0.5


def maps_at(boxes_cxcywh_norm: torch.Tensor, grid: int) -> HeadMaps:
    """Maps that say these boxes, with a peak of 0.9 in the centre's cell."""
    count = len(boxes_cxcywh_norm)
    score = torch.full((count, 1, grid, grid), 0.01)
    size, offset = torch.full((2, count, 2, grid, grid), 0.5)
    for k, (column, row) in enumerate(center_cells(boxes_cxcywh_norm, grid).tolist()):
        score[k, 0, row, column] = 0.9
        size[k, :, row, column] = boxes_cxcywh_norm[k, 2:]
        corner = torch.tensor([column, row])
        offset[k, :, row, column] = boxes_cxcywh_norm[k, :2] * grid - corner
    return HeadMaps(score, size, offset)


@pytest.mark.parametrize("name", list(OTHERS))
def test_a_teachers_box_lies_where_the_student_sees_the_target(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A teacher that is right about its own crop is right about the student's, within 0.5 px."""
    student = OTHERS[name]
    path = tmp_path / "teacher.safetensors"
    save_weights(path, LiteTrack(geometry()), TrackerConfig())
    teacher = Teacher(path, student, CPU)
    batch = collate([Square(teacher.made).pair(k) for k in range(6)])

    def right(seen: PairBatch) -> HeadMaps:
        return maps_at(seen.search_boxes_cxcywh_norm, teacher.config.search_grid)

    monkeypatch.setattr(teacher.network, "forward", right)
    taught = teacher.answer(batch)
    own = seen_by(student, batch, teacher.made)
    centers, sides = own.search_boxes_cxcywh_norm.split(2, dim=1)
    wanted = torch.cat([centers - sides / 2, centers + sides / 2], dim=1)
    assert ((taught.boxes_xyxy_norm - wanted) * student.search_size).abs().max() < 0.5
    assert taught.trust.tolist() == pytest.approx(6 * [0.9])
    cells = center_cells(own.search_boxes_cxcywh_norm, student.search_grid)
    off = torch.stack([taught.cells % student.search_grid, taught.cells // student.search_grid], 1)
    assert (off - cells).abs().max() <= 1
    # The student's peak lies in the cell that it is taught, and a student of these maps is right.
    same = maps_at(own.search_boxes_cxcywh_norm, student.search_grid)
    other = maps_at(own.search_boxes_cxcywh_norm.roll(1, dims=0), student.search_grid)
    assert float(distillation_loss(same, taught)) < 0.3 * float(distillation_loss(other, taught))


def test_what_one_of_them_does_not_see_teaches_nothing() -> None:
    # The student sees 3.5 of the teacher's 4: the target's centre lies between.
    teacher, student = geometry(), OTHERS["nano"]
    made = common_crops(student, teacher)
    assert (made.search_size, made.search_factor) == (256, 4.0)
    batch = collate([Square(made, side=0.05).pair(0)])
    batch = batch._replace(search_boxes_cxcywh_norm=torch.tensor([[0.03, 0.5, 0.05, 0.05]]))
    assert not bool(seen_by(student, batch, made).present.any())
    assert bool(seen_by(teacher, batch, made).present.all())
    maps = maps_at(batch.search_boxes_cxcywh_norm, 16)
    taught = translated(maps, 14, ratio=224 / 256)
    assert taught.trust.tolist() == [0.0] and bool(taught.known.all())
    # A teacher that sees less than the student says nothing of the rest.
    narrow = translated(maps, 16, ratio=1.25)
    assert narrow.known[8].tolist() == [0, 0, *12 * [1], 0, 0]
    student_maps = HeadMaps(*(m[:1].detach().requires_grad_() for m in _random_maps(0, 16)))
    distillation_loss(student_maps, narrow).backward()
    assert student_maps.score.grad is not None
    assert not student_maps.score.grad[:, :, :2].any() and student_maps.score.grad[:, :, 8, 8].any()


def test_the_same_crops_are_left_as_they_are() -> None:
    maps = HeadMaps(*(m.detach() for m in _random_maps(3)))
    taught = translated(maps, 8)
    assert torch.equal(taught.score, maps.score[:, 0]) and bool(taught.known.all())
    assert taught.cells.tolist() == maps.score.flatten(1).argmax(dim=1).tolist()
    assert common_crops(LARGE, dataclasses.replace(LARGE, embed_dim=64)) == LARGE


@pytest.mark.slow
def test_b9_teaches_nano(tmp_path: Path) -> None:
    """20 steps of both at their published sizes; with random weights nothing is learned of it."""
    path = tmp_path / "b9.safetensors"
    save_weights(path, LiteTrack(variant("b9")), TrackerConfig())
    recipe = Recipe(
        model="nano",
        steps=20,
        warmup_steps=2,
        batch_size=2,
        teacher=str(path),
        validation_pairs=2,
        validate_every=20,
        checkpoint_every=20,
    )
    source = Square(crops_to_make(recipe))
    assert train(recipe, source, source, tmp_path / "run", RunOptions(workers=0)) == 20
