"""The node's parameters: one table with type, default, range and meaning.

Defaults live here and nowhere else; config/tracker.yaml and doc/components.md are tested against
this table. Declaring and watching takes a node; the table itself needs no ROS.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litetrack_ros.config import BACKENDS, DEFAULT_CHOICE, ModelChoice, TrackerConfig
from litetrack_ros.errors import ConfigError
from litetrack_ros.node.worker import WorkerSettings

if TYPE_CHECKING:
    from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
    from rclpy.node import Node
    from rclpy.parameter import Parameter

Value = bool | int | float | str


@dataclass(frozen=True)
class Spec:
    """A parameter.

    Attributes:
        name: as in YAML.
        default: its type is the parameter's type.
        description: one sentence, with the unit.
        low, high: range of a number, both included.
        choices: the words allowed, empty for any.
        live: may change while the node is configured.
    """

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False

    def check(self, value: Value) -> None:
        """Raise ConfigError, with a sentence, for a value out of range."""
        if self.choices and value not in self.choices:
            raise ConfigError(
                f"parameter {self.name} is '{value}', but must be one of {', '.join(self.choices)}"
            )
        if self.low is not None and self.high is not None:
            assert not isinstance(value, str)  # only numbers have a range
            if not self.low <= value <= self.high:
                raise ConfigError(
                    f"parameter {self.name} is {value}, but must be from {self.low:g} to "
                    f"{self.high:g}"
                )


_MODELS_OWN = "negative: the value stored with the model"

SPECS: tuple[Spec, ...] = (
    Spec("autostart", True, "configure and activate at start; without it, wait for transitions"),
    Spec("model", DEFAULT_CHOICE.model, "name of a shipped model, or path of a weights file"),
    Spec(
        "backend",
        DEFAULT_CHOICE.backend,
        "what runs the model; auto is onnx where the model was exported, else torch",
        choices=BACKENDS,
    ),
    Spec(
        "device",
        DEFAULT_CHOICE.device,
        "where the model runs: cpu, cuda, cuda:N or auto; with onnx tensorrt and openvino too",
    ),
    Spec(
        "precision", DEFAULT_CHOICE.precision, "arithmetic of the model: fp32, fp16, bf16 or int8"
    ),
    Spec(
        "allow_fallback",
        DEFAULT_CHOICE.allow_fallback,
        "run on the CPU where the device cannot be had, rather than refuse to configure",
    ),
    Spec(
        "threads",
        DEFAULT_CHOICE.threads,
        "CPU threads of a model call; 0 is the backend's own choice",
        0,
        1024,
    ),
    Spec("image_transport", "raw", "form of the images", choices=("raw", "compressed")),
    Spec("max_targets", 1, "targets to follow; with 1 a new target replaces the old", 1, 64),
    Spec("ring_s", 3.0, "recent images kept for selections, s", 0.0, 60.0),
    Spec(
        "ring_mb",
        128,
        "recent images kept for selections, megabytes at most; old ones are reduced to fit",
        1,
        16384,
    ),
    Spec("publish_detections", False, "also publish vision_msgs/Detection2DArray"),
    Spec("default_class", "object", "class_id of the targets in ~/detections"),
    Spec(
        "catch_up_max_ms",
        200.0,
        "time to bring a track from the image of its init box to the newest image, ms",
        0.0,
        10000.0,
        live=True,
    ),
    Spec(
        "init_stamp_tolerance_ms",
        50.0,
        "how far an init box's stamp may be from the nearest image's if none is equal, ms",
        0.0,
        10000.0,
        live=True,
    ),
    Spec(
        "init_wait_ms",
        1000.0,
        "how long an init box may wait for an image with its stamp, ms",
        0.0,
        60000.0,
        live=True,
    ),
    Spec(
        "no_image_timeout_s",
        3.0,
        "warn after this long without an image, s",
        0.1,
        3600.0,
        live=True,
    ),
    Spec(
        "stale_stamp_ms",
        1000.0,
        "warn of image stamps that are older than this, or this far in the future, ms",
        1.0,
        1e7,
        live=True,
    ),
    Spec(
        "lost_timeout_s",
        30.0,
        "how long a target may be LOST until it is given up, s; 0 is for ever",
        0.0,
        86400.0,
        live=True,
    ),
    Spec("debug_image", True, "publish ~/debug_image while somebody listens", live=True),
    Spec(
        "lost_threshold",
        -1.0,
        f"score below which an image counts as a miss; 0 is never; {_MODELS_OWN}",
        -1.0,
        1.0,
        live=True,
    ),
    Spec(
        "lost_after_frames",
        -1,
        f"misses in a row until a target is LOST; {_MODELS_OWN}",
        -1,
        10000,
        live=True,
    ),
    Spec(
        "found_threshold",
        -1.0,
        f"score that a LOST target must reach to be TRACKING again; {_MODELS_OWN}",
        -1.0,
        1.0,
        live=True,
    ),
    Spec(
        "idle_after_frames",
        -1,
        f"LOST images until a target is given up; 0 is never; {_MODELS_OWN}",
        -1,
        1000000,
        live=True,
    ),
    Spec(
        "search_growth",
        -1.0,
        f"growth of the search region per LOST image, factor from 1; {_MODELS_OWN}",
        -1.0,
        2.0,
        live=True,
    ),
    Spec(
        "max_search_scale",
        -1.0,
        f"limit of that growth, factor from 1; {_MODELS_OWN}",
        -1.0,
        10.0,
        live=True,
    ),
    Spec(
        "size_smoothing",
        -1.0,
        f"weight of the newly predicted size, above 0 to 1; 1 is no smoothing; {_MODELS_OWN}",
        -1.0,
        1.0,
        live=True,
    ),
)
BY_NAME: dict[str, Spec] = {spec.name: spec for spec in SPECS}

# Names of the release before, and what to set instead.
RENAMED = {"ring_frames": "ring_s"}

_TRACKER_FIELDS = tuple(
    field.name for field in dataclasses.fields(TrackerConfig) if field.name in BY_NAME
)
# Parameters of ROS itself that may stand beside ours in a YAML file.
_ROS_OWN = ("use_sim_time", "start_type_description_service", "qos_overrides.")


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
    )


def unknown_parameters(names: Iterable[str]) -> list[str]:
    """A sentence for each name that is no parameter of this node, with the nearest one."""
    warnings = []
    for name in names:
        if name in BY_NAME or name.startswith(_ROS_OWN):
            continue
        if name in RENAMED:
            warnings.append(f"parameter {name} has no effect any more: set {RENAMED[name]}")
            continue
        near = difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.0)
        warnings.append(f"there is no parameter {name}; the nearest name is {near[0]}")
    return warnings


class NodeParameters:
    """The parameters of a node, declared from the table.

    A bad value from the command line or a YAML file does not end the node here: the default is
    declared instead, and :attr:`faults` says what is wrong until the parameter is set again. A name
    that is no parameter is only a warning: it may be meant for another release of this node.

    Args:
        node: declares the parameters.
        given: names of all parameters given at start.
        on_change: called with all values before a change is accepted; may raise ConfigError.
        is_configured: whether only live parameters may change.
    """

    def __init__(
        self,
        node: Node,
        given: Iterable[str],
        on_change: Callable[[Mapping[str, Any]], None],
        is_configured: Callable[[], bool],
    ) -> None:
        self._node = node
        self._on_change = on_change
        self._is_configured = is_configured
        self._faults: dict[str, str] = {}
        for spec in SPECS:
            self._declare(spec)
        self.warnings = unknown_parameters(given)
        node.add_on_set_parameters_callback(self._on_set)

    @property
    def faults(self) -> list[str]:
        """What is wrong with the values given at start, a sentence each."""
        return list(self._faults.values())

    def values(self) -> dict[str, Any]:
        """All values by name."""
        return {spec.name: self._node.get_parameter(spec.name).value for spec in SPECS}

    def _declare(self, spec: Spec) -> None:
        from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

        descriptor = _descriptor(spec)
        try:
            value = self._node.declare_parameter(spec.name, spec.default, descriptor).value
            spec.check(value)
            return
        except InvalidParameterTypeException:
            wanted = type(spec.default).__name__
            example = " (write 1.0, not 1)" if wanted == "float" else ""
            self._faults[spec.name] = f"parameter {spec.name} must be of type {wanted}{example}"
        except InvalidParameterValueException:
            limits = f"from {spec.low:g} to {spec.high:g}" if spec.low is not None else "valid"
            self._faults[spec.name] = f"parameter {spec.name} must be {limits}"
        except ConfigError as error:
            self._faults[spec.name] = str(error)
            return
        self._node.declare_parameter(spec.name, spec.default, descriptor, ignore_override=True)

    def _on_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        from rcl_interfaces.msg import SetParametersResult

        ours = [parameter for parameter in parameters if parameter.name in BY_NAME]
        try:
            for parameter in ours:
                spec = BY_NAME[parameter.name]
                spec.check(parameter.value)
                if not spec.live and self._is_configured():
                    raise ConfigError(
                        f"parameter {spec.name} is fixed while the node is configured: "
                        "clean the node up first (ros2 lifecycle set NODE cleanup)"
                    )
            if ours:
                self._on_change({**self.values(), **{p.name: p.value for p in ours}})
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        for parameter in ours:
            self._faults.pop(parameter.name, None)
        return SetParametersResult(successful=True)


def _descriptor(spec: Spec) -> ParameterDescriptor:
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    descriptor = ParameterDescriptor(description=spec.description)
    if spec.choices:
        descriptor.additional_constraints = f"one of {', '.join(spec.choices)}"
    if not spec.live:
        descriptor.additional_constraints += (
            f"{'; ' if spec.choices else ''}fixed while the node is configured"
        )
    if spec.low is not None and spec.high is not None:
        if isinstance(spec.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(spec.low), to_value=float(spec.high))
            ]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=1)
            ]
    return descriptor
