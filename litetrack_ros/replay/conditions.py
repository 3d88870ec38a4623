"""Conditions such as ``latency_p95_ms > 40``, on which a benchmark fails."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from litetrack_ros.errors import ConfigError

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_PATTERN = re.compile(r"\s*(\w+)\s*(>=|<=|==|!=|>|<)\s*(\S+)\s*")


class Condition(NamedTuple):
    """A comparison of a figure with a number."""

    figure: str
    comparison: str
    limit: float

    def __str__(self) -> str:
        return f"{self.figure} {self.comparison} {self.limit:g}"

    def holds(self, figures: Mapping[str, float | None]) -> bool:
        """Whether it is true; a figure that could not be had makes every condition true.

        Raises:
            ConfigError: there is no such figure; the message lists those there are.
        """
        if self.figure not in figures:
            raise ConfigError(
                f"there is no figure {self.figure}; the figures are: {', '.join(figures)}"
            )
        value = figures[self.figure]
        return value is None or _OPERATORS[self.comparison](value, self.limit)


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Raises:
        ConfigError: not ``FIGURE OPERATOR NUMBER``.
    """
    match = _PATTERN.fullmatch(text)
    if match is not None:
        figure, comparison, number = match.groups()
        try:
            limit = float(number)
        except ValueError:
            limit = math.nan
        if math.isfinite(limit):
            return Condition(figure, comparison, limit)
    raise ConfigError(
        f"'{text}' is no condition: write a figure, one of {' '.join(_OPERATORS)}, and a number, "
        'for example "latency_p95_ms > 40"'
    )
