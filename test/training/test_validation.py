from pathlib import Path

import numpy as np
import pytest
import torch

from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.config import TrackerConfig
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.evaluation.comparison import compare
from litetrack_ros.evaluation.runner import run_sequence
from litetrack_ros.model.checkpoint import LoadedWeights
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.tracker.tracker import Tracker
from litetrack_ros.training.batches import PairSource, StepBatches
from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.recipe import Recipe
from litetrack_ros.training.validation import tracked_ao, validate


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


def test_tracking_sequences_gives_what_evaluate_gives(tiny_recipe: Recipe, scenes: Path) -> None:
    torch.manual_seed(0)
    model = LiteTrack(tiny_recipe.model_config()).eval()
    sequences = find_sequences([scenes])
    backend = TorchBackend(LoadedWeights(model, TrackerConfig(), "", {}))
    runs = [run_sequence(sequence, Tracker(backend)) for sequence in sequences]
    wanted = compare("folder", "plain", sequences, {"m": runs}).scores["m"].overall["AO"]
    assert tracked_ao(model, sequences) == pytest.approx(wanted, abs=1e-9) and np.isfinite(wanted)
