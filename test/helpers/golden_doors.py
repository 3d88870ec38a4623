"""All that the golden tests import from the package; where a module moves, this file follows.

Everything else goes through the command line.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.backends.onnx_files import read_metadata
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import DEFAULT_MODEL, ModelChoice, ModelConfig, TrackerConfig
from litetrack_ros.datasets.catalogue import open_set
from litetrack_ros.datasets.training_set import TrainingSet
from litetrack_ros.pairs.pair_recipe import PairRecipe
from litetrack_ros.pairs.sampling import PairSampling, TrackingPairs
from litetrack_ros.pairs.synthetic import SyntheticPairs
from litetrack_ros.tools.main import main as litetrack
from litetrack_ros.tracker.tracker import Tracker

__all__ = ["DEFAULT_MODEL", "litetrack"]


def track(
    frames: Sequence[np.ndarray], box_xywh: Sequence[float], model: str, backend: str
) -> dict[str, np.ndarray]:
    """Boxes, scores and states of every frame, from the library itself, on one thread.

    With the thresholds and the raw scores that were recorded, whatever the model is calibrated to.
    """
    opened = open_backend(ModelChoice(model, backend, threads=1))
    config = opened.tracker_config
    if config.calibration is not None:
        raw = {"lost_threshold": 0.416, "lost_after_frames": 5, "found_threshold": 0.416}
        config = dataclasses.replace(config, calibration=None, **raw)
    tracker = Tracker(opened, config)
    results = [tracker.init(frames[0], box_xywh)]
    for frame in frames[1:]:
        results.append(tracker.update(frame) or results[-1])
    return {
        "boxes_xywh": np.array([r.box_xywh for r in results], np.float64),
        "scores": np.array([r.score for r in results], np.float64),
        "responses": np.array([r.response for r in results], np.float64),
        "states": np.array([r.state.value for r in results], np.int8),
    }


def synthetic_pairs(pictures: Path, seed: int, **shares: float) -> SyntheticPairs:
    """Pairs made from pictures; ``shares`` are keys of the pairs' recipe."""
    return SyntheticPairs([pictures], ModelConfig(), seed, PairRecipe(**shares))


def tracking_pairs(sets: Sequence[TrainingSet], decode: str, **sampling: Any) -> TrackingPairs:
    """Pairs drawn from data sets, each as often as the others."""
    config = ModelConfig(decode=decode)
    chosen = PairSampling(train="a", validation="b", **sampling)
    return TrackingPairs(sets, [1.0] * len(sets), config, chosen, seed=3)


def sequences_as_set(folder: Path) -> TrainingSet:
    """Sequence folders as a set to train on."""
    return open_set("folder", folder)


def graph_metadata(path: Path) -> dict[str, Any]:
    """What an exported graph says of itself, as the package reads it."""
    return dataclasses.asdict(read_metadata(path))


def loaded_tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of the network that the package loads from a weights file."""
    from litetrack_ros.model.checkpoint import kept_state, load_weights

    return {k: v.numpy() for k, v in kept_state(load_weights(path).model).items()}


def official_shapes(variant: str) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of the authors' checkpoint of a variant."""
    from reference_model import official_shapes as shapes

    return shapes(variant)


def default_setting(name: str) -> Any:
    """The default of a tracker's or a model's setting; they have no name in common."""
    return getattr(TrackerConfig() if hasattr(TrackerConfig(), name) else ModelConfig(), name)
