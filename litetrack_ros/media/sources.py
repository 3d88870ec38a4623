"""Where images come from: a video file, a folder of images, a camera.

All are read the same way: open with :func:`open_source`, iterate over :class:`Frame`, close. Images
are what :func:`litetrack_ros.images.check_image` accepts, colour in BGR order.
"""

import contextlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from litetrack_ros.errors import ImageError, MediaError
from litetrack_ros.images import Image, check_image
from litetrack_ros.opencv import cv2

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
# What a container announces may be a rounded duration times the rate: this much is no truncation.
MISSING_FRAMES_ALLOWED = 2
MISSING_FRACTION_ALLOWED = 0.01


class Frame(NamedTuple):
    """One image of a source.

    Attributes:
        name: the file's name, or the frame's number.
        image: grey ``(H, W)`` or BGR ``(H, W, 3)``, uint8 or uint16.
    """

    name: str
    image: Image


class Source(Protocol):
    """Images in order, read once.

    Attributes:
        name: for titles and messages.
        fps: frames a second, where known.
        frame_count: how many frames will come, where known; of a video the container's word.
        is_live: whether the frames have no end of their own, as of a camera.
    """

    name: str
    fps: float | None
    frame_count: int | None
    is_live: bool

    def __iter__(self) -> Iterator[Frame]:
        """The frames.

        Raises:
            MediaError: a frame cannot be read, or the stream ends before its announced length.
        """

    def close(self) -> None:
        """Release the device or file."""


class ImageFolder:
    """The images of a folder, in natural order of their names (``f2`` before ``f10``).

    Sizes, channels and depths may differ between images; hidden files are passed over.

    Raises:
        MediaError: no folder, or no images in it.
    """

    is_live = False

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.fps: float | None = None
        try:
            paths = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
        except OSError as error:
            raise MediaError(f"cannot read the folder {folder}: {error.strerror}") from error
        names = (p.name for p in paths if not p.name.startswith("."))
        self.paths = [folder / name for name in sorted(names, key=natural_key)]
        if not self.paths:
            raise MediaError(
                f"the folder {folder} holds no images; known are {', '.join(IMAGE_SUFFIXES)}"
            )
        self.frame_count: int | None = len(self.paths)

    def __iter__(self) -> Iterator[Frame]:
        for path in self.paths:
            yield Frame(path.name, read_image(path))

    def close(self) -> None:
        """Nothing is held open."""


