"""Annotated sequences: frames, and one ground-truth box a frame.

In this package's own format a sequence is a folder with ``frames/`` (images in order) or
``frames.mpg`` (or another video) beside ``groundtruth.txt``: one ``x,y,w,h`` line a frame, 0-based
pixels, NaN where the target is absent. Frames after the last line do not count. Published data
sets lay their sequences out otherwise; each has a file of its own here.
"""

import dataclasses
import fnmatch
import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.containers import Container, Containers
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import image_size
from litetrack_ros.media.sources import (
    IMAGE_SUFFIXES,
    Frame,
    decode_image,
    natural_key,
    open_frames,
    source_files,
)
from litetrack_ros.resources import config_path
from litetrack_ros.settings import read_yaml

GROUND_TRUTH = "groundtruth.txt"


@dataclass(frozen=True)
class AnnotatedSequence:
    """A sequence whose frames are read when iterated over.

    Attributes:
        name: the folder's name.
        folder: where it, or the data set that it belongs to, lies.
        boxes_xywh: ground truth in image pixels, ``(T, 4)`` float64; rows of NaN are absent. Where
            a benchmark keeps it to itself, only the first row is known and the others are NaN.
        visible: ``(T,)`` bool, in which frames the target can be seen; None where nobody says so.
        attributes: names of the challenges that a benchmark tags the sequence with.
        place: where a published data set keeps the frames; None for our own format.
        frame_names: the images there, one a box, in the folder or archive that holds the place.
    """

    name: str
    folder: Path
    boxes_xywh: FloatArray
    visible: npt.NDArray[np.bool_] | None = None
    attributes: tuple[str, ...] = ()
    place: "SequenceFolder | None" = None
    frame_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.boxes_xywh)

    def frames(self) -> Iterator[Frame]:
        """As many frames as there are boxes, read when they are asked for.

        Raises:
            MediaError: a frame is not an image, or cannot be read.
            DatasetError: fewer frames than boxes, or one cannot be read from an archive.
        """
        if self.place is not None:
            container = self.place.container()
            for name in self.frame_names:
                origin = f"{name} in {self.folder / self.place.archive}"
                yield Frame(PurePosixPath(name).name, decode_image(container.read(name), origin))
            return
        source = open_frames(self.folder)
        count = 0
        try:
            for frame in itertools.islice(source, len(self)):
                yield frame
                count += 1
        finally:
            source.close()
        if count < len(self):
            raise DatasetError(
                f"the sequence {self.folder} has {count} frames, but {len(self)} lines in "
                f"{GROUND_TRUTH}"
            )

    def files(self) -> dict[str, bytes]:
        """The files that :meth:`frames` reads, by names relative to the folder.

        Raises:
            MediaError, DatasetError: one cannot be read.
        """
        if self.place is None:
            return source_files(self.folder)
        container = self.place.container()
        return {name: container.read(name) for name in self.frame_names}

    def in_folder(self, folder: Path) -> "AnnotatedSequence":
        """The same sequence whose files, and no archive, lie in another folder."""
        place = self.place
        if place is not None:
            place = dataclasses.replace(place, containers=Containers(folder), archive="")
        return dataclasses.replace(self, folder=folder, place=place)

    def frame_size(self) -> tuple[int, int]:
        """Width and height of the first frame, px.

        Raises:
            MediaError, DatasetError: it cannot be read.
        """
        if self.place is not None:
            return image_size(self.place.container().read(self.frame_names[0]))
        image = next(iter(self.frames())).image
        return image.shape[1], image.shape[0]


def read_sequence(folder: Path) -> AnnotatedSequence:
    """Open a sequence folder; frames are not read yet.

    Raises:
        DatasetError: no ground truth, or none that a track can start from.
    """
    path = folder / GROUND_TRUTH
    boxes = read_boxes(path)
    if not np.isfinite(boxes[0]).all():
        raise DatasetError(f"{path}: the target is absent in the first frame, so no track starts")
    seen = np.asarray(np.isfinite(boxes).all(axis=1))
    return AnnotatedSequence(folder.resolve().name, folder, boxes, seen)


