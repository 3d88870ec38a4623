"""Verifies a training set: what is missing, what cannot be read, and what it consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from litetrack_ros.datasets.frame_decoding import image_size
from litetrack_ros.datasets.training_set import SequenceEntry, TrainingSet
from litetrack_ros.errors import DatasetError

SHOWN = 3  # names per problem


@dataclass(frozen=True)
class SetReport:
    """What a check found.

    Attributes:
        name: of the set.
        statistics: figures by name.
        problems: one sentence each; empty for a complete set.
    """

    name: str
    statistics: dict[str, Any]
    problems: list[str]


def check_set(
    training_set: TrainingSet, on_sequence: Callable[[], None] | None = None
) -> SetReport:
    """Check that every frame is there, and that the first of each sequence fits its box.

    Frames are looked up by name in a listing of the set's folders and archives; one a sequence is
    opened.

    Args:
        training_set: the set.
        on_sequence: called after every sequence, for a progress bar.
    """
    problems = list(training_set.problems)
    listings: dict[str, set[str]] = {}
    missing, unreadable, shifted, outside = [], [], [], []
    for number, entry in enumerate(training_set.entries):
        if entry.archive not in listings:
            # Archives come one after the other, the folder at most once: one listing is kept.
            listings = {entry.archive: _names(training_set, entry.archive)}
        absent = [n for n in _frame_names(entry) if n not in listings[entry.archive]]
        if absent:
            missing.append(f"{entry.name} ({len(absent)} frames, such as {absent[0]})")
        else:
            first = int(np.flatnonzero(entry.visible)[0]) if entry.visible.any() else 0
            try:
                width, height = image_size(training_set.encoded_frame(number, first))
            except DatasetError:
                unreadable.append(entry.name)
            else:
                boxes = entry.boxes_xywh[entry.visible]
                right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0, initial=0)
                if 0 < right - width <= 1 or 0 < bottom - height <= 1:
                    shifted.append(entry.name)
                elif _outside(boxes, width, height):
                    outside.append(entry.name)
        if on_sequence is not None:
            on_sequence()
    for names, what in (
        (missing, "lack frames"),
        (unreadable, "have a frame that is not an image"),
        (outside, "have visible targets wholly outside their frames"),
        (shifted, "have boxes that reach one px over the border, as boxes counted from 1 do"),
    ):
        if names:
            shown = "; ".join(names[:SHOWN]) + ("; ..." if len(names) > SHOWN else "")
            problems.append(f"{len(names)} sequences {what}: {shown}")
    return SetReport(training_set.name, _statistics(training_set), problems)


def _statistics(training_set: TrainingSet) -> dict[str, Any]:
    entries = training_set.entries
    lengths = np.array([len(e.boxes_xywh) for e in entries])
    visible = np.concatenate([e.visible for e in entries])
    boxes = np.concatenate([e.boxes_xywh for e in entries])[visible]
    sides = np.sqrt(boxes[:, 2] * boxes[:, 3]) if len(boxes) else np.zeros(1)
    return {
        "sequences": len(entries),
        "videos": sum(e.video for e in entries),
        "frames": int(lengths.sum()),
        "visible frames": int(visible.sum()),
        "shortest": int(lengths.min()),
        "median length": int(np.median(lengths)),
        "longest": int(lengths.max()),
        "median target side px": round(float(np.median(sides)), 1),
        "archives": len({e.archive for e in entries if e.archive}),
    }


def _names(training_set: TrainingSet, archive: str) -> set[str]:
    return set(training_set.containers.get(archive).names())


def _frame_names(entry: SequenceEntry) -> Iterator[str]:
    return (entry.frame_name(k) for k in range(len(entry.boxes_xywh)))


def _outside(boxes: np.ndarray, width: int, height: int) -> bool:
    right_bottom = boxes[:, :2] + boxes[:, 2:]
    beyond = (boxes[:, 0] >= width) | (boxes[:, 1] >= height)
    return bool((beyond | (right_bottom <= 0).any(axis=1)).any())
