"""Labels real video by tracking it forwards and backwards; kept where both agree."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Uint8Image
from litetrack_ros.media.sources import open_source, source_files
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs.material_making import MAX_FRAMES, evenly, read_small, write_clip
from litetrack_ros.tracker.following import follow
from litetrack_ros.tracker.tracker import Tracker

MIN_AGREEMENT = 0.6  # overlap of both boxes


class AgreedTrack(NamedTuple):
    """Boxes on which a tracker agrees with itself in reverse.

    Attributes:
        boxes_xywh: ``(T, 4)`` float64, the mean of both directions' boxes.
        agreement: ``(T,)`` float64, overlap of both.
    """

    boxes_xywh: FloatArray
    agreement: FloatArray

    @property
    def kept(self) -> npt.NDArray[np.intp]:
        """Indices of the frames in which both agree."""
        return np.flatnonzero(self.agreement >= MIN_AGREEMENT)


class LabelledClip(NamedTuple):
    """What is kept of a video.

    Attributes:
        frames: BGR, those that are kept.
        masks: of the object in each, ``(H, W)`` uint8 0 or 255.
        indices: of the frames in the video.
        agreed: number of frames in which both directions agree.
        of: number of frames.
        agreement: mean overlap of both directions' boxes.
    """

    frames: list[Uint8Image]
    masks: list[Uint8Image]
    indices: list[int]
    agreed: int
    of: int
    agreement: float


@dataclass(frozen=True)
class LabelJob:
    """A video to label; a :class:`litetrack_ros.evaluation.executors.Job` that needs a backend.

    Attributes:
        video: a video file or a folder of images.
        init_box_xywh: the object in the first frame, px.
        output: the clip's folder.
        height_px: of the clip.
        longest: most frames of the clip.
    """

    video: str
    init_box_xywh: tuple[float, ...]
    output: Path
    height_px: int
    longest: int

    @property
    def name(self) -> str:
        """The video's."""
        return self.video

    @property
    def frames(self) -> int:
        """Of both directions; the most there can be where nobody knows how many there are.

        Raises:
            MediaError: the video cannot be read.
        """
        with open_source(self.video) as source:
            return 2 * min(source.frame_count or MAX_FRAMES, MAX_FRAMES)

    def files(self) -> dict[str, bytes]:
        """The video; see :func:`litetrack_ros.media.sources.source_files`."""
        return source_files(Path(self.video))

    def in_folder(self, folder: Path) -> "LabelJob":
        """The same job, the video in another folder."""
        file = folder / Path(self.video).name
        return dataclasses.replace(self, video=str(file if file.is_file() else folder))

    def do(self, backend: Backend, on_frame: Callable[[], None]) -> LabelledClip:
        """Track both ways; see :func:`track_both_ways`.

        Raises:
            DatasetError: fewer than two frames, or the directions agree nowhere.
            MediaError: the video cannot be read.
            BoxError: no track can start.
        """
        frames, scale = read_small(self.video, self.height_px)
        if len(frames) < 2:
            raise DatasetError(f"{self.video} has {len(frames)} frames: at least two are needed")
        box = np.array(self.init_box_xywh) * scale
        track = track_both_ways(frames, box, backend, on_frame)
        if len(track.kept) == 0:
            raise DatasetError(
                f"{self.video}: the directions agree nowhere; try another box or part"
            )
        height, width = frames[0].shape[:2]
        chosen = evenly(track.kept.tolist(), self.longest)
        return LabelledClip(
            [frames[index] for index in chosen],
            [ellipse_mask(track.boxes_xywh[index], height, width) for index in chosen],
            chosen,
            len(track.kept),
            len(frames),
            float(track.agreement.mean()),
        )

    def keep(self, clip: LabelledClip) -> None:
        """Write the clip.

        Raises:
            DatasetError: its folder exists.
            MediaError: it cannot be written.
        """
        write_clip(self.output, clip.frames, clip.indices, clip.masks)


def track_both_ways(
    frames: Sequence[Uint8Image],
    init_box_xywh: FloatArray,
    backend: Backend,
    on_frame: Callable[[], None] = lambda: None,
) -> AgreedTrack:
    """Track to the last frame, and from the box found there back to the first.

    Args:
        frames: BGR, at least two.
        init_box_xywh: the object in the first one, px.
        backend: runs the network.
        on_frame: called after every frame of either direction, for a progress bar.

    Raises:
        BoxError: no track can start from the first or the last box.
    """
    forwards = _track(frames, init_box_xywh, backend, on_frame)
    backwards = _track(frames[::-1], forwards[-1], backend, on_frame)[::-1]
    agreement = overlap(forwards, backwards)
    return AgreedTrack(0.5 * (forwards + backwards), np.asarray(agreement, dtype=np.float64))


def ellipse_mask(box_xywh: FloatArray, height: int, width: int) -> Uint8Image:
    """A mask for an object of which only the box is known, ``(height, width)`` 0 or 255."""
    x, y, w, h = (float(v) for v in box_xywh)
    mask = np.zeros((height, width), dtype=np.uint8)
    cv2.ellipse(mask, ((x + 0.5 * w, y + 0.5 * h), (w, h), 0.0), 255, -1)
    return mask


def _track(
    frames: Sequence[Uint8Image],
    init_box_xywh: FloatArray,
    backend: Backend,
    on_frame: Callable[[], None],
) -> FloatArray:
    boxes = []
    # A target that was given up stays where it was: the other direction will not agree.
    for step in follow(Tracker(backend), frames, init_box_xywh):
        boxes.append(step.result.box_xywh)
        on_frame()
    return np.stack(boxes)
