"""TrackingNet as published: parts ``TRAIN_0`` to ``TRAIN_11``, and ``TEST``.

Each holds ``anno/SEQUENCE.txt``, a box a frame; the frames are ``frames/SEQUENCE/0.jpg`` on, or
``0.jpg`` on in ``zips/SEQUENCE.zip``. Of the test sequences only the first box is published.
"""

import functools
from collections.abc import Iterator
from pathlib import Path

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import AnnotatedSequence, SequenceFolder
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
        annotations = sorted((containers.root / part / "anno").glob("*.txt"))
        index.add(annotations, functools.partial(_entry, containers, f"{part}/"))
    return index


def read_trackingnet(containers: Containers) -> Iterator[AnnotatedSequence]:
    """The benchmark's sequences, in the folder ``TEST`` or right in the one given.

    Raises:
        DatasetError: frames are missing, or the boxes cannot be read.
    """
    part = "TEST/" if (containers.root / "TEST").is_dir() else ""
    for path in sorted((containers.root / part / "anno").glob("*.txt")):
        boxes = SequenceFolder(containers, "", f"{part}anno", path.stem).boxes(path.name)
        yield _frames(containers, part, path.stem).sequence(boxes, first_only=True)


def _entry(containers: Containers, part: str, annotation: Path) -> SequenceEntry:
    name = annotation.stem
    boxes = SequenceFolder(containers, "", f"{part}anno", name).boxes(annotation.name)
    place = _frames(containers, part, name)
    return SequenceEntry.at(place, place.numbered("{}.jpg"), boxes)


def _frames(containers: Containers, part: str, name: str) -> SequenceFolder:
    """Where the frames of a sequence lie; a part ends with a slash."""
    folder, archive = f"{part}frames/{name}", f"{part}zips/{name}.zip"
    if (containers.root / folder).is_dir():
        return SequenceFolder(containers, "", folder, name)
    if (containers.root / archive).is_file():
        return SequenceFolder(containers, archive, "", name)
    raise DatasetError(
        f"{part}anno/{name}.txt has no frames: neither {folder}/ nor {archive} is there"
    )
