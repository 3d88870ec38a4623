"""A run's folder: the state to resume from, the averaged model, and the figures.

State and models are complete at any time; the figures go to CSV files, and to TensorBoard and a
page of charts where what makes them is installed.
"""

import importlib.util
import json
import logging
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TextIO

import numpy as np
import torch
from torch.optim import Optimizer

from litetrack_ros.config import TrackerConfig
from litetrack_ros.errors import ConfigError, MissingDependencyError, WeightsError
from litetrack_ros.files import replacing, write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.model.checkpoint import save_weights
from litetrack_ros.report.charts import COLORS, Line, curves
from litetrack_ros.report.html_page import Section, render
from litetrack_ros.settings import from_json, to_json
from litetrack_ros.training.network import TrainedNetwork
from litetrack_ros.training.provenance import metadata_of
from litetrack_ros.training.recipe import Recipe
from litetrack_ros.training.schedule import Ema
from litetrack_ros.version import __version__

STATE_FILE = "state.pt"
LATEST_FILE = "latest.safetensors"
BEST_FILE = "best.safetensors"
CURVES_FILE = "curves.html"
TRAINING, VALIDATION = "training", "validation"  # the tables of figures
_POINTS = 500  # of a curve
_LOG = logging.getLogger(__name__)


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


def load_finished(folder: Path, network: TrainedNetwork, ema: Ema, seed: int) -> None:
    """Take over the last weights of a finished run, to go on from with another schedule.

    Args:
        folder: the finished run's.
        network, ema: get its weights and their average.
        seed: of the new run, which must see other pairs.

    Raises:
        WeightsError: there is no state, or it is of another model.
        ConfigError: the run is not finished, or had this seed.
    """
    state = _read_state(folder / STATE_FILE)
    recipe, done = json.loads(state["recipe"]), int(state["progress"]["done"])
    if done < recipe["steps"]:
        raise ConfigError(
            f"{folder} is at step {done} of {recipe['steps']}: finish it with --resume first"
        )
    if recipe["seed"] == seed:
        raise ConfigError(
            f"{folder} was trained with seed {seed}, whose pairs would come again: "
            f"add --set seed={seed + 1}"
        )
    try:
        network.load_state_dict(state["network"])
        ema.load_state_dict(state["average"])
    except RuntimeError as error:
        raise WeightsError(f"{folder} trained another model: {error}") from error


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
    state = _read_state(path)
    written = state["recipe"]
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
    path: Path,
    recipe: Recipe,
    ema: Ema,
    tracker_config: TrackerConfig,
    step: int,
    record: Mapping[str, Any] | None = None,
) -> None:
    """Write the averaged model as a weights file that tracks.

    Args:
        path: the file.
        recipe: what made it.
        ema: the averaged model.
        tracker_config: the tracker settings to use with it.
        step: how many steps made it.
        record: what else made it, of :func:`litetrack_ros.training.provenance.write_record`.
    """
    extra = {
        **metadata_of(recipe, record),
        "steps": str(step),
        "package": f"litetrack_ros {__version__}, torch {torch.__version__}",
    }
    save_weights(path, ema.average.model, tracker_config, extra)


class RunLog:
    """One table of a run, ``NAME.csv``, one row a step; a resumed run goes on with it.

    The file is opened with the first row, so that processes which never write one leave it alone.

    Args:
        folder: the run's folder.
        name: of the table.
        start: first step to be written; later rows of an interrupted run are dropped.
        board: TensorBoard's writer, or None.
    """

    def __init__(self, folder: Path, name: str, start: int, board: Any) -> None:
        self.path = folder / f"{name}.csv"
        self._name, self._start, self._board = name, start, board
        self._file: TextIO | None = None

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Write the figures of a step; the names are the same in every call."""
        if self._file is None:
            kept = _lines_before(self.path, self._start) or [",".join(["step", *values])]
            write_text(self.path, "".join(f"{line}\n" for line in kept))
            self._file = self.path.open("a", encoding="utf-8")
        row = [str(step), *(f"{value:.6g}" for value in values.values())]
        self._file.write(",".join(row) + "\n")
        if self._board is not None:
            for key, value in values.items():
                self._board.add_scalar(f"{self._name}/{key}", value, step)

    def flush(self) -> None:
        """Make everything written so far visible on disk."""
        if self._file is not None:
            self._file.flush()


def open_board(folder: Path) -> Any:
    """TensorBoard's writer for a run, or None where TensorBoard is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        _LOG.info("tensorboard is not installed: the figures go to CSV files only")
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))


def write_curves(folder: Path) -> None:
    """Write :data:`CURVES_FILE`, a chart for every column of a run's tables.

    Without what makes pages the log says so in one sentence.

    Raises:
        MediaError: it cannot be written.
    """
    lines: dict[str, dict[str, Line]] = {}
    for table, color in zip((TRAINING, VALIDATION), COLORS[1::-1], strict=True):
        for name, line in _curves(folder / f"{table}.csv", color).items():
            lines.setdefault(name, {})[table] = line
    about = (
        "Training: mean of neighbouring steps, in a band from the least to the greatest. "
        "Validation: of the averaged model, on held-out pairs."
    )
    try:
        charts = [curves(of_name, "step", name) for name, of_name in lines.items()]
        page = render(f"Training run {folder.resolve().name}", [Section("", about, charts)])
    except MissingDependencyError as error:
        _LOG.info("no %s: %s", CURVES_FILE, error)
        return
    write_text(folder / CURVES_FILE, page)


def _read_state(path: Path) -> dict[str, Any]:
    if not zipfile.is_zipfile(path):  # PyTorch's reader fails in many ways on other files
        raise WeightsError(f"cannot resume from {path}: it is missing or not a run's state")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, UnpicklingError) as error:
        raise WeightsError(f"cannot resume from {path}: {error}") from error
    missing = {"recipe", "network", "average", "optimizer", "scaler", "progress"} - state.keys()
    if missing:
        raise WeightsError(f"cannot resume from {path}: it lacks {', '.join(sorted(missing))}")
    return state


def _same_recipe(written: str, recipe: Recipe) -> bool:
    """Whether a state's recipe is this one; keys that came later had their default then."""
    try:
        return from_json(Recipe, written, "the state's recipe") == recipe
    except ConfigError:
        return False


def _curves(path: Path, color: str) -> dict[str, Line]:
    """The columns of a table; of many rows the mean of some, with the least and the greatest."""
    header, *rows = _lines_before(path, sys.maxsize) or [""]
    if not rows:
        return {}
    values: FloatArray = np.loadtxt(rows, delimiter=",", ndmin=2)
    starts = np.linspace(0, len(rows), min(len(rows), _POINTS), endpoint=False).astype(int)
    counts = np.diff([*starts, len(rows)])[:, None]
    mean = np.add.reduceat(values, starts) / counts
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return {
        name: Line(mean[:, 0], mean[:, column], color, low[:, column], high[:, column])
        for column, name in enumerate(header.split(","))
        if column > 0
    }


def _lines_before(path: Path, start: int) -> list[str]:
    """The header and the complete rows of earlier steps; empty where there is no table yet."""
    if not path.is_file():
        return []
    header, *rows = path.read_text(encoding="utf-8").splitlines() or [""]
    kept = []
    for row in rows:
        step = row.partition(",")[0]
        if row.count(",") == header.count(",") and step.isdigit() and int(step) < start:
            kept.append(row)
    return [header, *kept] if header else []
