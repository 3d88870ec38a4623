"""Makes the animated pictures of the README: `make pictures`. Tracked anew each time.

The drawn scene twice: as a camera of 30 Hz sees it, and one of 1.5 Hz, where the target may have
moved out of the search region by the next image: the tracker's best known way to lose it.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.node.overlay import DrawnBox, draw_overlay
from litetrack_ros.tracker.tracker import Tracker

FOLDER = Path(__file__).absolute().parents[1] / "doc" / "images"
WIDTH_PX = 360
SHOWN_HZ = 10
MAX_BYTES = 3_000_000


def make(path: Path, frames: int, step: int, shown_every: int, hold_ms: int) -> str:
    """Tracks the scene and writes what is seen.

    Args:
        path: the animated picture, WebP.
        frames: of the scene at 30 Hz.
        step: the camera delivers every so manieth of them.
        shown_every: every so manieth of the camera's images is in the picture.
        hold_ms: how long each stays.

    Returns:
        A line of figures.

    Raises:
        SystemExit: the picture is larger than a README should load.
    """
    scene = DrawnScene(frames=frames)
    tracker = Tracker(open_backend())
    tracker.init(scene.frame(0), scene.box_xywh(0))
    pictures, overlaps = [], []
    for count, index in enumerate(range(step, frames, step)):
        image, truth = scene.frame(index), scene.box_xywh(index)
        result = tracker.update(image)
        assert result is not None  # the tracker has a target
        low = np.maximum(result.box_xywh[:2], truth[:2])
        high = np.minimum(result.box_xywh[:2] + result.box_xywh[2:], truth[:2] + truth[2:])
        common = float(np.prod(np.maximum(high - low, 0.0)))
        union = float(np.prod(truth[2:]) + np.prod(result.box_xywh[2:])) - common
        overlaps.append(common / union)
        if count % shown_every:
            continue
        box = DrawnBox(result.target_id, result.box_xywh, result.state, result.score)
        drawn = draw_overlay(image, "bgr", [box], f"camera at {30 / step:g} Hz")
        height = round(WIDTH_PX * drawn.shape[0] / drawn.shape[1])
        small = cv2.resize(drawn, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        pictures.append(Image.fromarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB)))
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=hold_ms, loop=0, quality=55
    )
    if path.stat().st_size > MAX_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes: make it shorter")
    return f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, mean overlap {np.mean(overlaps):.3f}"


if __name__ == "__main__":
    print(make(FOLDER / "demo.webp", 300, 1, 30 // SHOWN_HZ, 1000 // SHOWN_HZ))
    print(make(FOLDER / "failure.webp", 300, 20, 1, 667))
