"""LaSOT as published: ``airplane/airplane-1/img/00000001.jpg``, in folders or one zip a category.

Beside ``img/`` lie ``groundtruth.txt``, ``full_occlusion.txt`` and ``out_of_view.txt``, the latter
two with a flag a frame on one line.
"""

from __future__ import annotations

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.layouts import (
    SequenceFolder,
    find_sequence_folders,
    has_size,
    numbered,
    parse_flags,
    read_text,
    shipped_ranges,
    training_boxes,
)
from litetrack_ros.datasets.training_set import SequenceEntry, SetIndex
from litetrack_ros.errors import DatasetError

VIDEOS_A_CATEGORY = 20


def index_lasot(containers: Containers, split: str) -> SetIndex:
    """Index LaSOT's 70 categories of 20 videos.

    Args:
        containers: the folder of the categories, or of their sequences, or of the zip files.
        split: ``train`` (1120 videos) or ``test`` (280, protocol II).
    """
    tests = shipped_ranges("lasot")
    index = SetIndex()
    present = set()
    for sequence in find_sequence_folders(containers, "groundtruth.txt", depth=3):
        category, _, number = sequence.name.rpartition("-")
        if not number.isdigit() or category not in tests:
            continue
        if (int(number) in tests[category]) != (split == "test"):
            continue
        present.add(sequence.name)
        try:
            index.entries.append(_entry(containers, sequence))
        except DatasetError as error:
            index.problems.append(str(error))
    complete = {
        f"{category}-{number}"
        for category, held_out in tests.items()
        for number in range(1, VIDEOS_A_CATEGORY + 1)
        if (number in held_out) == (split == "test")
    }
    absent = sorted(complete - present)
    if absent:
        index.problems.append(
            f"{len(absent)} of {len(complete)} sequences of LaSOT's {split} set are missing, such "
            f"as {absent[0]}"
        )
    return index


def _entry(containers: Containers, sequence: SequenceFolder) -> SequenceEntry:
    container = containers.get(sequence.archive)
    path = f"{sequence.folder}/groundtruth.txt"
    boxes = training_boxes(read_text(container, path), path)
    visible = has_size(boxes)
    for label in ("full_occlusion.txt", "out_of_view.txt"):
        path = f"{sequence.folder}/{label}"
        visible &= parse_flags(read_text(container, path), len(boxes), path) == 0
    frames = numbered(f"{sequence.folder}/img", "{:08d}.jpg")
    return SequenceEntry(sequence.name, sequence.archive, frames, 1, boxes, visible)
