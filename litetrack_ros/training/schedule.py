"""Learning rate and averaging over the steps of a run, never over its wall time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
