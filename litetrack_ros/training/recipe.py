"""A training recipe: everything that decides which numbers come out, in one short YAML file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from litetrack_ros import resources
from litetrack_ros.config import ModelConfig, from_mapping, read_yaml
from litetrack_ros.errors import ConfigError

Precision = Literal["float32", "bfloat16", "float16"]
StemTraining = Literal["frozen", "trained"]


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; steps are optimizer steps.

    Attributes:
        model: a variant of ``config/models/``, or the path of a variant's YAML file.
        seed: of weights, pairs and every other random choice.
        steps: length of the run; the learning rate ends near 0 there.
        batch_size: pairs a step in each process.
        learning_rate: AdamW's, at the end of the warm-up; it follows a cosine afterwards.
        weight_decay: of weights with two or more axes; biases, norms and embeddings have none.
        warmup_steps: the learning rate rises linearly for as long.
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
        validate_every: steps between two validations.
        validation_pairs: pairs of the held-out set.
        checkpoint_every: steps between two checkpoints.
    """

    model: str
    steps: int
    seed: int = 1
    batch_size: int = 32
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 200
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
    validate_every: int = 250
    validation_pairs: int = 256
    checkpoint_every: int = 125

    def __post_init__(self) -> None:
        for key in ("steps", "validate_every", "checkpoint_every"):
            _check(self, key, getattr(self, key) >= 1, "at least 1")
        for key in ("batch_size", "validation_pairs"):
            _check(self, key, getattr(self, key) >= 2, "at least 2")
        _check(self, "warmup_steps", 0 <= self.warmup_steps < self.steps, "from 0 to below steps")
        for key in ("ema_decay", "rolled_share"):
            _check(self, key, 0 <= getattr(self, key) < 1, "at least 0 and below 1")
        _check(self, "learning_rate", self.learning_rate > 0, "positive")
        rest = ("weight_decay", "clip_norm", "stem_rate", "quality_from_step")
        for key in (*rest, "focal_weight", "giou_weight", "l1_weight"):
            _check(self, key, getattr(self, key) >= 0, "at least 0")

    def model_config(self) -> ModelConfig:
        """The configuration of the model to train.

        Raises:
            ConfigError: no such variant, or its file is wrong.
        """
        path = Path(self.model)
        if path.suffix != ".yaml":
            path = resources.config_path(f"models/{self.model}")
        return from_mapping(ModelConfig, read_yaml(path), str(path))


def read_recipe(path: Path) -> Recipe:
    """Read a recipe's YAML file.

    Raises:
        ConfigError: unreadable, an unknown or missing key, a value of the wrong type or range.
    """
    values = read_yaml(path)
    for key in ("model", "steps"):
        if key not in values:
            raise ConfigError(f"{path}: the key '{key}' is missing")
    return from_mapping(Recipe, values, str(path))


def _check(recipe: Recipe, key: str, holds: bool, rule: str) -> None:
    if not holds:
        raise ConfigError(f"{key} is {getattr(recipe, key)!r}, but must be {rule}")
