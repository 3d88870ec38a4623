"""The training loop: for a CPU, one GPU, or several processes under `torchrun`."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from litetrack_ros.config import TrackerConfig
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.errors import ConfigError, TrainingError
from litetrack_ros.model.head import HeadMaps
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.model.stem import EfficientNetLite0Stem
from litetrack_ros.training import losses, network, run_folder
from litetrack_ros.training.batches import PairBatch, PairSource, StepBatches, roll_templates
from litetrack_ros.training.init_from import load_pretrained_stem
from litetrack_ros.training.pictures import Album
from litetrack_ros.training.processes import ProcessGroup, StopRequest, process_group
from litetrack_ros.training.provenance import Start, write_record
from litetrack_ros.training.recipe import Recipe
from litetrack_ros.training.schedule import Ema, rate_factor
from litetrack_ros.training.teacher import Taught, Teacher, distillation_loss, seen_by
from litetrack_ros.training.validation import tracked_ao, validate

# The score map starts near 0.1, as in CenterNet: few cells hold a target, and from 0.5 the first
# hundreds of steps would go into saying so.
SCORE_PRIOR_LOGIT = -2.19
WRITE_EVERY = 10  # steps between two waits for the device and writes of the figures
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOptions:
    """How a run is carried out; all but ``initial`` leaves its numbers alone on the same device.

    Attributes:
        device: ``cpu`` or ``cuda``.
        workers: processes that make pairs; 0 makes them between the steps.
        resume: go on from the state in the run's folder.
        max_minutes: stop after this time, to be resumed; None is no limit.
        initial: tensors that a new run starts from, by the model's keys.
        extend: folder of a finished run whose last weights a new run starts from.
        start: how the run was started, for its record; None keeps none.
    """

    device: str = "cpu"
    workers: int = 1
    resume: bool = False
    max_minutes: float | None = None
    initial: Mapping[str, Tensor] | None = None
    extend: Path | None = None
    start: Start | None = None


class Trainer:
    """What a run consists of, and its single step.

    Args:
        recipe: how to train.
        group: this process and its device.
        initial: tensors to start from, by the model's keys; the others start afresh.
    """

    def __init__(
        self, recipe: Recipe, group: ProcessGroup, initial: Mapping[str, Tensor] | None = None
    ) -> None:
        self.recipe, self.group = recipe, group
        torch.manual_seed(recipe.seed)
        model = LiteTrack(recipe.model_config(), recipe.drop_path)
        if isinstance(model.backbone.patch_embed, EfficientNetLite0Stem):
            load_pretrained_stem(model.backbone.patch_embed)
        if recipe.score_prior == "rare":
            bias = model.box_head.get_parameter("conv5_ctr.bias")
            torch.nn.init.constant_(bias, SCORE_PRIOR_LOGIT)
        if initial is not None:
            model.load_state_dict({**model.state_dict(), **initial})
        self.teacher: Teacher | None = None
        if recipe.teacher:
            self.teacher = Teacher(Path(recipe.teacher), model.config, group.device)
        # A teacher needs the images, so that the stem cannot run where they are made.
        self.features = (
            None if self.teacher else network.frozen_features(model, recipe, group.device)
        )
        self.network = (
            network.TrainedNetwork(model, recipe.stem == "frozen").to(group.device).train()
        )
        self.wrapped = group.wrap(self.network)
        self.ema = Ema(self.network, recipe.ema_decay)
        self.optimizer = torch.optim.AdamW(network.parameter_groups(self.network, recipe))
        scaled = recipe.precision == "float16"
        self.scaler = torch.amp.GradScaler(group.device.type, enabled=scaled)
        self.weights = losses.LossWeights(recipe.focal_weight, recipe.giou_weight, recipe.l1_weight)

    def step(self, step: int, batch: PairBatch) -> dict[str, Tensor]:
        """One optimizer step; all randomness follows from the seed and the step.

        Returns:
            The step's figures, still on the device.
        """
        recipe = self.recipe
        seed = recipe.seed * 1_000_003 + step * self.group.world_size + self.group.rank
        torch.manual_seed(seed)
        generator, apart = torch.Generator().manual_seed(seed), recipe.pairs.recent.rolled_apart
        batch = roll_templates(batch, recipe.rolled_share, generator, apart)
        factor = rate_factor(recipe, step)
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = recipe.learning_rate * factor * parameters["rate"]
        self.optimizer.zero_grad(set_to_none=True)
        batch, taught = self._seen(batch.to(self.group.device))
        report = self.gradients(step, batch, seed, taught)
        self.scaler.unscale_(self.optimizer)
        limit = recipe.clip_norm or float("inf")
        norm = clip_grad_norm_(self.network.parameters(), limit)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.ema.update(self.network, step)
        return {
            "loss": report.total.detach(),
            **{name: getattr(report, name) for name in report._fields[1:]},
            "gradient_norm": norm,
            "learning_rate": torch.tensor(recipe.learning_rate * factor),
        }

    def _seen(self, batch: PairBatch) -> tuple[PairBatch, Taught | None]:
        """What the model sees of a batch, and what its teacher says of it."""
        if self.teacher is None:
            return batch, None
        return self._own(batch), self.teacher.answer(batch)

    def _own(self, batch: PairBatch) -> PairBatch:
        """The model's own crops, where its teacher's were made with them."""
        t = self.teacher
        return batch if t is None else seen_by(t.student, batch, t.made)

    def gradients(
        self, step: int, batch: PairBatch, seed: int, taught: Taught | None = None
    ) -> losses.LossReport:
        """Add the gradients of a batch's losses to the network's.

        With ``parts`` the encoder runs twice: first without gradients, to have the features of the
        whole batch, on which the head and the losses work as ever, batch norm included; then part
        by part, to carry the features' gradients on.

        Raises:
            TrainingError: the loss is not finite, in this process or another.
        """
        if self.recipe.parts == 1:
            with self._autocast():
                maps = self.wrapped(batch)
            report = self._losses(step, maps, batch, taught)
            self.scaler.scale(report.total).backward()
            return report
        parts = [self._part(batch, k) for k in range(self.recipe.parts)]
        with torch.no_grad():
            found = [self._encoded(part, seed + k) for k, part in enumerate(parts)]
        features = torch.cat(found).requires_grad_()
        with self._autocast():
            maps = self.network.model.predict(features)
        report = self._losses(step, maps, batch, taught)
        self.scaler.scale(report.total).backward()
        assert features.grad is not None
        for k, (part, gradient) in enumerate(zip(parts, self._chunks(features.grad), strict=True)):
            self._encoded(part, seed + k).backward(gradient)
        self.group.average_gradients(self.network)
        return report

    def _part(self, batch: PairBatch, number: int) -> PairBatch:
        return batch.each(lambda tensor: self._chunks(tensor)[number])

    def _chunks(self, whole: Tensor) -> tuple[Tensor, ...]:
        return whole.tensor_split(self.recipe.parts)

    def _encoded(self, part: PairBatch, seed: int) -> Tensor:
        """The encoder's features; the same layers are dropped whenever the seed is the same."""
        torch.manual_seed(seed)
        with self._autocast():
            return self.network.encoded(part)

    def _autocast(self) -> torch.autocast:
        precision = network.PRECISIONS[self.recipe.precision]
        enabled = precision != torch.float32
        return torch.autocast(self.group.device.type, precision, enabled=enabled)

    def _losses(
        self, step: int, maps: HeadMaps, batch: PairBatch, taught: Taught | None
    ) -> losses.LossReport:
        report = self._pair_losses(step, maps, batch)
        if taught is not None:
            learned = self.recipe.distill_weight * distillation_loss(maps, taught)
            report = report._replace(total=report.total + learned)
        if self.group.any_process(not bool(torch.isfinite(report.total))):
            raise TrainingError(f"the loss of step {step} is not finite")
        return report

    def _pair_losses(self, step: int, maps: HeadMaps, batch: PairBatch) -> losses.LossReport:
        if self.recipe.supervision == "peak":
            boxes = batch.search_boxes_cxcywh_norm
            return losses.peak_losses(maps, boxes, batch.present, self.weights)
        return losses.pair_losses(
            maps,
            batch.search_boxes_cxcywh_norm,
            batch.present,
            self.weights,
            quality_labels=step >= self.recipe.quality_from_step,
        )

    def held_out(self, source: PairSource) -> list[PairBatch]:
        """This process's share of the validation pairs, made once."""
        size = self.recipe.batch_size
        batches = StepBatches(source, size, features=self.features)
        count = max(1, self.recipe.validation_pairs // size)
        shared = self.group.share(range(count))
        return [self._own(batches[k].to(self.group.device)) for k in shared]


def train(
    recipe: Recipe,
    source: PairSource,
    validation: PairSource,
    folder: Path,
    options: RunOptions,
) -> int:
    """Train a model, or go on with it.

    Args:
        recipe: how to train.
        source: makes the training pairs, in the crops of
            :func:`litetrack_ros.training.teacher.crops_to_make`.
        validation: makes the held-out pairs.
        folder: of the run; gets ``state.pt``, ``latest.safetensors``, ``best.safetensors``,
            ``training.csv``, ``validation.csv`` and ``curves.html``.
        options: how to carry it out.

    Returns:
        The number of steps done so far; below ``recipe.steps`` if the run was stopped.

    Raises:
        ConfigError: the folder holds a run and ``resume`` is not set, or another recipe's.
        WeightsError: there is no state to resume from.
        TrainingError: a loss is not finite; the batch is in the folder, and the state is that of
            the last checkpoint.
    """
    stop = StopRequest(options.max_minutes)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / run_folder.STATE_FILE).exists() and not options.resume:
        raise ConfigError(f"{folder} holds a run already: add --resume, or choose another --out")
    with process_group(options.device) as group, stop.listening():
        initial = None if options.resume else options.initial
        trainer = Trainer(recipe.for_processes(group.world_size), group, initial)
        run = _Run(trainer, folder)
        if options.resume:
            run.load()
        elif options.extend is not None:
            run_folder.load_finished(options.extend, trainer.network, trainer.ema, recipe.seed)
        if options.start is not None and run.writes:
            run.record = write_record(folder, recipe, options.start)
        batches = StepBatches(
            source, recipe.batch_size, group.rank, group.world_size, trainer.features
        ).between(run.done, recipe.steps, options.workers, trainer.group.device)
        return run.go(batches, Album(source, validation), stop)


