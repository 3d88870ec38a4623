"""The loop of every one-target run: initialise on the first image, update on the rest."""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from litetrack_ros.geometry import BoxLike
from litetrack_ros.images import Image
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State


class OneTargetTracker(Protocol):
    """Any tracker of one target: :class:`~litetrack_ros.tracker.tracker.Tracker`, or another's."""

    def init(self, image: Image, box_xywh: BoxLike) -> TrackResult:
        """Start to follow what the box shows in a BGR or grey image."""

    def update(self, image: Image) -> TrackResult | None:
        """The target in the next image; None once it was given up."""


class Followed(NamedTuple):
    """One image of a run.

    Attributes:
        image: as it came.
        result: what the tracker said; once the target was given up, its last result, IDLE.
        call_s: seconds spent in the tracker.
    """

    image: Image
    result: TrackResult
    call_s: float


def follow(
    tracker: OneTargetTracker, images: Iterable[Image], init_box_xywh: BoxLike
) -> Iterator[Followed]:
    """Track one target through images, from its box in the first.

    Args:
        tracker: a fresh one, or one whose target is given up here.
        images: BGR or grey, read one at a time.
        init_box_xywh: the target in the first image, px, ``(4,)``.

    Yields:
        Every image in order, the first with the result of ``init``.

    Raises:
        BoxError: no track can start from the box.
        ImageError: something that is no image.

    Examples:
        >>> import litetrack_ros as lt
        >>> from litetrack_ros.media.scene import DrawnScene
        >>> scene = DrawnScene(frames=4)
        >>> images = (image for image, _ in scene)
        >>> run = lt.follow(lt.Tracker(lt.open_backend()), images, scene.box_xywh(0))
        >>> [followed.result.state.name for followed in run]
        ['TRACKING', 'TRACKING', 'TRACKING', 'TRACKING']
    """
    result: TrackResult | None = None
    for image in images:
        start_s = time.perf_counter()
        if result is None:
            result = tracker.init(image, init_box_xywh)
        elif result.state is not State.IDLE:
            result = tracker.update(image) or result
        yield Followed(image, result, time.perf_counter() - start_s)
