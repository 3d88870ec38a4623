"""Raw result files: a folder a tracker, a text file a sequence, as most toolkits write them.

Read are ``NAME.txt``, ``NAME_001.txt`` and ``NAME/NAME_001.txt``, with boxes ``x y w h`` parted by
commas, tabs, blanks or semicolons, and ``NAME_time.txt`` beside them. Where a tracker that is not
deterministic ran several times, ``NAME_002.txt`` and so on are its repetitions.
"""

from __future__ import annotations

import glob
from pathlib import Path

import numpy as np

from litetrack_ros.datasets.sequences import format_boxes, read_boxes
from litetrack_ros.errors import DatasetError
from litetrack_ros.files import write_text
from litetrack_ros.geometry import FloatArray


def result_path(folder: Path, name: str) -> Path | None:
    """The file of a sequence's result in a tracker's folder, or None."""
    # pytracking and OTB's toolbox differ in how they call a second target: Jogging.2, Jogging-2.
    for stem in (name, name.replace(".", "-"), name.replace(".", "_")):
        for candidate in (f"{stem}.txt", f"{stem}_001.txt", f"{stem}/{stem}_001.txt"):
            if (folder / candidate).is_file():
                return folder / candidate
    return None


def read_result(folder: Path, name: str) -> FloatArray:
    """A tracker's boxes on a sequence, ``(T, 4)`` xywh.

    Raises:
        DatasetError: there is no such file, or it does not hold boxes.
    """
    path = result_path(folder, name)
    if path is None:
        raise DatasetError(f"{folder} has no result for the sequence {name} ({name}.txt)")
    return read_boxes(path)


def read_repetitions(folder: Path, name: str) -> list[FloatArray]:
    """A tracker's boxes of every run on a sequence, ``(T, 4)`` xywh each.

    Raises:
        DatasetError: as :func:`read_result`.
    """
    first = read_result(folder, name)
    path = result_path(folder, name)
    if path is None or not path.name.endswith("_001.txt"):
        return [first]
    stem = path.name.removesuffix("001.txt")
    others = sorted(p for p in path.parent.glob(f"{glob.escape(stem)}[0-9][0-9][0-9].txt"))
    return [first, *(read_boxes(p) for p in others if p != path)]


def write_result(folder: Path, name: str, boxes_xywh: FloatArray, times_s: FloatArray) -> None:
    """Write ``NAME_time.txt``, then ``NAME.txt``: a sequence with the latter is finished.

    Args:
        folder: of the tracker; it exists.
        name: of the sequence.
        boxes_xywh: ``(T, 4)``.
        times_s: seconds of each frame, ``(T,)``.
    """
    lines = "".join(f"{seconds:.8f}\n" for seconds in times_s)
    write_text(folder / f"{name}_time.txt", lines)
    write_text(folder / f"{name}.txt", format_boxes(boxes_xywh))


def read_times(folder: Path, name: str) -> FloatArray | None:
    """Seconds of each frame, ``(T,)``, or None where they were not written.

    A line holds one number, or one for each repetition, of which the mean is taken.

    Raises:
        DatasetError: the file does not hold numbers.
    """
    result = result_path(folder, name)
    places = [folder] if result is None else [result.parent, folder]
    path = next((p for f in places if (p := f / f"{name}_time.txt").is_file()), None)
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").replace(",", " ").splitlines()
        rows = (line.split() for line in lines)
        return np.array([np.mean([float(seconds) for seconds in row]) for row in rows if row])
    except ValueError as error:
        raise DatasetError(f"{path} does not hold a number a frame: {error}") from error