class _Run:
    """The loop and its files; only the first process writes."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        self.trainer, self.folder = trainer, folder
        self.recipe = trainer.recipe
        self.writes = trainer.group.rank == 0
        self.done = 0
        self.best = 0.0
        tracked = self.recipe.tracked
        self.sequences = find_sequences([Path(tracked)]) if tracked else []
        self.record: dict[str, Any] | None = None

    def load(self) -> None:
        """Take over the folder's state."""
        t = self.trainer
        progress = run_folder.load_state(
            self.folder, self.recipe, t.network, t.ema, t.optimizer, t.scaler
        )
        self.done, self.best = int(progress["done"]), progress["best"]

    def save(self) -> None:
        """Write the state and the averaged model."""
        t = self.trainer
        progress = {"done": self.done, "best": self.best}
        latest = self.folder / run_folder.LATEST_FILE
        config, record = TrackerConfig(), self.record
        run_folder.save_average(latest, self.recipe, t.ema, config, self.done, record)
        run_folder.save_state(
            self.folder, self.recipe, t.network, t.ema, t.optimizer, t.scaler, progress
        )

    def go(self, batches: Iterator[PairBatch], album: Album, stop: StopRequest) -> int:
        """Train to the end of the recipe, or until told to stop."""
        recipe, trainer = self.recipe, self.trainer
        first = next(batches, None)  # starts the workers before this process starts threads
        if first is None:
            return self.done
        held_out = trainer.held_out(album.validation)
        figures: list[dict[str, Tensor]] = []
        board = run_folder.open_board(self.folder) if self.writes else None
        album.open(board)
        record = run_folder.RunLog(self.folder, run_folder.TRAINING, self.done, board)
        checks = run_folder.RunLog(self.folder, run_folder.VALIDATION, self.done + 1, board)
        batch: PairBatch | None = first
        bar = tqdm(
            total=recipe.steps,
            initial=self.done,
            unit="step",
            mininterval=2,
            disable=not self.writes,
        )
        with bar, record, checks:
            while batch is not None:
                figures.append(self._step(batch))
                self.done += 1
                bar.update()
                last = self.done == recipe.steps or trainer.group.any_process(stop.due)
                saving = last or self.done % recipe.checkpoint_every == 0
                if self.writes and (saving or self.done % WRITE_EVERY == 0):
                    bar.set_postfix_str(_write(record, self.done - len(figures), figures))
                    figures.clear()
                if self.done == recipe.steps or self.done % recipe.validate_every == 0:
                    self._validate(held_out, checks)
                    album.add_predictions(trainer.ema.average, held_out, self.done)
                if self.writes and saving:
                    self.save()
                batch = None if last else next(batches)
        if board is not None:
            board.close()  # ends its thread
        if self.writes:
            run_folder.write_curves(self.folder)
        return self.done

    def _step(self, batch: PairBatch) -> dict[str, Tensor]:
        """A step; a batch whose loss is not finite is kept, to be looked at."""
        try:
            return self.trainer.step(self.done, batch)
        except TrainingError as error:
            path = self.folder / f"not_finite_{self.done}_{self.trainer.group.rank}.pt"
            torch.save({"step": self.done, **batch._asdict()}, path)
            raise TrainingError(
                f"{error}: its batch is {path}; the run stands at its last checkpoint"
            ) from error

    def _validate(self, held_out: list[PairBatch], checks: run_folder.RunLog) -> None:
        average, group = self.trainer.ema.average, self.trainer.group
        report = validate(average, held_out, group)
        figures, selection = report._asdict(), report.selection
        if self.sequences:
            selection = tracked_ao(average.model, self.sequences, group)
            figures["tracked_ao"] = selection
        if self.writes:
            checks.add(self.done, figures)
            checks.flush()
            _LOG.info("step %d: %s", self.done, figures)
        if average.model.config.templates > 1:
            alone = validate(average, [batch.first_alone() for batch in held_out], group)
            if self.writes:
                _LOG.info("step %d, first template alone: %s", self.done, alone)
        if selection <= self.best:
            return
        self.best = selection
        if self.writes:
            path, ema = self.folder / run_folder.BEST_FILE, self.trainer.ema
            config, record = TrackerConfig(), self.record
            run_folder.save_average(path, self.recipe, ema, config, self.done, record)


def _write(record: run_folder.RunLog, first: int, figures: list[dict[str, Tensor]]) -> str:
    """Write the rows of some steps; returns what the progress bar shows."""
    names = list(figures[0])
    rows = torch.stack([torch.stack([row[n].float().cpu() for n in names]) for row in figures])
    for index, row in enumerate(rows.tolist()):
        record.add(first + index, dict(zip(names, row, strict=True)))
    record.flush()
    mean = dict(zip(names, rows.mean(dim=0).tolist(), strict=True))
    shown = ("loss", "overlap_peak", "score_present", "score_absent")
    return " ".join(f"{name} {mean[name]:.3f}" for name in shown)
