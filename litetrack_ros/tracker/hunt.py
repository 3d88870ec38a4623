"""What is known in the search for one LOST target, from frame to frame."""

from typing import NamedTuple

from litetrack_ros.geometry import FloatArray
from litetrack_ros.tracker.looks import Glimpse, Look
from litetrack_ros.tracker.proposals import Proposals

_AHEAD_FRAMES = 15  # for which a target is looked for where it was heading
_WAITS_FRAMES = 3  # a suspect, before it will have moved too far


class Suspect(NamedTuple):
    """Something that may be the target.

    Attributes:
        box_xywh: px.
        score: the network's.
        frame: in which it was seen.
    """

    box_xywh: FloatArray
    score: float
    frame: int


class Hunt:
    """The search for one LOST target.

    Args:
        look: the target's, by its first template.
        proposals: where to look next.
    """

    def __init__(self, look: Look, proposals: Proposals) -> None:
        self.look, self.proposals = look, proposals
        self.suspect: Suspect | None = None
        self.waiting: list[Suspect] = []
        self.window_xywh: FloatArray | None = None  # around which to search without a suspect
        self.unseen: Glimpse | None = None  # what the suspect looked like in the last frame
        self.likenesses: list[float] = []
        self.frame = 0
        self.raster_is_next = False

    @property
    def is_ahead(self) -> bool:
        """Whether to look where the target was heading, not where it was last seen."""
        return self.frame % 2 == 1

    @property
    def is_free(self) -> bool:
        """Whether the target's own search region is for the raster in the next frame."""
        return self.frame % 2 == 1 and self.frame > _AHEAD_FRAMES

    def move(self, across: FloatArray) -> None:
        """Take what is suspected into a picture that has moved by so much, ``(x, y, 0, 0)`` px."""
        if self.suspect is not None:
            self.suspect = self.suspect._replace(box_xywh=self.suspect.box_xywh + across)
        self.waiting = [w._replace(box_xywh=w.box_xywh + across) for w in self.waiting]

    def drop(self) -> None:
        """Leave the suspect, and turn to the likeliest of those that wait."""
        self.unseen, self.likenesses = None, []
        self.waiting = [one for one in self.waiting if self.frame - one.frame < _WAITS_FRAMES]
        best = max(self.waiting, key=lambda one: one.score, default=None)
        self.suspect = best
        self.waiting = [one for one in self.waiting if one is not best]
