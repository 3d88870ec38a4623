"""Learning rate and averaged weights over the steps."""

import math

import pytest
import torch

from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.recipe import Recipe
from litetrack_ros.training.schedule import Ema, ema_decay, learning_rate_factor


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 0.25), (3, 1.0), (4, 1.0), (8, 0.5 * (1 + math.cos(math.pi / 4))), (12, 0.5), (20, 0.0)],
)
def test_warmup_then_cosine(step: int, factor: float) -> None:
    assert learning_rate_factor(step, 4, 20) == pytest.approx(factor)


def test_no_warmup_starts_at_the_full_rate() -> None:
    assert learning_rate_factor(0, 0, 10) == 1.0


@pytest.mark.parametrize(("step", "decay"), [(0, 0.1), (8, 0.5), (10**6, 0.998)])
def test_young_averages_forget_faster(step: int, decay: float) -> None:
    assert ema_decay(step, 0.998) == pytest.approx(decay)


def test_average_moves_by_its_decay(tiny_recipe: Recipe) -> None:
    network = TrainedNetwork(LiteTrack(tiny_recipe.model_config()), freeze_stem=False)
    ema = Ema(network, 0.9)
    before = {name: value.clone() for name, value in ema.state_dict().items()}
    with torch.no_grad():
        for value in network.state_dict().values():
            value.add_(1)
    ema.update(network, step=10**6)
    for name, value in ema.state_dict().items():
        moved = 0.1 if value.is_floating_point() else 1
        torch.testing.assert_close(value, before[name] + moved)


def test_average_needs_no_gradient(tiny_recipe: Recipe) -> None:
    network = TrainedNetwork(LiteTrack(tiny_recipe.model_config()), freeze_stem=False).train()
    average = Ema(network, 0.9).average
    assert not average.training
    assert not any(p.requires_grad for p in average.parameters())
