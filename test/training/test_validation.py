import torch

from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.training.batches import PairSource, StepBatches
from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.recipe import Recipe
from litetrack_ros.training.validation import validate


def test_an_untrained_network_knows_nothing(squares: PairSource, tiny_recipe: Recipe) -> None:
    torch.manual_seed(0)
    network = TrainedNetwork(LiteTrack(tiny_recipe.model_config()), freeze_stem=False).eval()
    batches = StepBatches(squares, 8)
    report = validate(network, [batches[k] for k in range(4)])
    assert all(0 <= value <= 1 for value in report)
    assert report.overlap_peak < 0.4
    # All templates of this source are alike, so that a wrong one changes nothing.
    assert report.hit_right == report.hit_wrong
    assert abs(report.roc_area - 0.5) < 0.25
