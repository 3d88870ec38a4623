"""A training set as large tar files that are read by offset: few files, no archive is listed.

``NAME-000000.tar`` and so on hold the frames of the set ``NAME`` as they are, each with what is
known of it beside it, in WebDataset's form: ``000012_000340.jpg`` and ``000012_000340.json`` are
frame 340 of sequence 12. ``NAME.shards.npz`` is the index: sequences, boxes, and where in which tar
file each frame lies. A recipe finds shards by the set's name as it finds folders, and draws the
same pairs from them.
"""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.training_set import (
    SequenceEntry,
    SetIndex,
    TrainingSet,
    arrays_of,
    index_of,
)
from litetrack_ros.errors import DatasetError
from litetrack_ros.files import make_folder, replacing

SHARDS_INDEX = ".shards.npz"
SHARD_MB = 1024  # of a tar file, about; a sequence is never parted


class _Index(NamedTuple):
    """Where the frames are, and how large the files have to be.

    Attributes:
        sequences: the set's; an entry's archive is its tar file.
        offsets: of each frame in its tar file, ``(F,)`` int64, one sequence after the other.
        sizes: of each frame, ``(F,)`` int64.
        shards: names of the tar files.
        shard_sizes: of each, bytes.
    """

    sequences: SetIndex
    offsets: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    shards: list[str]
    shard_sizes: list[int]


class ShardedSet(TrainingSet):
    """A set whose frames are read from tar files by their offsets.

    Every read opens its file anew: nothing is shared by processes, and a file of a gigabyte is
    opened as fast as one of a kilobyte.

    Args:
        name: what the set is called in recipes.
        root: the folder of the tar files.

    Raises:
        DatasetError: the index is damaged, or a tar file is missing or of another size.
    """

    def __init__(self, name: str, root: Path) -> None:
        index = _read_index(index_path(name, root))
        super().__init__(name, root, index.sequences)
        for shard, size in zip(index.shards, index.shard_sizes, strict=True):
            path = root / shard
            if not path.is_file() or path.stat().st_size != size:
                raise DatasetError(
                    f"{path} is missing or is not the one that was indexed: copy it again"
                )
        self._offsets, self._sizes = index.offsets, index.sizes
        lengths = [len(entry.boxes_xywh) for entry in self.entries]
        self._starts = np.cumsum([0, *lengths])

    def encoded_frame(self, sequence: int, frame: int) -> bytes:
        """See :meth:`TrainingSet.encoded_frame`."""
        path = self.root / self.entries[sequence].archive
        place = int(self._starts[sequence]) + frame
        size = int(self._sizes[place])
        try:
            with path.open("rb") as stream:
                stream.seek(int(self._offsets[place]))
                content = stream.read(size)
        except OSError as error:
            raise DatasetError(f"cannot read {path}: {error.strerror}") from error
        if len(content) != size:
            raise DatasetError(f"{path} is cut off: copy it again")
        return content


def index_path(name: str, root: Path) -> Path:
    """The index of a set's shards in a folder, which is there where they are."""
    return root / f"{name}{SHARDS_INDEX}"


def write_shards(
    training_set: TrainingSet,
    folder: Path,
    shard_mb: float = SHARD_MB,
    on_sequence: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Write a set as shards; the index comes last, so that shards with one are complete.

    Args:
        training_set: the set.
        folder: made if needed; shards of the same set are replaced.
        shard_mb: a tar file ends with the sequence that makes it larger.
        on_sequence: called after every sequence, for a progress bar.

    Returns:
        The tar files.

    Raises:
        DatasetError: a frame cannot be read.
        MediaError: a file cannot be written.
    """
    make_folder(folder)
    index = index_path(training_set.name, folder)
    index.unlink(missing_ok=True)
    entries, offsets, sizes, shards = [], [], [], list[_Shard]()
    # What several entries show, the objects of a photo, is written once.
    pictures: dict[tuple[str, str], tuple[str, str, tuple[int, int]]] = {}
    with ExitStack() as open_shards:
        for number, entry in enumerate(training_set.entries):
            if not shards or shards[-1].size > shard_mb * 1e6:
                open_shards.close()
                path = folder / f"{training_set.name}-{len(shards):06d}.tar"
                shards.append(open_shards.enter_context(_Shard(path)))
            key = (entry.archive, entry.frame_name(0))
            if not entry.video and key in pictures:
                shard, frames, place = pictures[key]
                places = [place]
            else:
                shard = shards[-1].path.name
                frames, places = _frame_names(entry, number), []
                for frame, (content, about) in enumerate(_samples(training_set, number)):
                    name = replace(entry, frames=frames, first=0).frame_name(frame)
                    places.append((shards[-1].add(name, content), len(content)))
                    shards[-1].add(str(PurePosixPath(name).with_suffix(".json")), about)
                if not entry.video:
                    pictures[key] = (shard, frames, places[0])
            entries.append(replace(entry, archive=shard, frames=frames, first=0))
            offsets += [offset for offset, _ in places]
            sizes += [size for _, size in places]
            on_sequence()
    arrays = arrays_of(SetIndex(entries, training_set.problems))
    arrays |= {"offsets": np.array(offsets), "sizes": np.array(sizes)}
    arrays["shards"] = np.array([shard.path.name for shard in shards])
    arrays["shard_sizes"] = np.array([shard.path.stat().st_size for shard in shards])
    with replacing(index) as temporary:
        np.savez_compressed(temporary, **arrays)
    return [shard.path for shard in shards]


class _Shard:
    """A tar file in the making, which appears whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, 0
        self._closing = ExitStack()

    def __enter__(self) -> "_Shard":
        temporary = self._closing.enter_context(replacing(self.path))
        # As many bytes every time: no times, no owners.
        tar = tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT)
        self._tar = self._closing.enter_context(tar)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.__exit__(kind, error, trace)

    def add(self, name: str, content: bytes) -> int:
        """Add a file; where its content begins."""
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content))
        self.size = self._tar.offset
        return self.size - -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _frame_names(entry: SequenceEntry, number: int) -> str:
    """Names of a sequence's frames in the tar file, as an entry holds them."""
    count = len(entry.boxes_xywh)
    suffixes = [PurePosixPath(entry.frame_name(k)).suffix.lower() for k in range(count)]
    if len(set(suffixes)) == 1:
        return f"{number:06d}_{{:06d}}{suffixes[0]}"
    return "\n".join(f"{number:06d}_{k:06d}{suffix}" for k, suffix in enumerate(suffixes))


def _samples(training_set: TrainingSet, number: int) -> Iterator[tuple[bytes, bytes]]:
    """Each frame of a sequence, and what is known of it as JSON."""
    entry = training_set.entries[number]
    for frame, box in enumerate(entry.boxes_xywh):
        about = {
            "sequence": entry.name,
            "frame": frame,
            "box_xywh": box.tolist(),
            "visible": bool(entry.visible[frame]),
        }
        yield training_set.encoded_frame(number, frame), json.dumps(about).encode()


def _read_index(path: Path) -> _Index:
    try:
        with np.load(path) as data:
            content = {key: data[key] for key in data.files}
        return _Index(
            index_of(content),
            content["offsets"].astype(np.int64),
            content["sizes"].astype(np.int64),
            [str(name) for name in content["shards"]],
            content["shard_sizes"].tolist(),
        )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path} is not an index of shards ({error}): make it again") from error
