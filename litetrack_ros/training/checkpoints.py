"""The files of a run: the state to resume from, and the averaged model, complete at any time."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch.optim import Optimizer

from litetrack_ros import __version__
from litetrack_ros.config import TrackerConfig, from_json, to_json
from litetrack_ros.errors import ConfigError, WeightsError
from litetrack_ros.files import replacing
from litetrack_ros.model.checkpoint import save_weights
from litetrack_ros.training.ema import Ema
from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.recipe import Recipe

STATE_FILE = "state.pt"
LATEST_FILE = "latest.safetensors"
BEST_FILE = "best.safetensors"


def save_state(
    folder: Path,
    recipe: Recipe,
    network: TrainedNetwork,
    ema: Ema,
    optimizer: Optimizer,
    scaler: torch.amp.GradScaler,
    progress: Mapping[str, float],
) -> None:
    """Write what resuming needs; a kill in mid-write leaves the previous file.

    Args:
        progress: the step to go on with and the figures kept across it.
    """
    state = {
        "recipe": to_json(recipe),
        "network": network.state_dict(),
        "average": dict(ema.state_dict()),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
        "progress": dict(progress),
    }
    with replacing(folder / STATE_FILE) as temporary:
        torch.save(state, temporary)


def load_state(
    folder: Path,
    recipe: Recipe,
    network: TrainedNetwork,
    ema: Ema,
    optimizer: Optimizer,
    scaler: torch.amp.GradScaler,
) -> dict[str, float]:
    """Read :func:`save_state`'s file back into the given objects.

    Returns:
        The progress that was saved.

    Raises:
        WeightsError: the file is missing or damaged.
        ConfigError: it was written by another recipe.
    """
    path = folder / STATE_FILE
    if not zipfile.is_zipfile(path):  # PyTorch's reader fails in many ways on other files
        raise WeightsError(f"cannot resume from {path}: it is missing or not a run's state")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        written = state["recipe"]
    except (OSError, RuntimeError, KeyError, UnpicklingError) as error:
        raise WeightsError(f"cannot resume from {path}: {error}") from error
    if not _same_recipe(written, recipe):
        raise ConfigError(
            f"{path} was written by another recipe ({written}); "
            "resume with that one, or start anew in another folder"
        )
    network.load_state_dict(state["network"])
    ema.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    scaler.load_state_dict(state["scaler"])
    progress: dict[str, float] = state["progress"]
    return progress


def save_average(
    path: Path, recipe: Recipe, ema: Ema, tracker_config: TrackerConfig, step: int
) -> None:
    """Write the averaged model as a weights file that tracks."""
    extra = {
        "recipe": to_json(recipe),
        "steps": str(step),
        "package": f"litetrack_ros {__version__}, torch {torch.__version__}",
    }
    save_weights(path, ema.average.model, tracker_config, extra)


def _same_recipe(written: str, recipe: Recipe) -> bool:
    """Whether a state's recipe is this one; keys that came later had their default then."""
    try:
        return from_json(Recipe, written, "the state's recipe") == recipe
    except ConfigError:
        return False
