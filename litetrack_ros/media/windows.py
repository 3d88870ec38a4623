"""Windows on a display: showing frames, and dragging a box."""

import os
import re
import sys

from litetrack_ros.errors import BoxError, MediaError
from litetrack_ros.geometry import FloatArray, check_init_box
from litetrack_ros.images import Image, Uint8Image, to_bgr8
from litetrack_ros.opencv import cv2

STOP_KEYS = (27, ord("q"))  # Esc


def check_display() -> None:
    """Make sure that a window can be opened; OpenCV may abort the process where it cannot.

    Raises:
        MediaError: OpenCV is a headless flavour, or there is no display.
    """
    if re.search(r"GUI:\s+NONE", cv2.getBuildInformation()):
        raise MediaError(
            "the installed OpenCV is a headless flavour without windows (opencv-python or "
            "opencv-contrib-python in its place would have them)"
        )
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise MediaError("there is no display for a window: DISPLAY is not set")


def show(title: str, image_bgr: Uint8Image) -> bool:
    """Show a frame; False when the user pressed q or Esc, or closed the window."""
    cv2.imshow(title, image_bgr)
    if cv2.waitKey(1) & 0xFF in STOP_KEYS:
        return False
    return bool(cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1)


def close_windows() -> None:
    """Close every window."""
    cv2.destroyAllWindows()


def ask_for_box(image: Image) -> FloatArray:
    """Let the user drag a box around the target with the mouse.

    Args:
        image: grey or BGR, uint8 or uint16.

    Returns:
        xywh in image pixels, ``(4,)``.

    Raises:
        BoxError: there is no display to draw it on, or no box was drawn.
    """
    try:
        check_display()
    except MediaError as error:
        raise BoxError(f"give the target with --init-box X Y W H: {error}") from error
    title = "drag a box around the target, then press Enter"
    box = cv2.selectROI(title, to_bgr8(image), showCrosshair=False)
    cv2.destroyWindow(title)
    return check_init_box(box, image.shape[1], image.shape[0])
