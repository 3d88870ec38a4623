"""A training recipe: everything that decides which numbers come out, in one short YAML file."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from litetrack_ros.config import ModelConfig, variant
from litetrack_ros.errors import ConfigError
from litetrack_ros.pairs.pair_recipe import PairRecipe, PairSampling, SourceShares
from litetrack_ros.settings import from_mapping, parse_yaml, read_yaml

Precision = Literal["float32", "bfloat16", "float16"]
StemTraining = Literal["frozen", "trained"]
Schedule = Literal["cosine", "drop"]
Supervision = Literal["cells", "peak"]
Decayed = Literal["matrices", "all"]
ScorePrior = Literal["rare", "even"]

BASE_KEY = "base"  # a recipe file that this one changes, relative to it


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; steps are optimizer steps.

    Attributes:
        model: a variant of ``config/models/``, or the path of a variant's YAML file.
        fe_layers, ai_layers: numbers of layers other than the variant's; -1 leaves them.
        templates: of a target, other than the variant's; 0 leaves it.
        seed: of weights, pairs and every other random choice.
        steps: length of the run; the learning rate ends near 0 there.
        batch_size: pairs a step in each process.
        parts: the encoder takes a step's pairs in so many parts, one after the other, which needs
            less memory and a second forward pass; the gradients are those of the whole batch.
        learning_rate: AdamW's, at the end of the warm-up.
        rate_pairs: the learning rate is meant for as many pairs a step, and grows in proportion
            with the pairs of all processes together; 0 takes it as it is.
        schedule: after the warm-up, a cosine to 0, or constant with a tenfold ``drop`` ...
        drop_from: ... from this part of the run on.
        encoder_rate: factor on the learning rate of the whole encoder.
        weight_decay: of AdamW ...
        decayed: ... on weights with two or more axes but not on embeddings, or on all.
        warmup_steps: the learning rate rises linearly for as long.
        drop_path: stochastic depth of the last layer, rising linearly from 0 at the first.
        score_prior: whether the score map starts low, as few cells hold a target (``rare``), or
            as its branch is initialised (``even``).
        supervision: which cells' boxes are trained: those around the centre and the peak, weighted
            (:func:`litetrack_ros.training.losses.pair_losses`), or the peak alone, as the authors
            do (:func:`litetrack_ros.training.losses.peak_losses`).
        clip_norm: largest norm of the gradient; 0 turns clipping off.
        ema_decay: of the averaged weights, which are what is validated and saved.
        precision: of the trained layers; weights, losses and optimizer are float32, and so is a
            frozen stem.
        stem: ``frozen`` keeps the pretrained stem as it is; ``trained`` trains it at
            ``stem_rate`` of the learning rate. Its batch norm stays in evaluation either way.
        stem_rate: see ``stem``.
        rolled_share: part of the pairs that get another pair's template, so that their target is
            absent; pairs that are made without a target come on top.
        quality_from_step: from here on the label of the score's peak is the overlap of the box
            predicted there, before it is 1.
        focal_weight, giou_weight, l1_weight: of the three losses (paper Eq. 4: 1, 2, 5).
        teacher: weights file of a model that teaches this one; "" is none.
        distill_weight: of the teacher's loss beside the others.
        validate_every: steps between two validations.
        validation_pairs: pairs of the held-out set.
        tracked: folder of sequences that are tracked at every validation, the state machine off;
            the best model is then the one of the largest mean AO there. "" is none: the best is
            chosen by the held-out pairs. Thresholds and reported figures need other sequences.
        checkpoint_every: steps between two checkpoints.
        sampling: how pairs are drawn from annotated video; None makes synthetic pairs.
        sources: shares of synthetic pairs and of pairs from real video and photos; None makes all
            of them synthetic.
        pairs: what the pairs hold.
    """

    model: str
    steps: int
    fe_layers: int = -1
    ai_layers: int = -1
    templates: int = 0
    seed: int = 1
    batch_size: int = 32
    parts: int = 1
    learning_rate: float = 1.5e-3
    rate_pairs: int = 0
    schedule: Schedule = "cosine"
    drop_from: float = 0.8
    encoder_rate: float = 1.0
    weight_decay: float = 1e-4
    decayed: Decayed = "matrices"
    warmup_steps: int = 200
    drop_path: float = 0.0
    score_prior: ScorePrior = "rare"
    supervision: Supervision = "cells"
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    precision: Precision = "float32"
    stem: StemTraining = "frozen"
    stem_rate: float = 0.1
    rolled_share: float = 0.0
    quality_from_step: int = 0
    focal_weight: float = 1.0
    giou_weight: float = 2.0
    l1_weight: float = 5.0
    teacher: str = ""
    distill_weight: float = 1.0
    validate_every: int = 250
    validation_pairs: int = 256
    tracked: str = ""
    checkpoint_every: int = 125
    sampling: PairSampling | None = None
    sources: SourceShares | None = None
    pairs: PairRecipe = field(default_factory=PairRecipe)

    def __post_init__(self) -> None:
        for key in ("steps", "validate_every", "checkpoint_every", "parts"):
            _check(self, key, getattr(self, key) >= 1, "at least 1")
        for key in ("batch_size", "validation_pairs"):
            _check(self, key, getattr(self, key) >= 2, "at least 2")
        _check(self, "parts", self.parts <= self.batch_size, "at most batch_size")
        _check(self, "warmup_steps", 0 <= self.warmup_steps < self.steps, "from 0 to below steps")
        for key in ("ema_decay", "rolled_share", "drop_path", "drop_from"):
            _check(self, key, 0 <= getattr(self, key) < 1, "at least 0 and below 1")
        _check(self, "learning_rate", self.learning_rate > 0, "positive")
        rest = ("weight_decay", "clip_norm", "stem_rate", "quality_from_step", "encoder_rate")
        for key in (
            *rest,
            "rate_pairs",
            "distill_weight",
            "focal_weight",
            "giou_weight",
            "l1_weight",
        ):
            _check(self, key, getattr(self, key) >= 0, "at least 0")

        if self.sampling is not None and self.pairs != PairRecipe():
            raise ConfigError("pairs has no effect beside sampling, whose pairs are not synthetic")
        if self.sampling is not None and self.sources is not None:
            raise ConfigError("sources has no effect beside sampling: leave one of them out")

    def model_config(self) -> ModelConfig:
        """The configuration of the model to train.

        Raises:
            ConfigError: no such variant, or its file is wrong.
        """
        if self.model.endswith(".yaml"):
            config = from_mapping(ModelConfig, read_yaml(Path(self.model)), self.model)
        else:
            config = variant(self.model)
        if self.templates:
            config = dataclasses.replace(config, templates=self.templates)
        layers = {
            key: value
            for key in ("fe_layers", "ai_layers")
            if (value := getattr(self, key)) not in (-1, getattr(config, key))
        }
        if not layers:
            return config
        resized = dataclasses.replace(config, **layers)
        name = f"{config.name}_fe{resized.fe_layers}_ai{resized.ai_layers}"
        return dataclasses.replace(resized, name=name)

    def for_processes(self, world_size: int) -> "Recipe":
        """The recipe as ``world_size`` processes carry it out together.

        The learning rate follows the number of pairs a step where ``rate_pairs`` says so.
        """
        if not self.rate_pairs:
            return self
        pairs = self.batch_size * world_size
        rate = self.learning_rate * pairs / self.rate_pairs
        return dataclasses.replace(self, learning_rate=rate, rate_pairs=0)


