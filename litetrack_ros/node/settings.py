"""What the values of parameters mean to the parts of the node."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litetrack_ros.config import ModelChoice, TrackerConfig
from litetrack_ros.errors import ConfigError, shown
from litetrack_ros.image_headers import FORMATS
from litetrack_ros.node.conversion import ImageLimits
from litetrack_ros.node.parameters import BY_NAME
from litetrack_ros.node.watchdog import Limits

_TRACKER_FIELDS = tuple(
    field.name for field in dataclasses.fields(TrackerConfig) if field.name in BY_NAME
)


@dataclass(frozen=True)
class WorkerSettings:
    """What may change while the worker runs.

    Attributes:
        tracker_config: thresholds.
        catch_up_max_ms: time for catching up after an init box.
        init_stamp_tolerance_ms: how far the stamp of an init box may be from an image's.
        init_wait_ms: how long an init box may wait for its image.
        lost_timeout_s: how long a target may be lost until it is given up; 0 is for ever.
        reselect: whether a detection may bring a lost target back.
    """

    tracker_config: TrackerConfig
    catch_up_max_ms: float
    init_stamp_tolerance_ms: float
    init_wait_ms: float
    lost_timeout_s: float = 0.0
    reselect: bool = False


def model_choice(values: Mapping[str, Any]) -> ModelChoice:
    """The model to open, and what is to run it."""
    return ModelChoice(
        **{field.name: values[field.name] for field in dataclasses.fields(ModelChoice)}
    )


def tracker_config(values: Mapping[str, Any], own: TrackerConfig) -> TrackerConfig:
    """The thresholds to use.

    Args:
        values: parameters by name.
        own: stored with the model, used where a parameter is negative.

    Raises:
        ConfigError: a combination that the tracker refuses.
    """
    given = {name: values[name] for name in _TRACKER_FIELDS if values[name] >= 0}
    return dataclasses.replace(own, **given)


def worker_settings(values: Mapping[str, Any], own: TrackerConfig) -> WorkerSettings:
    """What the worker needs, as :func:`tracker_config`."""
    return WorkerSettings(
        tracker_config=tracker_config(values, own),
        catch_up_max_ms=values["catch_up_max_ms"],
        init_stamp_tolerance_ms=values["init_stamp_tolerance_ms"],
        init_wait_ms=values["init_wait_ms"],
        lost_timeout_s=values["lost_timeout_s"],
        reselect=values["reselect"],
    )


def call_limits(values: Mapping[str, Any]) -> Limits:
    """How long a call of the tracking thread may take."""
    return Limits(values["model_call_max_s"], values["stuck_call_s"])


def image_limits(values: Mapping[str, Any]) -> ImageLimits:
    """Which images are taken.

    Raises:
        ConfigError: a format that is not known.
    """
    formats = tuple(name.strip() for name in values["compressed_formats"].split(","))
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ConfigError(
            f"parameter compressed_formats names '{shown(unknown[0])}', but must be some of "
            f"{', '.join(FORMATS)}, with commas between them"
        )
    return ImageLimits(values["max_image_pixels"], formats)
