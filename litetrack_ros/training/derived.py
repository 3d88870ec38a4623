"""Models made from a trained one without training: fewer layers, other splits, other settings.

The first two are the paper's (Sec. III-A). Of the settings that travel with a model, window and
size smoothing are chosen by mean AO with the state machine off, on sequences kept for that; the
thresholds of the state machine from the scores of that run. A model with fewer layers has other
scores than the one it was made from, so that neither its thresholds nor its calibration hold.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.torch_backend import TorchBackend
from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import ConfigError
from litetrack_ros.evaluation.comparison import Comparison, compare
from litetrack_ros.evaluation.conventions import PLAIN
from litetrack_ros.evaluation.executors import InPlace
from litetrack_ros.evaluation.metrics import ScoreReport, score_report
from litetrack_ros.evaluation.results import SequenceRun
from litetrack_ros.evaluation.runner import plan, run_all
from litetrack_ros.geometry import overlap
from litetrack_ros.model.checkpoint import LoadedWeights, model_from_state
from litetrack_ros.model.litetrack import LiteTrack
from litetrack_ros.tracker.tracker import Tracker

GOOD_OVERLAP = 0.5  # from here on a box counts as right


def prune(model: LiteTrack, fe_layers: int, ai_layers: int) -> LiteTrack:
    """Keep the first layers of a model, in another split.

    Args:
        model: a trained model.
        fe_layers, ai_layers: of the new one; together at most the model's. ``fe_layers`` must be 0
            where the model's interaction is joint.

    Raises:
        ConfigError: more layers than the model has, or a split that cannot be.
    """
    config = model.config
    depth = fe_layers + ai_layers
    if depth > config.depth:
        raise ConfigError(
            f"the model '{config.name}' has {config.depth} layers, so {depth} cannot be kept"
        )
    joint = config.interaction == "joint"
    name = f"{config.name}_{'joint' if joint else f'fe{fe_layers}_ai'}{ai_layers}"
    pruned: ModelConfig = dataclasses.replace(
        config,
        name=name,
        fe_layers=fe_layers,
        ai_layers=ai_layers,
    )
    state = {
        key: value
        for key, value in model.state_dict().items()
        if not key.startswith("backbone.blocks.") or int(key.split(".")[2]) < depth
    }
    return model_from_state(pruned, state, config.name)


def pruned_forms(model: LiteTrack, least: int = 2) -> Iterator[LiteTrack]:
    """A model with its layers taken away one at a time.

    The interaction layers are kept as long as there are others (Fig. 6). Its other line, where
    template and search tokens go through every layer together, takes a model that was trained so.

    Args:
        model: a trained model.
        least: smallest number of layers.
    """
    for depth in range(model.config.depth, least - 1, -1):
        ai_layers = min(model.config.ai_layers, depth)
        yield prune(model, depth - ai_layers, ai_layers)


def split_forms(model: LiteTrack) -> Iterator[LiteTrack]:
    """A model with every split of its layers into FE and AI layers (Table V).

    Raises:
        ConfigError: its interaction is joint, where there is nothing to split.
    """
    if model.config.interaction == "joint":
        raise ConfigError(f"the model '{model.config.name}' has no FE layers: its layers are joint")
    for ai_layers in range(1, model.config.depth + 1):
        yield prune(model, model.config.depth - ai_layers, ai_layers)


class Setting(NamedTuple):
    """What is tried: see ``ModelConfig.window_power`` and ``TrackerConfig.size_smoothing``."""

    window_power: float
    size_smoothing: float


class Trial(NamedTuple):
    """What a setting reached.

    Attributes:
        setting: as tried, the state machine off.
        ao: mean over sequences, plain convention.
        report: how well its scores tell right frames from the rest.
    """

    setting: Setting
    ao: float
    report: ScoreReport


def with_setting(weights: LoadedWeights, setting: Setting) -> LoadedWeights:
    """The same weights with other settings and the state machine off."""
    model = weights.model
    model.config = dataclasses.replace(model.config, window_power=setting.window_power)
    config = TrackerConfig(size_smoothing=setting.size_smoothing)
    return dataclasses.replace(weights, model=model, tracker_config=config)


def try_settings(
    weights: LoadedWeights,
    settings: Iterable[Setting],
    sequences: Sequence[AnnotatedSequence],
    device: str = "cpu",
    on_frame: Callable[[], None] = lambda: None,
) -> Iterator[Trial]:
    """Track all sequences with one setting after the other.

    Args:
        weights: the model.
        settings: what to try.
        sequences: frames and ground truth.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        on_frame: called after every frame, for a progress bar.
    """
    for setting in settings:
        comparison = track_all(with_setting(weights, setting), sequences, device, on_frame)
        runs = [comparison.runs[weights.model_config.name][s.name] for s in sequences]
        right = [right_frames(s, run) for s, run in zip(sequences, runs, strict=True)]
        scores = np.concatenate([run.scores[1:] for run in runs])
        report = score_report(scores, np.concatenate(right))
        yield Trial(setting, mean_ao(comparison), report)


def thresholds_of(trial: Trial) -> TrackerConfig:
    """The tracker's settings that a trial leads to: its smoothing, and thresholds of its scores."""
    return TrackerConfig(
        size_smoothing=trial.setting.size_smoothing,
        lost_threshold=round(trial.report.lost_threshold, 3),
        found_threshold=round(trial.report.found_threshold, 3),
    )


def with_own_thresholds(
    weights: LoadedWeights,
    sequences: Sequence[AnnotatedSequence],
    device: str = "cpu",
    on_frame: Callable[[], None] = lambda: None,
) -> LoadedWeights:
    """The same weights with thresholds of the scores that they give, see :func:`try_settings`."""
    config = weights.tracker_config
    setting = Setting(weights.model_config.window_power, config.size_smoothing)
    [trial] = try_settings(weights, [setting], sequences, device, on_frame)
    return dataclasses.replace(weights, tracker_config=thresholds_of(trial))


def track_all(
    weights: LoadedWeights,
    sequences: Sequence[AnnotatedSequence],
    device: str = "cpu",
    on_frame: Callable[[], None] = lambda: None,
) -> Comparison:
    """Track every sequence once with a model, scored by the plain convention."""
    backend = TorchBackend(weights, device)
    runs = run_all(plan(sequences), InPlace(lambda: Tracker(backend), on_frame))
    return compare("folder", PLAIN, sequences, {weights.model_config.name: runs})


def mean_ao(comparison: Comparison) -> float:
    """Mean AO of a comparison's only tracker, each sequence counting once."""
    [scores] = comparison.scores.values()
    return float(scores.over_sequences[0])


def right_frames(sequence: AnnotatedSequence, run: SequenceRun) -> npt.NDArray[np.bool_]:
    """Whether the box of each frame but the first is right, ``(T - 1,)``; not where absent."""
    overlaps = overlap(run.boxes_xywh[1:], sequence.boxes_xywh[1:])
    return np.asarray(np.nan_to_num(overlaps, nan=0.0) >= GOOD_OVERLAP)
