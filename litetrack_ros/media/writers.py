"""Writes annotated frames as a video that appears whole or not at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from litetrack_ros.errors import MediaError
from litetrack_ros.files import replacing
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2

JPEG_QUALITY = 95  # of pictures that are kept
DEFAULT_FPS = 30.0  # where a source does not say
SUFFIX = ".mp4"
CODEC = int.from_bytes(b"mp4v", "little")  # MPEG-4: the one every OpenCV with FFmpeg encodes


class VideoWriter:
    """Appends frames to an MP4 file; the first frame sets the size.

    Args:
        path: the file to overwrite.
        fps: frames a second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self._path = path
        self._fps = fps
        self._writer: cv2.VideoWriter | None = None
        self._size_px = (0, 0)
        self._count = 0

    def write(self, image_bgr: Uint8Image) -> None:
        """Append a frame, ``(H, W, 3)``; one of another size is fitted into the first one's.

        Raises:
            MediaError: this OpenCV cannot write MP4 there.
        """
        if self._writer is None:
            height, width = image_bgr.shape[:2]
            self._size_px = (width + width % 2, height + height % 2)  # the codec wants even sizes
            self._writer = cv2.VideoWriter(str(self._path), CODEC, self._fps, self._size_px)
            if not self._writer.isOpened():
                raise MediaError("this OpenCV cannot write MP4 videos; install one with FFmpeg")
        self._writer.write(fit_image(image_bgr, *self._size_px))
        self._count += 1

    def finish(self) -> None:
        """Close the file.

        Raises:
            MediaError: no frame was written, or not all frames arrived in the file.
        """
        self.release()
        if self._count == 0:
            raise MediaError("no frame was written, so there is no video")
        # OpenCV's writer does not report a full disk; the container does.
        written = cv2.VideoCapture(str(self._path))
        arrived = round(written.get(cv2.CAP_PROP_FRAME_COUNT)) if written.isOpened() else 0
        written.release()
        if arrived != self._count:
            raise MediaError(
                f"only {arrived} of {self._count} frames arrived in the video; is the disk full?"
            )

    def release(self) -> None:
        """Close the file without checking it."""
        if self._writer is not None:
            self._writer.release()


@contextlib.contextmanager
def writing_video(path: Path, fps: float | None) -> Iterator[VideoWriter]:
    """Write a video; it appears under its name when the block succeeds.

    Args:
        path: the file to make or replace, ``.mp4``.
        fps: frames a second; None takes :data:`DEFAULT_FPS`.

    Raises:
        MediaError: not an MP4 name, or it cannot be written.
    """
    if path.suffix.lower() != SUFFIX:
        raise MediaError(f"videos are written as MP4: call it {path.with_suffix(SUFFIX)}")
    with replacing(path) as temporary:
        writer = VideoWriter(temporary, fps or DEFAULT_FPS)
        try:
            yield writer
            writer.finish()
        finally:
            writer.release()


def encode_jpeg(image_bgr: Uint8Image) -> bytes:
    """The file that :func:`write_image` writes of a picture, ``(H, W, 3)`` or ``(H, W)``."""
    _, content = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(content)


def write_image(path: Path, image_bgr: Uint8Image, jpeg_quality: int = JPEG_QUALITY) -> None:
    """Write a picture; its suffix chooses the format.

    Args:
        path: the file to make or replace.
        image_bgr: ``(H, W, 3)`` or ``(H, W)``.
        jpeg_quality: of a JPEG, to 100; other formats are written as OpenCV does.

    Raises:
        MediaError: a suffix OpenCV does not write, or the file cannot be written.
    """
    is_jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    settings = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality] if is_jpeg else []
    with replacing(path) as temporary:
        try:
            written = cv2.imwrite(str(temporary), image_bgr, settings)
        except cv2.error as error:
            raise MediaError(f"cannot write {path} as a picture; call it .png or .jpg") from error
        if not written:
            raise MediaError(f"cannot write the picture {path}; is the disk full?")


def fit_image(image_bgr: Uint8Image, width_px: int, height_px: int) -> Uint8Image:
    """Scale an image into a size, its shape kept, black beside it; one pixel off is only padded."""
    height, width = image_bgr.shape[:2]
    if (width, height) == (width_px, height_px):
        return image_bgr
    scale = min(width_px / width, height_px / height)
    if not (0 <= width_px - width <= 1 and 0 <= height_px - height <= 1):
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        image_bgr = np.asarray(cv2.resize(image_bgr, (width, height)), dtype=np.uint8)
    canvas = np.zeros((height_px, width_px, 3), dtype=np.uint8)
    left, top = (width_px - width) // 2, (height_px - height) // 2
    canvas[top : top + height, left : left + width] = image_bgr
    return canvas
