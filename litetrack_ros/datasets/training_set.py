"""A data set to train on: its index in memory and in a cache, its frames read on demand; its check.

The index is made by the file of the data set; :mod:`litetrack_ros.datasets.catalogue` opens sets.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import SequenceFolder
from litetrack_ros.errors import DatasetError, MediaError
from litetrack_ros.files import make_folder, replacing
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import image_size

INDEX_VERSION = 2  # of the cached files
SHOWN = 3  # names per problem in a check's report
Place = TypeVar("Place")


@dataclass(frozen=True)
class SequenceEntry:
    """A sequence, or an object in a picture, as the index of a data set holds it.

    Attributes:
        name: the sequence's.
        archive: archive that holds its frames, relative to the set's folder; ``""`` is the folder.
        frames: name of a frame in there, with ``{}``-style number (``a/{:08d}.jpg``), or all names
            one a line.
        first: number of the first frame.
        boxes_xywh: ``(T, 4)`` float32 image pixels, 0-based; no positive size where absent.
        visible: ``(T,)`` bool, whether the target can be seen.
        video: False for a picture, which is template and search region at once.
    """

    name: str
    archive: str
    frames: str
    first: int
    boxes_xywh: npt.NDArray[np.float32]
    visible: npt.NDArray[np.bool_]
    video: bool = True

    @staticmethod
    def at(
        place: SequenceFolder,
        frames: str,
        boxes_xywh: FloatArray,
        visible: npt.NDArray[np.bool_] | None = None,
        first: int = 0,
        video: bool = True,
    ) -> "SequenceEntry":
        """The entry of a sequence that lies in a folder; targets without a size are not visible.

        Args:
            place: the folder.
            frames: as the attribute.
            boxes_xywh: ``(T, 4)``; rows of NaN (absent targets) become boxes of size 0.
            visible: as the attribute; by default, all.
            first: as the attribute.
            video: as the attribute.
        """
        boxes = np.nan_to_num(boxes_xywh, nan=0.0).astype(np.float32)
        seen = np.asarray((boxes[:, 2:] > 0).all(axis=1))
        if visible is not None:
            seen &= visible
        return SequenceEntry(place.name, place.archive, frames, first, boxes, seen, video)

    def frame_name(self, index: int) -> str:
        """Name of a frame in its container."""
        if "\n" in self.frames:
            return self.frames.split("\n")[index]
        return self.frames.format(self.first + index)


@dataclass
class SetIndex:
    """What is known of a data set without opening its frames.

    Attributes:
        entries: its sequences.
        problems: what is missing or damaged, one sentence each.
    """

    entries: list[SequenceEntry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, places: Iterable[Place], read: Callable[[Place], SequenceEntry]) -> None:
        """Add what is read from each place; a place that cannot be read becomes a problem."""
        for place in places:
            try:
                self.entries.append(read(place))
            except DatasetError as error:
                self.problems.append(str(error))

    def report_missing(self, complete: Iterable[str], present: Iterable[str], what: str) -> None:
        """Make a problem of the names that are not present."""
        names = set(complete)
        absent = sorted(names.difference(present))
        if absent:
            self.problems.append(
                f"{len(absent)} of {len(names)} sequences of {what} are missing, "
                f"such as {absent[0]}"
            )


Indexer = Callable[[Containers], SetIndex]


class TrainingSet:
    """A data set's sequences and access to their frames.

    Args:
        name: what the set is called in recipes.
        root: its folder.
        index: its sequences.
    """

    def __init__(self, name: str, root: Path, index: SetIndex) -> None:
        self.name, self.root = name, root
        self.entries, self.problems = index.entries, index.problems
        self.containers = Containers(root)

    def __len__(self) -> int:
        return len(self.entries)

    def is_video(self, sequence: int) -> bool:
        """Whether it is a video rather than a picture."""
        return self.entries[sequence].video

    def visible(self, sequence: int) -> npt.NDArray[np.bool_]:
        """In which frames the target can be seen, ``(T,)``."""
        return self.entries[sequence].visible

    def boxes(self, sequence: int) -> npt.NDArray[np.float32]:
        """The target's boxes, ``(T, 4)`` xywh."""
        return self.entries[sequence].boxes_xywh

    def encoded_frame(self, sequence: int, frame: int) -> bytes:
        """The file of a frame.

        Raises:
            DatasetError: it is missing.
        """
        entry = self.entries[sequence]
        return self.containers.get(entry.archive).read(entry.frame_name(frame))