class VideoFile:
    """The frames of a video file, in decoding order.

    Raises:
        MediaError: missing, empty or not a video that this OpenCV decodes.
    """

    is_live = False

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.paths = [path]
        if not path.is_file():
            raise MediaError(f"there is no video file {path}")
        if path.stat().st_size == 0:
            raise MediaError(f"the video {path} is empty")
        capture = _open_capture(str(path))
        if capture is None:
            raise MediaError(
                f"cannot read {path} as a video: it is damaged, incomplete or of a kind that "
                "this OpenCV does not decode"
            )
        self._capture = capture
        self.fps = _positive(capture.get(cv2.CAP_PROP_FPS))
        count = _positive(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frame_count = None if count is None else round(count)

    def __iter__(self) -> Iterator[Frame]:
        decoded = 0
        while True:
            ok, image = self._capture.read()
            if not ok:
                break
            yield Frame(f"{decoded:06d}", check_image(image))
            decoded += 1
        self._check_complete(decoded)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _check_complete(self, decoded: int) -> None:
        """OpenCV stops at damage as at the end; only the container's count tells them apart."""
        [path] = self.paths
        if decoded == 0:
            raise MediaError(f"the video {path} holds no frame that can be decoded")
        announced = self.frame_count or 0
        allowed = max(MISSING_FRAMES_ALLOWED, MISSING_FRACTION_ALLOWED * announced)
        if announced - decoded > allowed:
            raise MediaError(
                f"the video {path} is truncated or damaged: only {decoded} of its "
                f"{announced} frames can be decoded; cut it there first, for example with "
                f"ffmpeg -i {path.name} -frames:v {decoded} whole.mp4"
            )


class Camera:
    """A camera by its index; it ends when the reader stops.

    Raises:
        MediaError: no such camera.
    """

    is_live = True
    frame_count: int | None = None

    def __init__(self, index: int) -> None:
        self.name = f"camera {index}"
        capture = _open_capture(index)
        if capture is None:
            raise MediaError(f"there is no camera {index} here, or another program uses it")
        self._capture = capture
        self.fps = _positive(capture.get(cv2.CAP_PROP_FPS))

    def __iter__(self) -> Iterator[Frame]:
        number = 0
        while True:
            ok, image = self._capture.read()
            if not ok:
                raise MediaError(f"{self.name} delivers no more images")
            yield Frame(f"{number:06d}", check_image(image))
            number += 1

    def close(self) -> None:
        """Release the camera."""
        self._capture.release()


def open_source(src: str) -> contextlib.closing[Source]:
    """Open whatever a user named, as a context manager.

    Args:
        src: a camera index (digits), a folder of images, a sequence folder with ``frames/`` or
            ``frames.mpg`` in it, or a video file.

    Raises:
        MediaError: nothing of the kind can be read there.

    Examples:
        >>> import tempfile
        >>> import cv2
        >>> import litetrack_ros as lt
        >>> from litetrack_ros.media.scene import DrawnScene
        >>> folder = tempfile.TemporaryDirectory()
        >>> for number, (image, _) in enumerate(DrawnScene(frames=2)):
        ...     assert cv2.imwrite(f"{folder.name}/{number}.png", image)
        >>> with lt.open_source(folder.name) as source:
        ...     [(frame.name, frame.image.shape) for frame in source]
        [('0.png', (480, 640, 3)), ('1.png', (480, 640, 3))]
    """
    path = Path(src)
    if src.isdecimal() and not path.exists():
        return contextlib.closing(Camera(int(src)))
    if path.is_dir():
        return contextlib.closing(open_frames(path))
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise MediaError(f"{path} is a single image; give a folder of images, a video or a camera")
    return contextlib.closing(VideoFile(path))


def open_frames(folder: Path) -> ImageFolder | VideoFile:
    """A folder's images, those of its ``frames/``, or its ``frames.*`` video.

    Raises:
        MediaError: it holds none of them.
    """
    if (folder / "frames").is_dir():
        return ImageFolder(folder / "frames")
    videos = sorted(p for p in folder.glob("frames.*") if p.suffix.lower() not in IMAGE_SUFFIXES)
    return VideoFile(videos[0]) if videos else ImageFolder(folder)


def source_files(src: Path) -> dict[str, bytes]:
    """The files of a video, or of what :func:`open_frames` finds in a folder.

    Args:
        src: a video file or a folder.

    Returns:
        Their contents by names relative to the folder, with forward slashes.

    Raises:
        MediaError: there are none, or one cannot be read.
    """
    folder, paths = src.parent, [src]
    if src.is_dir():
        with contextlib.closing(open_frames(src)) as source:
            folder, paths = src, source.paths
    try:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    except OSError as error:
        raise MediaError(f"cannot read {error.filename}: {error.strerror}") from error


def read_image(path: Path) -> Image:
    """Read an image file: depth kept, colour as BGR, alpha dropped, turned as its EXIF data say.

    Raises:
        MediaError: missing, empty, truncated or not an image.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot read the image {path}: {error.strerror}") from error
    return decode_image(content, str(path))


def decode_image(content: bytes, name: str) -> Image:
    """Decode an image file that was read; see :func:`read_image`.

    Args:
        content: the file.
        name: what it was read from, for messages.

    Raises:
        MediaError: empty, truncated or not an image.
    """
    if not content:
        raise MediaError(f"the image {name} is empty")
    # Decoders fill what is missing of a JPEG with grey, without a word; its end mark tells.
    if content.startswith(b"\xff\xd8") and b"\xff\xd9" not in content:
        raise MediaError(f"the image {name} is truncated; get it again or take it out")
    try:
        flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise MediaError(f"cannot decode the image {name}: {error.err}") from error
    if image is None:
        raise MediaError(f"{name} is damaged or not an image")
    try:
        return check_image(image)
    except ImageError as error:
        raise MediaError(f"{name}: {error}") from error


def _open_capture(source: str | int) -> cv2.VideoCapture | None:
    try:
        capture = cv2.VideoCapture(source)
    except cv2.error:  # OpenCV built to throw; the caller has the better sentence
        return None
    # FFmpeg renders any .txt file as a video of a text terminal.
    is_text = int(capture.get(cv2.CAP_PROP_FOURCC)) == int.from_bytes(b"ansi", "little")
    if is_text or not capture.isOpened():
        capture.release()
        return None
    return capture


def _positive(value: float) -> float | None:
    return value if math.isfinite(value) and value > 0 else None


def natural_key(name: str) -> list[tuple[int, str]]:
    """``f10.png`` as text and numbers, so that numbers compare as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]
