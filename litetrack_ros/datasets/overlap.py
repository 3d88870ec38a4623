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
from litetrack_ros.images import Uint8Image, decode_bgr
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
    small = _small_grey(image, _THUMBNAIL_PX)
    if small.std() < _LEAST_DEVIATION:
        return None
    # The first row and column tell light and gradients, which differ least between pictures.
    low = cv2.dct(small)[1 : 1 + _FREQUENCIES, 1 : 1 + _FREQUENCIES].ravel()
    return np.where(low > np.median(low), 1.0, -1.0).astype(np.float32)


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
        hashes = [picture_bits(form) for form in _forms(_read(path))]
        found = [bits for bits in hashes if bits is not None]
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
    return max(float(_thumbnail(form) @ own) for form in _forms(_read(reference)))


def _thumbnail(image: Uint8Image) -> Bits:
    """A small grey picture as a vector of mean 0 and length 1, or 0 without contrast."""
    small = _small_grey(image, _DECISION_PX).ravel()
    centered = small - small.mean()
    return centered / max(float(np.linalg.norm(centered)), _NO_LENGTH)


def _small_grey(image: Uint8Image, side_px: int) -> Bits:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    small = cv2.resize(grey, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)


def _forms(image: Uint8Image) -> Iterator[Uint8Image]:
    """A picture whole and without a strip along any of its sides, and all of that mirrored."""
    height, width = image.shape[:2]
    dx, dy = round(_CROP * width), round(_CROP * height)
    for left, right, top, bottom in itertools.product((0, 1), repeat=4):
        window = image[top * dy : height - bottom * dy, left * dx : width - right * dx]
        yield window
        yield window[:, ::-1]


def _read(path: Path) -> Uint8Image:
    try:
        return decode_bgr(path.read_bytes())
    except (OSError, DatasetError) as error:
        raise DatasetError(f"cannot read the picture {path}: {error}") from error
