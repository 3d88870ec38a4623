"""GOT-10k as published: ``GOT-10k_Train_000001/`` and so on, in folders or in archives.

A sequence holds ``00000001.jpg`` on, ``groundtruth.txt``, ``absence.label`` (1: out of view) and
``cover.label`` (visible part in eighths). A target is visible where it is neither absent nor
wholly covered.
"""

from __future__ import annotations

from collections.abc import Callable

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

TRAIN_SEQUENCES = 9335
MARKER = "groundtruth.txt"


def index_got10k(containers: Containers, split: str) -> SetIndex:
    """Index a folder with sequences of GOT-10k.

    Args:
        containers: the folder, its subfolders ``train`` and ``val``, and archives in them.
        split: ``train`` (all training sequences), ``train_full`` (without the 26 that the authors
            leave out), ``vottrain`` (without the 1000 that VOT prohibits and without ``votval``),
            ``votval`` (held out of those), ``vottrain_released`` or ``val``.

            The released code reads VOT's list as positions counted from 0, though the sequences
            are numbered from 1, so that 765 prohibited ones stay in: ``vottrain_released`` repeats
            that, ``vottrain`` corrects it.
    """
    index = SetIndex()
    wanted = split_numbers(split)
    prefix = "GOT-10k_Val_" if split == "val" else "GOT-10k_Train_"
    present = set()
    for sequence in find_sequence_folders(containers, MARKER, depth=2):
        number = sequence.name.removeprefix(prefix)
        if number == sequence.name or not number.isdigit() or not wanted(int(number)):
            continue
        present.add(int(number))
        try:
            index.entries.append(_entry(containers, sequence))
        except DatasetError as error:
            index.problems.append(str(error))
    if split != "val":
        complete = {n for n in range(1, TRAIN_SEQUENCES + 1) if wanted(n)}
        absent = sorted(complete - present)
        if absent:
            index.problems.append(
                f"{len(absent)} of {len(complete)} sequences of GOT-10k's {split} are missing, "
                f"such as {prefix}{absent[0]:06d}"
            )
    return index


def split_numbers(split: str) -> Callable[[int], bool]:
    """Whether a sequence's number belongs to a split.

    Raises:
        DatasetError: there is no such split.
    """
    if split in ("train", "val"):
        return lambda number: True
    lists = shipped_ranges("got10k")
    prohibited, held_out = lists["vot_prohibited"], lists["votval"]
    if split == "train_full":
        return lambda number: number not in lists["train_full_left_out"]
    if split == "vottrain":
        return lambda number: number not in prohibited and number not in held_out
    if split == "votval":
        return lambda number: number in held_out and number not in prohibited
    if split == "vottrain_released":
        return lambda number: number - 1 not in prohibited and number not in held_out
    raise DatasetError(f"GOT-10k has no split '{split}'")


def _entry(containers: Containers, sequence: SequenceFolder) -> SequenceEntry:
    container = containers.get(sequence.archive)
    path = f"{sequence.folder}/{MARKER}"
    boxes = training_boxes(read_text(container, path), path)
    visible = has_size(boxes)
    for label, is_seen in (("absence.label", _is_zero), ("cover.label", _is_positive)):
        path = f"{sequence.folder}/{label}"
        flags = parse_flags(read_text(container, path), len(boxes), path)
        visible &= [is_seen(int(flag)) for flag in flags]
    frames = numbered(sequence.folder, "{:08d}.jpg")
    return SequenceEntry(sequence.name, sequence.archive, frames, 1, boxes, visible)


def _is_zero(flag: int) -> bool:
    return flag == 0


def _is_positive(flag: int) -> bool:
    return flag > 0
