"""Any folder of sequences in this package's own format.

A sequence is a folder with ``groundtruth.txt`` (an ``x,y,w,h`` line a frame, NaN where the target
is absent) and its frames in ``frames/`` or ``img/`` or beside it, in natural order (``2.jpg``, then
``10.jpg``). An optional ``absent.txt`` or ``occluded.txt`` holds a flag a frame.
"""

import functools
from pathlib import Path

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import (
    GROUND_TRUTH,
    AnnotatedSequence,
    SequenceFolder,
    find_sequences,
)
from litetrack_ros.datasets.shards import index_path
from litetrack_ros.datasets.training_set import SequenceEntry, SetIndex
from litetrack_ros.errors import DatasetError
from litetrack_ros.media.sources import IMAGE_SUFFIXES, natural_key

FLAG_FILES = ("absent.txt", "occluded.txt")
DEPTH = 3  # of the folders below the set's
FRAME_FOLDERS = ("frames", "img", "")


def index_folder(containers: Containers, box_origin: int = 0) -> SetIndex:
    """Index sequences up to three folders deep, and in archives.

    Args:
        containers: the folder.
        box_origin: number of the first column and row in the annotations, 0 or 1.
    """
    names = functools.cache(lambda archive: containers.get(archive).names())
    index = SetIndex()
    index.add(
        SequenceFolder.find(containers, depth=DEPTH),
        lambda place: _entry(place, names(place.archive), box_origin),
    )
    return index


def has_sequences(folder: Path) -> bool:
    """Whether there is an unpacked sequence below a folder, or the set's shards are in it."""
    if index_path("folder", folder).is_file():
        return True
    patterns = ("/".join(["*"] * depth + [GROUND_TRUTH]) for depth in range(1, DEPTH + 1))
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)


def read_folder(containers: Containers) -> list[AnnotatedSequence]:
    """The sequences to test on: those right in the folder, unpacked.

    Raises:
        DatasetError: as :func:`litetrack_ros.datasets.sequences.find_sequences`.
    """
    return find_sequences([containers.root])


def _entry(place: SequenceFolder, names: list[str], box_origin: int) -> SequenceEntry:
    boxes = place.boxes()
    flagged = [file for file in FLAG_FILES if f"{place.folder}/{file}" in names]
    visible = place.unflagged(flagged, len(boxes))
    frames = _frames(place.folder, names)
    if len(frames) < len(boxes):
        raise DatasetError(f"{place.folder} has {len(frames)} frames for {len(boxes)} boxes")
    listed = "\n".join(frames[: len(boxes)])
    if len(boxes) == 1:  # a picture; its name must not be read as a format
        listed = listed.replace("{", "{{").replace("}", "}}")
    entry = SequenceEntry.at(place, listed, boxes, visible, video=len(boxes) > 1)
    entry.boxes_xywh[:, :2] -= box_origin
    return entry


def _frames(folder: str, names: list[str]) -> list[str]:
    for inner in FRAME_FOLDERS:
        prefix = f"{folder}/{inner}/" if inner else f"{folder}/"
        found = [
            n
            for n in names
            if n.startswith(prefix)
            and "/" not in n[len(prefix) :]
            and n.lower().endswith(IMAGE_SUFFIXES)
        ]
        if found:
            return sorted(found, key=natural_key)
    return []
