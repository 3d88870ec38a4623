"""Annotated sequences: a folder with frames and one ground-truth box a frame.

A sequence is ``frames/`` (images in order) or ``frames.mpg`` (or another video) beside
``groundtruth.txt``: one ``x,y,w,h`` line a frame, 0-based pixels, NaN where the target is absent.
Frames after the last line do not count.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.media.sources import Frame, open_frames

GROUND_TRUTH = "groundtruth.txt"


@dataclass(frozen=True)
class AnnotatedSequence:
    """A sequence whose frames are read when iterated over.

    Attributes:
        name: the folder's name.
        folder: where it lies.
        boxes_xywh: ground truth in image pixels, ``(T, 4)`` float64; rows of NaN are absent.
    """

    name: str
    folder: Path
    boxes_xywh: FloatArray

    def __len__(self) -> int:
        return len(self.boxes_xywh)

    def frames(self) -> Iterator[Frame]:
        """As many frames as there are boxes.

        Raises:
            MediaError: a frame cannot be read.
            DatasetError: fewer frames than boxes.
        """
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


def read_sequence(folder: Path) -> AnnotatedSequence:
    """Open a sequence folder; frames are not read yet.

    Raises:
        DatasetError: no ground truth, or none that a track can start from.
    """
    path = folder / GROUND_TRUTH
    boxes = read_boxes(path)
    if not np.isfinite(boxes[0]).all():
        raise DatasetError(f"{path}: the target is absent in the first frame, so no track starts")
    return AnnotatedSequence(folder.resolve().name, folder, boxes)


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
