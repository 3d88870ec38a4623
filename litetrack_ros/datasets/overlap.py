"""Whether pictures to train on are copies of pictures to test on, by a perceptual hash.

The hash tells which of 64 low frequencies of a small grey picture are above their median (DCT, as
in pHash). A copy is found though it was encoded anew, scaled, mirrored, or cropped by up to 5 % at
each side; a small window of a picture is not. Windows of the pictures to test on are hashed too,
so that the hash itself need not bear all of a crop. As millions of hashes are compared, some
pictures agree by chance; a thumbnail then decides.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import DatasetError
from litetrack_ros.image_headers import read_header
from litetrack_ros.images import Uint8Image, decode_bgr, reduction_for
from litetrack_ros.media.sources import IMAGE_SUFFIXES, natural_key
from litetrack_ros.opencv import cv2

# Of 180 copies made of real frames (cropped by up to 5 % at each side, halved, JPEG 40, a third of
# them mirrored) none differed in more than 6 of 64 bits; thumbnails correlate by 0.856 at least.
# Of 36 million pairs of other pictures 25 differed in 8 or less; these correlate by 0.66 at most.
MAX_DISTANCE = 8
LEAST_CORRELATION = 0.75
_THUMBNAIL_PX = 32
_DECISION_PX = 16  # sides of the thumbnail that decides
_NO_LENGTH = 1e-6  # of a vector; a smaller one is not divided by
_FREQUENCIES = 8  # along each axis
_MIRRORED = np.resize([-1.0, 1.0], _FREQUENCIES).astype(np.float32)  # what mirroring makes of each
_READ_PX = 256  # the smaller side of what windows are cut from
_AT_ONCE = 64  # pictures to train on that are compared in one product
_LEAST_DEVIATION = 3.0  # grey levels of a thumbnail; the hash of a plainer one is chance
_CROP = 0.04  # part of a side that a window leaves out; the hash bears about as much again

Bits = npt.NDArray[np.float32]


class Copy(NamedTuple):
    """A picture to train on that resembles one to test on.

    Attributes:
        picture: to train on.
        reference: to test on.
        distance: bits in which their hashes differ, the least over crops and mirroring.
        correlation: of their thumbnails, up to 1.
    """

    picture: Path
    reference: Path
    distance: int
    correlation: float


class OverlapReport(NamedTuple):
    """What a comparison found.

    Attributes:
        copies: for every picture that resembles one to test on, the most similar one.
        compared, references: pictures on both sides.
        plain: pictures on both sides without enough contrast to be compared.
    """

    copies: list[Copy]
    compared: int
    references: int
    plain: int


def find_pictures(folders: Iterable[Path]) -> list[Path]:
    """All pictures below some folders, in natural order.

    Raises:
        DatasetError: a folder is missing, or there is no picture.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(f"there is no folder {folder}")
        paths = [p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES]
        if not paths:
            raise DatasetError(f"no picture lies below {folder}")
        found += sorted(paths, key=lambda path: natural_key(str(path)))
    return found


def picture_bits(image: Uint8Image) -> Bits | None:
    """The hash of a picture, ``(64,)`` float32 of -1 and 1; None where there is no contrast.

    Args:
        image: ``(H, W, 3)`` uint8 BGR or ``(H, W)`` uint8.
    """
    low = _frequencies(image)
    return None if low is None else _above_median(low)