def cached_index(name: str, root: Path, make: Indexer, refresh: bool = False) -> SetIndex:
    """A data set's index, from the cache where the folder has not changed since.

    Only the top level's names, sizes and times are looked at; a change deeper down needs
    ``refresh``.

    Args:
        name: what the set is called in recipes.
        root: its folder.
        make: makes the index.
        refresh: make it anew in any case.

    Raises:
        DatasetError: there is no such folder, or it holds nothing of the set.
    """
    if not root.is_dir():
        raise DatasetError(f"there is no folder {root} for the data set {name}")
    path = _cache_folder() / f"{name}-{_fingerprint(root)}.npz"
    if not refresh and path.is_file():
        try:
            return _load(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            pass  # a damaged cache is made anew
    index = make(Containers(root))
    if not index.entries:
        first = f" ({index.problems[0]})" if index.problems else ""
        raise DatasetError(f"{root} holds no sequence of {name}{first}")
    _save(path, index)
    return index


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "litetrack_ros"


def _fingerprint(root: Path) -> str:
    lines = [f"{INDEX_VERSION} {root.resolve()}"]
    for entry in sorted(os.scandir(root), key=lambda e: e.name):
        status = entry.stat()
        lines.append(f"{entry.name} {status.st_mtime_ns} {status.st_size}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def arrays_of(index: SetIndex) -> dict[str, Any]:
    """An index as arrays, to be saved; :func:`index_of` reads them."""
    entries = index.entries
    return {
        "names": np.array([e.name for e in entries]),
        "archives": np.array([e.archive for e in entries]),
        "frames": np.array([e.frames for e in entries]),
        "firsts": np.array([e.first for e in entries]),
        "videos": np.array([e.video for e in entries]),
        "lengths": np.array([len(e.boxes_xywh) for e in entries]),
        "boxes": np.concatenate([e.boxes_xywh for e in entries]),
        "visible": np.concatenate([e.visible for e in entries]),
        "problems": np.array(index.problems, dtype=np.str_),
    }


def index_of(content: Mapping[str, npt.NDArray[Any]]) -> SetIndex:
    """The index of such arrays.

    Raises:
        KeyError, ValueError: they are none.
    """
    ends = np.cumsum(content["lengths"])
    return SetIndex(list(_entries(content, ends)), [str(p) for p in content["problems"]])


def _save(path: Path, index: SetIndex) -> None:
    try:
        make_folder(path.parent)
        with replacing(path) as temporary:
            np.savez_compressed(temporary, **arrays_of(index))
    except MediaError:
        return  # a home that cannot be written to only costs time


def _load(path: Path) -> SetIndex:
    with np.load(path) as data:
        return index_of({key: data[key] for key in data.files})


def _entries(
    content: Mapping[str, npt.NDArray[Any]], ends: npt.NDArray[np.int64]
) -> Iterator[SequenceEntry]:
    for k, end in enumerate(ends):
        rows = slice(int(end - content["lengths"][k]), int(end))
        yield SequenceEntry(
            str(content["names"][k]),
            str(content["archives"][k]),
            str(content["frames"][k]),
            int(content["firsts"][k]),
            np.asarray(content["boxes"][rows], dtype=np.float32),
            np.asarray(content["visible"][rows], dtype=np.bool_),
            bool(content["videos"][k]),
        )


@dataclass(frozen=True)
class SetReport:
    """What a check found.

    Attributes:
        name: of the set.
        statistics: figures by name.
        problems: one sentence each; empty for a complete set.
    """

    name: str
    statistics: dict[str, float]
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


def _statistics(training_set: TrainingSet) -> dict[str, float]:
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