def find_sequences(folders: Sequence[Path]) -> list[AnnotatedSequence]:
    """Sequences among folders, each a sequence itself or a folder of sequences.

    Raises:
        DatasetError: a folder that is neither, or two sequences of one name.
    """
    found: list[AnnotatedSequence] = []
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(f"there is no folder {folder}")
        inner = [folder] if (folder / GROUND_TRUTH).is_file() else sorted(folder.iterdir())
        sequences = [read_sequence(f) for f in inner if (f / GROUND_TRUTH).is_file()]
        if not sequences:
            raise DatasetError(
                f"neither {folder} nor a folder in it holds a {GROUND_TRUTH} beside its frames"
            )
        found += sequences
    names = [sequence.name for sequence in found]
    for name in names:
        if names.count(name) > 1:
            raise DatasetError(f"two sequences are called '{name}'; evaluate one at a time")
    return found


def read_boxes(path: Path) -> FloatArray:
    """Read a file of ``x,y,w,h`` lines; see :func:`parse_boxes`.

    Raises:
        DatasetError: missing, empty, or a line that is not four numbers.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read the boxes {path}: {error}") from error
    return parse_boxes(text, str(path))


def parse_boxes(text: str, origin: str) -> FloatArray:
    """Boxes of ``x,y,w,h`` lines; commas, semicolons, tabs or blanks part the numbers.

    Blank lines at the end do not count, and line ends may be those of any system.

    Args:
        text: the lines.
        origin: what they were read from, for messages.

    Returns:
        ``(T, 4)`` float64; lines with a NaN are NaN as a whole.

    Raises:
        DatasetError: empty, or a line that is not four numbers.
    """
    lines = text.rstrip().splitlines()
    if not lines:
        raise DatasetError(f"{origin} is empty; it must hold one x,y,w,h line a frame")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = [float(part) for part in line.replace(",", " ").replace(";", " ").split()]
        except ValueError:
            row = []
        if len(row) != 4 or any(np.isinf(row)):
            raise DatasetError(f"{origin}, line {number}: expected x,y,w,h, found '{line}'")
        rows.append(row)
    boxes = np.array(rows, dtype=np.float64)
    boxes[np.isnan(boxes).any(axis=1)] = np.nan
    return boxes


def format_boxes(boxes_xywh: FloatArray) -> str:
    """Boxes ``(T, 4)`` as the text :func:`read_boxes` reads, every bit kept."""
    return "".join(",".join(repr(float(v)) for v in box) + "\n" for box in boxes_xywh)


@dataclass(frozen=True)
class SequenceFolder:
    """Where a sequence of a published data set lies, and how its files there are read.

    Attributes:
        containers: the data set's folder and the archives in it.
        archive: which one holds the sequence, ``""`` for the folder.
        folder: the folder in there.
        name: the sequence's.
    """

    containers: Containers
    archive: str
    folder: str
    name: str

    @staticmethod
    def find(
        containers: Containers, depth: int, marker: str = GROUND_TRUTH
    ) -> "Iterator[SequenceFolder]":
        """Folders that hold a file of a certain name, in the set's folder and in its archives.

        Args:
            containers: the data set.
            depth: how many folders deep to look in the set's own folder; archives are listed whole.
            marker: the file's name or a pattern of it, such as ``groundtruth*.txt``.

        Returns:
            By name, which is the folder's; of several of one name the first.
        """
        root = containers.root
        found = {
            (path.parent.name, "", path.parent.relative_to(root).as_posix())
            for level in range(1, depth + 1)
            for path in root.glob("/".join(["*"] * level + [marker]))
        }
        for archive in containers.archives():
            for name in containers.get(archive).names():
                folder, slash, file = name.rpartition("/")
                if slash and fnmatch.fnmatchcase(file, marker):
                    found.add((folder.rpartition("/")[2], archive, folder))
        # Unpacked beside its archive: the folder comes first.
        for _, same in itertools.groupby(sorted(found), lambda place: place[0]):
            name, archive, folder = next(same)
            yield SequenceFolder(containers, archive, folder, name)

    def container(self) -> Container:
        """What holds the sequence's files.

        Raises:
            DatasetError: it cannot be opened.
        """
        return self.containers.get(self.archive)

    def text(self, file: str) -> str:
        """A text file beside the frames.

        Raises:
            DatasetError: missing, or not text.
        """
        path = self._inside(file)
        try:
            return self.container().read(path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DatasetError(f"{path} is not a text file: {error}") from error

    def boxes(self, file: str = GROUND_TRUTH) -> FloatArray:
        """Boxes ``(T, 4)`` float64 of a text file; see :func:`parse_boxes`.

        Raises:
            DatasetError: missing, empty, or a line that is not four numbers.
        """
        return parse_boxes(self.text(file), self._inside(file))

    def flags(self, file: str, count: int) -> npt.NDArray[np.int64]:
        """Whole numbers, one a frame, on one line or several, parted by commas, blanks or tabs.

        Args:
            file: the text file's name.
            count: how many there must be.

        Returns:
            ``(count,)`` int64.

        Raises:
            DatasetError: no such file, another number of them, or not whole numbers.
        """
        words, path = self.text(file).replace(",", " ").split(), self._inside(file)
        try:
            flags = np.array([int(word) for word in words], dtype=np.int64)
        except ValueError as error:
            raise DatasetError(f"{path}: expected whole numbers ({error})") from error
        if len(flags) != count:
            raise DatasetError(f"{path} has {len(flags)} values for {count} boxes")
        return flags

    def unflagged(self, files: Sequence[str], count: int) -> npt.NDArray[np.bool_]:
        """In which frames the flags of all files are 0, ``(count,)``.

        Raises:
            DatasetError: as :meth:`flags`.
        """
        flags = np.zeros(count, dtype=np.int64)
        for file in files:
            flags |= self.flags(file, count)
        return flags == 0

    def numbered(self, pattern: str) -> str:
        """A format of frame names in this folder, whose own name may hold braces."""
        prefix = self.folder.replace("{", "{{").replace("}", "}}")
        return f"{prefix}/{pattern}" if prefix else pattern

    def frame_names(self, images: str = "") -> list[str]:
        """The images right in a folder of this one, or in this one, in natural order.

        Raises:
            DatasetError: there are none.
        """
        folder = self._inside(images) if images else self.folder
        files = self.container().names_in(folder)
        found = [name for name in files if name.lower().endswith(IMAGE_SUFFIXES)]
        if not found:
            place = self.containers.root / self.archive / folder
            raise DatasetError(f"{place} holds no images")
        return sorted(found, key=natural_key)

    def sequence(
        self,
        boxes_xywh: FloatArray,
        images: str = "",
        part: slice = slice(None),
        visible: npt.NDArray[np.bool_] | None = None,
        first_only: bool = False,
        tags_of: str = "",
    ) -> AnnotatedSequence:
        """The sequence to test on; some are one frame or one box short, which is cut.

        Args:
            boxes_xywh: ground truth, ``(T, 4)``.
            images: the folder of the frames in this one; they count in natural order.
            part: which of the images are the sequence's.
            visible: ``(T,)``, in which frames the target can be seen, where that is known.
            first_only: whether only the first box is known.
            tags_of: the benchmark in ``config/datasets/attributes.yaml`` to take attributes from.

        Raises:
            DatasetError: there are no images, or their number is off by more than one.
        """
        names, boxes = self.frame_names(images)[part], boxes_xywh
        if first_only:
            boxes = np.full((len(names), 4), np.nan)
            boxes[0] = boxes_xywh[0]
        if abs(len(names) - len(boxes)) > 1:
            raise DatasetError(f"{self.name} has {len(names)} frames, but {len(boxes)} boxes")
        count = min(len(names), len(boxes))
        return AnnotatedSequence(
            self.name,
            self.containers.root,
            boxes[:count],
            None if visible is None else visible[:count],
            _challenges(tags_of).get(self.name, ()) if tags_of else (),
            self,
            tuple(names[:count]),
        )

    def _inside(self, file: str) -> str:
        return f"{self.folder}/{file}" if self.folder else file


@functools.cache
def _challenges(benchmark: str) -> dict[str, tuple[str, ...]]:
    """Names of the challenges by sequence, as a benchmark publishes them."""
    listed = read_yaml(config_path("datasets/attributes"))[benchmark]
    return {str(name): tuple(str(tags).split()) for name, tags in listed.items()}


def shipped_ranges(name: str) -> dict[str, set[int]]:
    """A shipped list of sequences (``config/datasets/<name>.yaml``): keys to sets of numbers.

    A value holds numbers and ranges such as ``1 4-6``.
    """
    lists: dict[str, set[int]] = {}
    for key, text in read_yaml(config_path(f"datasets/{name}")).items():
        spans = (word.partition("-") for word in str(text).split())
        lists[str(key)] = {
            number
            for first, _, last in spans
            for number in range(int(first), int(last or first) + 1)
        }
    return lists
