"""Draws tracked boxes into an image, for people to look at."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from litetrack_ros.geometry import BoxLike
from litetrack_ros.images import ColorOrder, Image, Uint8Image, to_bgr8
from litetrack_ros.media.drawing import GREEN, RED, TRACKER_COLORS, Color, draw_box, draw_text
from litetrack_ros.tracker.state import State

STATE_COLORS: dict[State, Color] = {
    State.IDLE: RED,
    State.INITIALISING: TRACKER_COLORS[0],
    State.TRACKING: GREEN,
    State.LOST: RED,
}


class DrawnBox(NamedTuple):
    """What is drawn of a target.

    Attributes:
        target_id: its name.
        box_xywh: image pixels.
        state: sets the colour.
        score: raw score.
    """

    target_id: str
    box_xywh: BoxLike
    state: State
    score: float


def label(target_id: str, state: State, score: float) -> str:
    """What is written beside a box."""
    return f"{target_id} {state.name} {score:.2f}".strip()


def draw_overlay(
    image: Image, color_order: ColorOrder, boxes: Sequence[DrawnBox], caption: str = ""
) -> Uint8Image:
    """A BGR copy of an image with boxes, and a line of text for each below the caption.

    Args:
        image: as :func:`litetrack_ros.images.check_image` takes.
        color_order: of the image.
        boxes: to draw.
        caption: the first line in the top-left corner.
    """
    canvas = np.array(to_bgr8(image, color_order))
    if caption:
        draw_text(canvas, caption)
    for line, box in enumerate(boxes, start=1 if caption else 0):
        color = STATE_COLORS[box.state]
        draw_box(canvas, box.box_xywh, color)
        draw_text(canvas, label(box.target_id, box.state, box.score), line, color)
    return canvas
