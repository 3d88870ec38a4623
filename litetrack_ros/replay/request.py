"""What ``litetrack bag replay`` is asked for, and the conditions on which it fails."""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from litetrack_ros.config import DEFAULT_CHOICE, ModelChoice
from litetrack_ros.errors import ConfigError

Mode = Literal["recorded", "lockstep", "peak"]
MODES: tuple[Mode, ...] = get_args(Mode)

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_PATTERN = re.compile(r"\s*(\w+)\s*(>=|<=|==|!=|>|<)\s*(\S+)\s*")
_NOT_WITH_PEAK = ("save_txt", "write_boxes", "report", "ground_truth")


class Condition(NamedTuple):
    """A comparison of a figure with a number, such as ``latency_p95_ms > 40``."""

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


@dataclass(frozen=True)
class ReplayRequest:
    """A replay: what is played, to which model, and what is written.

    Attributes:
        bag: a rosbag2 folder or file.
        model: what the node runs.
        image_topic: needed where the bag has several.
        init_box: the target in the first frame played: x, y, width, height, px.
        init_topic: the target is the first box on this topic; without either, the first box of
            the ground truth.
        mode: at the recorded times, each frame after the last one's box, or at the highest rate
            that the node keeps up with.
        rate: times faster than recorded.
        loop: how often to play everything.
        start, duration: which part of the bag to play, seconds; None plays to the end.
        ground_truth: a topic or a file; None takes the usual topic if there is one.
        warm_up: frames that do not count for latency.
        report: folder for report.html, report.json and frames.csv.
        json: file for the figures.
        save_txt: file for the boxes, a line a frame.
        write_boxes: bag to make, a copy with boxes and timing.
        fail_if: conditions as :func:`parse_condition` reads them.

    Raises:
        ConfigError: a number out of range, options that do not go together, or no condition.
    """

    bag: Path
    model: ModelChoice = DEFAULT_CHOICE
    image_topic: str | None = None
    init_box: tuple[float, ...] | None = None
    init_topic: str | None = None
    mode: Mode = "recorded"
    rate: float = 1.0
    loop: int = 1
    start: float = 0.0
    duration: float | None = None
    ground_truth: str | None = None
    warm_up: int = 10
    report: Path | None = None
    json: Path | None = None
    save_txt: Path | None = None
    write_boxes: Path | None = None
    fail_if: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        limits = (
            ("rate", self.rate, 0.01, 100.0),
            ("loop", self.loop, 1, 100_000),
            ("start", self.start, 0.0, 1e6),
        )
        for name, value, low, high in limits:
            if not low <= value <= high:
                raise ConfigError(f"--{name} must be from {low:g} to {high:g}, not {value:g}")
        if self.duration is not None and not 0 < self.duration < math.inf:
            raise ConfigError(f"--duration must be above 0, not {self.duration:g}")
        if self.warm_up < 0:
            raise ConfigError(f"--warm-up must be 0 or more, not {self.warm_up}")
        for name in _NOT_WITH_PEAK if self.mode == "peak" else ():
            if getattr(self, name) is not None:
                option = name.replace("_", "-")
                raise ConfigError(
                    f"--{option} does not go with --mode peak, which plays frames anew"
                )
        _ = self.conditions

    @property
    def conditions(self) -> list[Condition]:
        """The conditions on which the replay fails."""
        return [parse_condition(text) for text in self.fail_if]