def find_copies(
    pictures: Sequence[Path],
    references: Sequence[Path],
    max_distance: int = MAX_DISTANCE,
    on_picture: Callable[[], None] | None = None,
) -> OverlapReport:
    """Compare pictures to train on with pictures to test on.

    Args:
        pictures: to train on.
        references: to test on.
        max_distance: bits in which the hashes of a copy may differ.
        on_picture: called after every picture of either, for a progress bar.

    Raises:
        DatasetError: a file is not an image.
    """
    shown: list[int] = []
    rows: list[Bits] = []
    plain = 0
    for number, path in enumerate(references):
        found = list(_bits_of_forms(_read(path)))
        plain += not found
        rows += found
        shown += [number] * len(found)
        if on_picture is not None:
            on_picture()
    table = np.array(rows, dtype=np.float32).reshape(-1, _FREQUENCIES**2).T
    copies: list[Copy] = []
    for start in range(0, len(pictures), _AT_ONCE):
        hashed = []
        for path in pictures[start : start + _AT_ONCE]:
            bits = picture_bits(_read(path))
            if bits is None:
                plain += 1
            else:
                hashed.append((path, bits))
            if on_picture is not None:
                on_picture()
        if not hashed or not rows:
            continue
        agreement = np.array([bits for _, bits in hashed]) @ table
        for (path, _), row in zip(hashed, agreement, strict=True):
            nearest = int(row.argmax())
            distance = round((_FREQUENCIES**2 - float(row[nearest])) / 2)
            if distance <= max_distance:
                reference = references[shown[nearest]]
                correlation = _correlation(path, reference)
                if correlation >= LEAST_CORRELATION:
                    copies.append(Copy(path, reference, distance, correlation))
    return OverlapReport(copies, len(pictures), len(references), plain)


def _correlation(picture: Path, reference: Path) -> float:
    """Of a picture's thumbnail with that of the most similar form of another."""
    own = _thumbnail(_read(picture))
    mirrored = own.reshape(_DECISION_PX, -1)[:, ::-1].ravel()
    forms = (_thumbnail(window) for window in _windows(_read(reference)))
    return max(float(max(form @ own, form @ mirrored)) for form in forms)


def _thumbnail(image: Uint8Image) -> Bits:
    """A small grey picture as a vector of mean 0 and length 1, or 0 without contrast."""
    small = _small_grey(image, _DECISION_PX).ravel()
    centered = small - small.mean()
    return centered / max(float(np.linalg.norm(centered)), _NO_LENGTH)


def _small_grey(image: Uint8Image, side_px: int) -> Bits:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    small = cv2.resize(grey, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)


def _frequencies(image: Uint8Image) -> Bits | None:
    """What the hash is made of, ``(8, 8)``; None where there is no contrast."""
    small = _small_grey(image, _THUMBNAIL_PX)
    if small.std() < _LEAST_DEVIATION:
        return None
    # The first row and column tell light and gradients, which differ least between pictures.
    return np.asarray(cv2.dct(small)[1 : 1 + _FREQUENCIES, 1 : 1 + _FREQUENCIES])


def _above_median(low: Bits) -> Bits:
    return np.where(low > np.median(low), 1.0, -1.0).astype(np.float32).ravel()


def _bits_of_forms(image: Uint8Image) -> Iterator[Bits]:
    """The hashes of a picture's windows, and of each mirrored."""
    for window in _windows(image):
        low = _frequencies(window)
        if low is not None:
            yield _above_median(low)
            yield _above_median(low * _MIRRORED)


def _windows(image: Uint8Image) -> Iterator[Uint8Image]:
    """A picture whole, and without a strip along any of its sides."""
    height, width = image.shape[:2]
    dx, dy = round(_CROP * width), round(_CROP * height)
    for left, right, top, bottom in itertools.product((0, 1), repeat=4):
        yield image[top * dy : height - bottom * dy, left * dx : width - right * dx]


def _read(path: Path) -> Uint8Image:
    """A picture in grey levels, its smaller side at most :data:`_READ_PX` or little more."""
    try:
        content = path.read_bytes()
        header = read_header(content)
        reduction = 1
        if header is not None and header.format == "jpeg":  # the others gain nothing from it
            reduction = reduction_for(min(header.width, header.height) / _READ_PX)
        image = cv2.cvtColor(decode_bgr(content, reduction), cv2.COLOR_BGR2GRAY)
    except (OSError, DatasetError) as error:
        raise DatasetError(f"cannot read the picture {path}: {error}") from error
    shrink = _READ_PX / min(image.shape)
    if shrink < 1.0:
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return np.asarray(image, dtype=np.uint8)