def read_recipe(path: Path, world_size: int = 1, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe's YAML file and those it is based on.

    The key ``base`` names another recipe file, relative to this one, whose values hold where this
    one has none. ``epochs`` and ``epoch_pairs`` may stand in place of ``steps``.

    Args:
        path: the file.
        world_size: processes that share an epoch's pairs.
        overrides: ``key=value`` each, see :func:`changed`.

    Raises:
        ConfigError: unreadable, an unknown or missing key, a value of the wrong type or range.
    """
    values = changed(_read_based(path, ()), overrides)
    if "epochs" in values or "epoch_pairs" in values:
        values["steps"] = _steps(values, world_size, path)
    for key in ("model", "steps"):
        if key not in values:
            raise ConfigError(f"{path}: the key '{key}' is missing")
    return from_mapping(Recipe, values, str(path))


def changed(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A recipe's values with others, as a command line gives them.

    Args:
        values: of the recipe.
        overrides: ``key=value`` each, the value as in YAML; dots lead into parts
            (``pairs.absent=0.1``), and ``steps`` takes the place of epochs.

    Raises:
        ConfigError: one is not of that form.
    """
    merged = dict(values)
    for text in overrides:
        path, equals, value = text.partition("=")
        if not path or not equals:
            raise ConfigError(f"'{text}' is not of the form key=value")
        try:
            part: Any = parse_yaml(value)
        except ValueError as error:
            raise ConfigError(f"'{text}': the value is not YAML ({error})") from error
        if isinstance(part, str):
            with contextlib.suppress(ValueError):
                part = float(part)  # YAML takes 1e-3 for text
        for key in reversed(path.split(".")):
            part = {key: part}
        if "steps" in part:
            merged = {k: v for k, v in merged.items() if k not in ("epochs", "epoch_pairs")}
        merged = _merged(merged, part)
    return merged


def _read_based(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    if path.resolve() in above:
        raise ConfigError(f"{path}: the recipe is based on itself")
    values = read_yaml(path)
    base = values.pop(BASE_KEY, None)
    if base is None:
        return values
    return _merged(_read_based(path.parent / str(base), (*above, path.resolve())), values)


def _merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The base with other values, part by part where a value has parts."""
    merged = dict(base)
    for key, value in values.items():
        inherited = merged.get(key)
        if isinstance(value, Mapping) and isinstance(inherited, Mapping):
            merged[key] = _merged(inherited, value)
        else:
            merged[key] = value
    return merged


def _steps(values: dict[str, Any], world_size: int, path: Path) -> int:
    """Optimizer steps of a number of epochs; a last, smaller batch is dropped."""
    if "steps" in values:
        raise ConfigError(f"{path}: give either steps, or epochs and epoch_pairs")
    epochs, pairs = values.pop("epochs", None), values.pop("epoch_pairs", None)
    batch_size = values.get("batch_size", Recipe.batch_size)
    numbers = {"epochs": epochs, "epoch_pairs": pairs, "batch_size": batch_size}
    for key, value in numbers.items():
        if type(value) is not int or value < 1:
            raise ConfigError(f"{path}: {key} is {value!r}, but must be a whole number from 1 on")
    per_epoch = -(-pairs // world_size) // batch_size
    if per_epoch < 1:
        raise ConfigError(f"{path}: epoch_pairs is {pairs}, which is less than one batch")
    return int(epochs * per_epoch)


def _check(recipe: Recipe, key: str, holds: bool, rule: str) -> None:
    if not holds:
        raise ConfigError(f"{key} is {getattr(recipe, key)!r}, but must be {rule}")
