"""What the window for selecting a target shows; what drags and clicks mean. No ROS, no window.

The picture that is shown stands still while a box is dragged, since the box belongs to it: its
stamp goes out with the box.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.media.drawing import TRACKER_COLORS, draw_box
from litetrack_ros.node.overlay import DrawnBox, draw_overlay
from litetrack_ros.opencv import cv2

MAX_HELD = 30  # pictures that wait for their boxes
SMALLEST_PX = 4  # a drag that is shorter is a click
HINT = "click on the target, again for another size, or drag a box around it; q quits"


class Selection(NamedTuple):
    """A box that was dragged, or a click.

    Attributes:
        box_xywh: pixels of the picture that was shown; of a click the size is 0.
        stamp_ns: of that picture.
        is_point: a click.
    """

    box_xywh: FloatArray
    stamp_ns: int
    is_point: bool


class SelectView:
    """Pictures and boxes in, mouse events in, a canvas and selections out; one thread.

    Attributes:
        hint: the line that is drawn on the picture.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[int, Uint8Image] = OrderedDict()
        self._shown: Uint8Image | None = None
        self._shown_ns = 0
        self._boxes: Sequence[DrawnBox] = ()
        self._boxes_ns = -1
        self._start_xy: tuple[int, int] | None = None
        self._end_xy = (0, 0)
        self.hint = HINT

    def add_image(self, image_bgr: Uint8Image, stamp_ns: int) -> None:
        """A picture came. It is shown at once, unless boxes come and choose the picture."""
        self._held[stamp_ns] = image_bgr
        while len(self._held) > MAX_HELD:
            self._held.popitem(last=False)
        if self._start_xy is not None:
            return
        if self._boxes_ns not in self._held:
            self._boxes = ()  # the tracker has fallen silent
        if not self._boxes:
            self._shown, self._shown_ns = image_bgr, stamp_ns

    def add_boxes(self, boxes: Sequence[DrawnBox], stamp_ns: int) -> None:
        """The tracker's boxes for a picture came: that picture is shown with them."""
        if self._start_xy is not None:
            return
        self._boxes = boxes
        if boxes and stamp_ns in self._held:
            self._shown, self._shown_ns = self._held[stamp_ns], stamp_ns
            self._boxes_ns = stamp_ns

    def on_mouse(self, event: int, x: int, y: int) -> Selection | None:
        """A mouse event of OpenCV in pixels of the canvas; a selection when the button comes up."""
        if self._shown is None:
            return None
        if event == cv2.EVENT_LBUTTONDOWN:
            self._start_xy = self._end_xy = (x, y)
        elif event == cv2.EVENT_MOUSEMOVE and self._start_xy is not None:
            self._end_xy = (x, y)
        elif event == cv2.EVENT_LBUTTONUP and self._start_xy is not None:
            self._end_xy = (x, y)
            box = self._dragged()
            self._start_xy = None
            if box is not None and box[2:].min() >= SMALLEST_PX:
                return Selection(box, self._shown_ns, is_point=False)
            return Selection(np.array([x, y, 0.0, 0.0]), self._shown_ns, is_point=True)
        return None

    def canvas(self) -> Uint8Image | None:
        """A new picture to show; None before the first one came."""
        if self._shown is None:
            return None
        boxes = self._boxes if self._boxes_ns == self._shown_ns else ()
        canvas = draw_overlay(self._shown, "bgr", boxes, self.hint)
        box = self._dragged()
        if box is not None:
            draw_box(canvas, box, TRACKER_COLORS[1])
        return canvas

    def _dragged(self) -> FloatArray | None:
        """The box between the two corners, within the picture; None without a drag."""
        if self._start_xy is None or self._shown is None:
            return None
        height, width = self._shown.shape[:2]
        corners = np.array([self._start_xy, self._end_xy], dtype=np.float64)
        corners = corners.clip((0, 0), (width, height))
        low, high = corners.min(axis=0), corners.max(axis=0)
        return np.concatenate([low, high - low])
