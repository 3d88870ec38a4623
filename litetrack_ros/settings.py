"""Settings from YAML and JSON: read, checked field by field, and written.

Any frozen dataclass can be read. What is wrong is said with the file, the key and what it must be.
"""

import dataclasses
import difflib
import json
import math
import reprlib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import yaml

from litetrack_ros.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_MAX_YAML_BYTES = 1 << 20

Config = TypeVar("Config", bound="DataclassInstance")


class Limits(NamedTuple):
    """The lowest and the highest number that a setting may be, both included."""

    low: float
    high: float = math.inf


Share = Annotated[float, Limits(0.0, 1.0)]
Spread = Annotated[float, Limits(0.0)]  # a standard deviation, a strength or another width
Span = Annotated[tuple[float, float], Limits(-math.inf)]  # from the first number to the second
PositiveSpan = Annotated[tuple[float, float], Limits(1e-6)]
CountSpan = Annotated[tuple[int, int], Limits(0)]


@dataclass(frozen=True)
class LimitedNumbers:
    """Settings whose types hold their limits: :data:`Share`, :data:`Spread`, :data:`Span` ..."""

    def __post_init__(self) -> None:
        for key, wanted in typing.get_type_hints(type(self), include_extras=True).items():
            for low, high in getattr(wanted, "__metadata__", ()):
                value = getattr(self, key)
                numbers = value if isinstance(value, tuple) else (value,)
                rule = f"at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
                check_setting(self, key, low <= min(numbers) and max(numbers) <= high, rule)
                check_setting(self, key, list(numbers) == sorted(numbers), "in rising order")


def from_mapping(kind: type[Config], values: Mapping[str, Any], origin: str) -> Config:
    """Build a configuration from a mapping, nested where it is; absent keys keep their defaults.

    Args:
        kind: the dataclass to build.
        values: field names to values.
        origin: what the values were read from, for messages.

    Raises:
        ConfigError: an unknown key, a value of the wrong type or out of range.
    """
    types = typing.get_type_hints(kind)
    fields = {f.name: types[f.name] for f in dataclasses.fields(kind)}
    converted: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            [closest] = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.0)
            raise ConfigError(f"{origin}: unknown key '{key}'; the closest is '{closest}'")
        converted[key] = _convert_value(value, fields[key], f"{origin}: {key}")
    try:
        return kind(**converted)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from error


def parse_yaml(text: str) -> Any:
    """What YAML says, without tags.

    Raises:
        ValueError: it is not YAML, nested too deep, or holds a number too long to be one.
    """
    try:
        return yaml.safe_load(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        ConfigError: the file is missing, too large, is not YAML, or does not hold a mapping.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_YAML_BYTES + 1)
        values = parse_yaml(content.decode()) if len(content) <= _MAX_YAML_BYTES else None
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the configuration {path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"the configuration {path} must hold 'key: value' lines")
    return values


def to_json(config: "DataclassInstance") -> str:
    """A configuration as the JSON kept in a weights file's metadata."""
    return json.dumps(dataclasses.asdict(config), sort_keys=True)


def from_json(kind: type[Config], text: str, origin: str) -> Config:
    """Read :func:`to_json` back.

    Raises:
        ConfigError: not JSON, or as :func:`from_mapping`.
    """
    try:
        values = json.loads(text)
    # Of nesting too deep, and of numbers too long to be any.
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{origin}: the configuration is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{origin}: the configuration is not a JSON object")
    return from_mapping(kind, values, origin)


def _brief(value: Any) -> str:
    """A value as it stands in a message: a few lines of YAML may be worth gigabytes of text."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxlist = 2, 200, 20
    return short.repr(value)


def _convert_value(value: Any, wanted: Any, where: str) -> Any:
    choices = typing.get_args(wanted)
    if type(None) in choices:  # a part that may be left out
        return None if value is None else _convert_value(value, choices[0], where)
    if isinstance(wanted, type) and dataclasses.is_dataclass(wanted):
        if isinstance(value, Mapping):
            return from_mapping(wanted, value, where)
        raise ConfigError(f"{where} is {_brief(value)}, but must hold 'key: value' lines")
    if typing.get_origin(wanted) is tuple:
        count = None if choices[-1] is ... else len(choices)
        if isinstance(value, list | tuple) and value and count in (None, len(value)):
            return tuple(_convert_value(each, choices[0], where) for each in value)
        many = "" if count is None else f"{count} "
        raise ConfigError(f"{where} is {_brief(value)}, but must be a list of {many}numbers")
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if choices:
        if value in choices:
            return value
        raise ConfigError(f"{where} is {_brief(value)}, but must be one of {', '.join(choices)}")
    if type(value) is wanted:
        return value
    raise ConfigError(f"{where} is {_brief(value)}, but must be of type {wanted.__name__}")


def check_setting(config: "DataclassInstance", key: str, holds: bool, rule: str) -> None:
    if not holds:
        raise ConfigError(f"{key} is {_brief(getattr(config, key))}, but must be {rule}")
