"""The sequences that models are chosen on: made ones, and real clips kept out of training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from litetrack_ros.datasets.sequences import GROUND_TRUTH, format_boxes
from litetrack_ros.files import make_folder, write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media.writers import write_image
from litetrack_ros.pairs.materials import Materials
from litetrack_ros.pairs.synthetic_video import SyntheticVideo


def write_development_set(materials: Materials, seed: int, made: int, folder: Path) -> list[str]:
    """Write sequences as folders that `litetrack evaluate` reads.

    Args:
        materials: the validation part.
        seed: of the made sequences.
        made: how many of them; every clip of the materials is written too.
        folder: made if needed; files of the same names are overwritten.

    Returns:
        The sequences' names.

    Raises:
        MediaError: a file cannot be written.
    """
    names = []
    for index in range(made):
        video = SyntheticVideo(materials, seed, index)
        _write_sequence(folder / video.name, video.frames(), video.boxes_xywh)
        names.append(video.name)
    for clip in materials.clips:
        start = int(clip.shown[0])  # a track starts where the target is seen
        frames = clip.frames[start:]
        _write_sequence(folder / clip.name, frames, clip.boxes_xywh[start:])
        names.append(clip.name)
    return names


def _write_sequence(folder: Path, frames: Iterable[Uint8Image], boxes_xywh: FloatArray) -> None:
    make_folder(folder / "frames")
    for number, frame in enumerate(frames):
        write_image(folder / "frames" / f"{number:05d}.jpg", to_bgr8(frame, "rgb"))
    # Last, so that an interrupted sequence is not taken for a whole one.
    write_text(folder / GROUND_TRUTH, format_boxes(boxes_xywh))
