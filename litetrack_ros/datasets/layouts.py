"""What the readers of the published data sets share: finding sequences and reading labels."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.config import read_yaml
from litetrack_ros.datasets.containers import Container, Containers
from litetrack_ros.datasets.sequences import parse_boxes
from litetrack_ros.errors import DatasetError
from litetrack_ros.resources import config_path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


class SequenceFolder(NamedTuple):
    """Where a sequence lies: its name, the archive (``""``: none), and its folder in there."""

    name: str
    archive: str
    folder: str


def find_sequence_folders(
    containers: Containers, marker: str, depth: int
) -> Iterator[SequenceFolder]:
    """Folders that hold a file of a certain name, in the set's folder and in its archives.

    Args:
        containers: the data set.
        marker: the file's name or a pattern of it, such as ``groundtruth*.txt``.
        depth: how many folders deep to look in the set's own folder; archives are listed whole.
    """
    found = [
        SequenceFolder(path.parent.name, "", path.parent.relative_to(containers.root).as_posix())
        for level in range(1, depth + 1)
        for path in containers.root.glob("/".join(["*"] * level + [marker]))
    ]
    for archive in containers.archives():
        for name in containers.get(archive).names():
            folder, slash, file = name.rpartition("/")
            if slash and fnmatch.fnmatchcase(file, marker):
                found.append(SequenceFolder(folder.rpartition("/")[2], archive, folder))
    seen = set()
    for sequence in sorted(found):
        if sequence.name not in seen:  # unpacked beside its archive: the folder comes first
            seen.add(sequence.name)
            yield sequence


def read_text(container: Container, name: str) -> str:
    """A text file of a container.

    Raises:
        DatasetError: missing, or not text.
    """
    try:
        return container.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name} is not a text file: {error}") from error


def training_boxes(text: str, origin: str) -> npt.NDArray[np.float32]:
    """Boxes ``(T, 4)`` float32; lines of NaN (absent targets) become boxes of size 0."""
    return np.nan_to_num(parse_boxes(text, origin), nan=0.0).astype(np.float32)


def parse_flags(text: str, count: int, origin: str) -> npt.NDArray[np.int64]:
    """Whole numbers, one a frame, on one line or several, parted by commas, blanks or tabs.

    Raises:
        DatasetError: another number of them than frames, or not whole numbers.
    """
    try:
        flags = np.array([int(word) for word in text.replace(",", " ").split()], dtype=np.int64)
    except ValueError as error:
        raise DatasetError(f"{origin}: expected whole numbers ({error})") from error
    if len(flags) != count:
        raise DatasetError(f"{origin} has {len(flags)} values for {count} boxes")
    return flags


def has_size(boxes_xywh: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Which boxes have a positive width and height, ``(T,)``."""
    return np.asarray((boxes_xywh[:, 2:] > 0).all(axis=1))


def numbered(folder: str, pattern: str) -> str:
    """A frame-name format in a folder whose own name may hold braces."""
    prefix = folder.replace("{", "{{").replace("}", "}}")
    return f"{prefix}/{pattern}" if prefix else pattern


def shipped_ranges(name: str) -> dict[str, set[int]]:
    """A shipped list of sequences (``config/datasets/<name>.yaml``): keys to sets of numbers."""
    values = read_yaml(config_path(f"datasets/{name}"))
    return {str(key): parse_ranges(str(text)) for key, text in values.items()}


def parse_ranges(text: str) -> set[int]:
    """Numbers and ranges such as ``1 4-6``."""
    numbers: set[int] = set()
    for word in text.split():
        first, _, last = word.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers
