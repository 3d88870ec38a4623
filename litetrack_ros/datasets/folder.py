"""Any folder of sequences in this package's own format.

A sequence is a folder with ``groundtruth.txt`` (an ``x,y,w,h`` line a frame, NaN where the target
is absent) and its frames in ``frames/`` or ``img/`` or beside it, in the order of their names. An
optional ``absent.txt`` or ``occluded.txt`` holds a flag a frame.
"""

from __future__ import annotations

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.layouts import (
    IMAGE_SUFFIXES,
    SequenceFolder,
    find_sequence_folders,
    has_size,
    parse_flags,
    read_text,
    training_boxes,
)
from litetrack_ros.datasets.training_set import SequenceEntry, SetIndex
from litetrack_ros.errors import DatasetError

MARKER = "groundtruth.txt"
FLAG_FILES = ("absent.txt", "occluded.txt")
FRAME_FOLDERS = ("frames", "img", "")


def index_folder(containers: Containers, box_origin: int = 0) -> SetIndex:
    """Index sequences up to three folders deep, and in archives.

    Args:
        containers: the folder.
        box_origin: number of the first column and row in the annotations, 0 or 1.
    """
    index = SetIndex()
    listings: dict[str, list[str]] = {}
    for sequence in find_sequence_folders(containers, MARKER, depth=3):
        if sequence.archive not in listings:
            listings[sequence.archive] = containers.get(sequence.archive).names()
        try:
            index.entries.append(_entry(containers, sequence, listings, box_origin))
        except DatasetError as error:
            index.problems.append(str(error))
    return index


def _entry(
    containers: Containers,
    sequence: SequenceFolder,
    listings: dict[str, list[str]],
    box_origin: int,
) -> SequenceEntry:
    container, names = containers.get(sequence.archive), listings[sequence.archive]
    path = f"{sequence.folder}/{MARKER}"
    boxes = training_boxes(read_text(container, path), path)
    boxes[:, :2] -= box_origin
    visible = has_size(boxes)
    for file in FLAG_FILES:
        path = f"{sequence.folder}/{file}"
        if path in names:
            visible &= parse_flags(read_text(container, path), len(boxes), path) == 0
    frames = _frames(sequence.folder, names)
    if len(frames) < len(boxes):
        raise DatasetError(f"{sequence.folder} has {len(frames)} frames for {len(boxes)} boxes")
    listed = "\n".join(frames[: len(boxes)])
    if len(boxes) == 1:  # a photo; its name must not be read as a format
        listed = listed.replace("{", "{{").replace("}", "}}")
    video = len(boxes) > 1
    return SequenceEntry(sequence.name, sequence.archive, listed, 0, boxes, visible, video)


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
            return sorted(found)
    return []
