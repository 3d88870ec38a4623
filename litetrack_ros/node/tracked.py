"""What comes out of the tracking thread, and who takes it."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from litetrack_ros.geometry import clip_box_xywh
from litetrack_ros.images import Image
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.events import Event
from litetrack_ros.node.frames import ReceivedFrame
from litetrack_ros.tracker.result import StageTiming, TrackResult
from litetrack_ros.tracker.state import State


@dataclass(frozen=True)
class Tracked:
    """A processed frame.

    Attributes:
        frame: what was processed.
        image: the same as an array.
        results: one for each target followed, in the order of their first init.
        queue_wait_ms: from the image callback to the start of the processing.
        conversion_ms: message to array.
        timing: crop, model and decode, of search steps and init steps together.
        classes: of the targets that have one, by id.
    """

    frame: ReceivedFrame
    image: ConvertedImage
    results: tuple[TrackResult, ...]
    queue_wait_ms: float
    conversion_ms: float
    timing: StageTiming
    classes: Mapping[str, str] = field(default_factory=dict)


class Output(Protocol):
    """Where the worker's results go. Called from the worker's thread."""

    def send(self, tracked: Tracked, settle: Callable[[], None]) -> None:
        """Send a frame's boxes, call ``settle``, then send its timing. Never while disabled."""

    def show(self, tracked: Tracked) -> None:
        """Draw and send what only people look at."""

    def report(self, kind: str, message: str) -> None:
        """Take a fault: a kind for throttling and a sentence."""

    def recovered(self, kind: str) -> None:
        """Take notice that the cause of a kind of fault is gone."""

    def tell(self, event: Event) -> None:
        """Take an event of a target."""


@dataclass(frozen=True)
class TargetStatus:
    """A target after the latest frame, for diagnostics."""

    target_id: str
    state: State
    score: float


def inside(result: TrackResult, image: Image, margin_px: int) -> TrackResult:
    """The result with its box in the image: one that is held may have come from a larger image."""
    height, width = image.shape[:2]
    x, y, w, h = result.box_xywh
    if result.state is State.INITIALISING or (
        min(x, y) >= 0 and x + w <= width and y + h <= height
    ):
        return result
    box = clip_box_xywh(result.box_xywh, width, height, min(margin_px, width, height))
    return dataclasses.replace(result, box_xywh=box)
