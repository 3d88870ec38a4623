"""Declares the node's parameters from their table, and watches over changes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from litetrack_ros.errors import ConfigError
from litetrack_ros.node.parameters import BY_NAME, SPECS, Spec, unknown_parameters


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
