import torch

from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.training.ema import Ema
from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.recipe import Recipe


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
