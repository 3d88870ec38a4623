"""Learning rate and averaged weights over the steps of a run, never over its wall time."""

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.recipe import Recipe

DROP = 0.1


def learning_rate_factor(step: int, warmup_steps: int, steps: int) -> float:
    """Linear warm-up, then a cosine to 0.

    Args:
        step: steps taken before this one, from 0.
        warmup_steps: length of the warm-up.
        steps: length of the run.

    Returns:
        What to multiply the base learning rate with, in (0, 1].
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = (step - warmup_steps) / (steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * progress))


def ema_decay(step: int, decay: float) -> float:
    """Decay of the averaged weights: young averages forget the untrained start faster."""
    return min(decay, (1 + step) / (10 + step))


def rate_factor(recipe: Recipe, step: int) -> float:
    """What to multiply a recipe's learning rate with in a step; in (0, 1].

    Args:
        recipe: its ``schedule`` is a cosine, or constant with one tenfold drop (the paper's).
        step: steps taken before this one, from 0.
    """
    if recipe.schedule == "cosine" or step < recipe.warmup_steps:
        return learning_rate_factor(step, recipe.warmup_steps, recipe.steps)
    return 1.0 if step < round(recipe.drop_from * recipe.steps) else DROP


class Ema:
    """An exponential moving average of a model's weights: what is validated and shipped.

    Every float tensor of the model's state is averaged; counters are copied.

    Args:
        model: the model to follow; ``average`` starts as its copy.
        decay: of the average, once it is old enough.
    """

    def __init__(self, model: TrainedNetwork, decay: float) -> None:
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: TrainedNetwork, step: int) -> None:
        """Move the average towards the model after a step (the first is 0)."""
        weight = 1 - ema_decay(step, self.decay)
        new = model.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], weight)
            else:
                value.copy_(new[name])

    def state_dict(self) -> Mapping[str, Tensor]:
        """The average's weights."""
        state: Mapping[str, Tensor] = self.average.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Set the average's weights; names and shapes must match."""
        self.average.load_state_dict(state)
