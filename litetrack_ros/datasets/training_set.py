"""A data set to train on: boxes in memory, frames read on demand."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.errors import DatasetError, MediaError
from litetrack_ros.files import make_folder, replacing

INDEX_VERSION = 1


@dataclass(frozen=True)
class SequenceEntry:
    """A sequence, or a photo's object, in a data set.

    Attributes:
        name: the sequence's.
        archive: archive that holds its frames, relative to the set's folder; ``""`` is the folder.
        frames: name of a frame in there, with ``{}``-style number (``a/{:08d}.jpg``), or all names
            one a line.
        first: number of the first frame.
        boxes_xywh: ``(T, 4)`` float32 image pixels, 0-based; no positive size where absent.
        visible: ``(T,)`` bool, whether the target can be seen.
        video: False for a photo, whose single frame is template and search region at once.
    """

    name: str
    archive: str
    frames: str
    first: int
    boxes_xywh: npt.NDArray[np.float32]
    visible: npt.NDArray[np.bool_]
    video: bool = True

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
        """Whether it is a video rather than a photo."""
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


def _save(path: Path, index: SetIndex) -> None:
    entries = index.entries
    try:
        make_folder(path.parent)
        with replacing(path) as temporary:
            np.savez_compressed(
                temporary,
                names=np.array([e.name for e in entries]),
                archives=np.array([e.archive for e in entries]),
                frames=np.array([e.frames for e in entries]),
                firsts=np.array([e.first for e in entries]),
                videos=np.array([e.video for e in entries]),
                lengths=np.array([len(e.boxes_xywh) for e in entries]),
                boxes=np.concatenate([e.boxes_xywh for e in entries]),
                visible=np.concatenate([e.visible for e in entries]),
                problems=np.array(index.problems, dtype=np.str_),
            )
    except MediaError:
        return  # a home that cannot be written to only costs time


def _load(path: Path) -> SetIndex:
    with np.load(path) as data:
        content = {key: data[key] for key in data.files}
    ends = np.cumsum(content["lengths"])
    return SetIndex(list(_entries(content, ends)), [str(p) for p in content["problems"]])


def _entries(
    content: dict[str, npt.NDArray[np.generic]], ends: npt.NDArray[np.int64]
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
