"""An exponential moving average of a model's weights: what is validated and shipped."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.schedule import ema_decay


class Ema:
    """Averages every float tensor of a model's state; counters are copied.

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
