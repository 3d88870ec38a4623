"""TrackingNet as published: parts ``TRAIN_0`` to ``TRAIN_11``.

Each holds ``anno/VIDEO.txt``, a box a frame; the frames are ``frames/VIDEO/0.jpg`` on, or
``0.jpg`` on in ``zips/VIDEO.zip``.
"""

from __future__ import annotations

from pathlib import Path

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.layouts import has_size, numbered, read_text, training_boxes
from litetrack_ros.datasets.training_set import SequenceEntry, SetIndex
from litetrack_ros.errors import DatasetError

TRAIN_PARTS = tuple(f"TRAIN_{k}" for k in range(12))


def index_trackingnet(containers: Containers) -> SetIndex:
    """Index the training parts that are there; the others are reported."""
    index = SetIndex()
    absent = [part for part in TRAIN_PARTS if not (containers.root / part).is_dir()]
    if absent:
        index.problems.append(f"{len(absent)} of 12 parts are missing: {', '.join(absent)}")
    for part in TRAIN_PARTS:
        for path in sorted((containers.root / part / "anno").glob("*.txt")):
            try:
                index.entries.append(_entry(containers, part, path))
            except DatasetError as error:
                index.problems.append(str(error))
    return index


def _entry(containers: Containers, part: str, annotation: Path) -> SequenceEntry:
    name = annotation.stem
    path = f"{part}/anno/{annotation.name}"
    boxes = training_boxes(read_text(containers.get(""), path), path)
    folder, archive = f"{part}/frames/{name}", f"{part}/zips/{name}.zip"
    if (containers.root / folder).is_dir():
        return SequenceEntry(name, "", numbered(folder, "{}.jpg"), 0, boxes, has_size(boxes))
    if (containers.root / archive).is_file():
        return SequenceEntry(name, archive, "{}.jpg", 0, boxes, has_size(boxes))
    raise DatasetError(f"{path} has no frames: neither {folder}/ nor {archive} is there")
