"""The benchmarks in their published layouts, and which convention scores each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.config import read_yaml
from litetrack_ros.datasets.published import parse_flags, shipped_ranges
from litetrack_ros.datasets.sequences import (
    GROUND_TRUTH,
    AnnotatedSequence,
    find_sequences,
    parse_boxes,
    read_boxes,
)
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.media.sources import Frame, ImageFolder, read_image
from litetrack_ros.resources import config_path

# Sequences of OTB whose annotation covers a part of the frames, as the benchmark's site says.
OTB_PARTS = {
    "david": slice(299, 770),
    "diving": slice(0, 215),
    "football1": slice(0, 74),
    "freeman3": slice(0, 460),
    "freeman4": slice(0, 283),
}


@dataclass(frozen=True)
class BenchmarkSequence(AnnotatedSequence):
    """A sequence of a benchmark.

    ``boxes_xywh`` is the ground truth as published, absent targets included; where the benchmark
    keeps it to itself, only the first row is known and the others are NaN.

    Attributes:
        frame_paths: the images, one a box.
        visible: ``(T,)`` bool where the benchmark says so, else None.
        attributes: names of the challenges the sequence is tagged with.
    """

    frame_paths: tuple[Path, ...] = ()
    visible: npt.NDArray[np.bool_] | None = None
    attributes: tuple[str, ...] = ()

    def frames(self) -> Iterator[Frame]:
        """The frames, read when they are asked for.

        Raises:
            MediaError: a frame cannot be read.
        """
        if not self.frame_paths:
            yield from super().frames()
        for path in self.frame_paths:
            yield Frame(path.name, read_image(path))


Reader = Callable[[Path], list[BenchmarkSequence]]


class Benchmark(NamedTuple):
    """How a benchmark is read and scored.

    Attributes:
        read: its sequences in a folder.
        convention: name of the function of :mod:`litetrack_ros.evaluation.conventions`; ``""``
            where only a server can score.
    """

    read: Reader
    convention: str


def read_got10k_split(root: Path, split: str) -> list[BenchmarkSequence]:
    """GOT-10k's ``val`` or ``test``: ``GOT-10k_Val_000001/00000001.jpg`` and so on.

    Raises:
        DatasetError: nothing of it is there, or labels and boxes do not fit.
    """
    prefix = f"GOT-10k_{split.capitalize()}_"
    folders = _folders(root, root / split, prefix)
    sequences = []
    for folder in folders:
        boxes, visible = read_boxes(folder / GROUND_TRUTH), None
        paths = ImageFolder(folder).paths
        if split == "test":
            boxes = _first_box_only(boxes, len(paths))
        else:
            label = folder / "cover.label"
            visible = parse_flags(_text(label), len(boxes), str(label)) > 0
        sequences.append(_sequence(folder.name, folder, boxes, paths, visible))
    return sequences


def read_lasot_test(root: Path) -> list[BenchmarkSequence]:
    """LaSOT's 280 test videos: ``airplane/airplane-1/img/00000001.jpg`` and so on.

    Raises:
        DatasetError: as :func:`read_got10k_split`.
    """
    sequences, tags = [], _tags("lasot")
    for category, numbers in shipped_ranges("lasot").items():
        for number in sorted(numbers):
            name = f"{category}-{number}"
            folder = next((f for f in (root / category / name, root / name) if f.is_dir()), None)
            if folder is None:
                continue
            boxes = read_boxes(folder / GROUND_TRUTH)
            hidden = np.zeros(len(boxes), dtype=np.bool_)
            for label in ("full_occlusion.txt", "out_of_view.txt"):
                flags = parse_flags(_text(folder / label), len(boxes), str(folder / label))
                hidden |= flags != 0
            paths = ImageFolder(folder / "img").paths
            sequences.append(_sequence(name, folder, boxes, paths, ~hidden, tags.get(name, ())))
    return _not_empty(sequences, root, "LaSOT's test set")


def read_otb100(root: Path) -> list[BenchmarkSequence]:
    """OTB-100: ``Basketball/img/0001.jpg`` and ``groundtruth_rect.txt``; two targets in some.

    Raises:
        DatasetError: as :func:`read_got10k_split`.
    """
    sequences, tags = [], _tags("otb100")
    for folder in sorted(p for p in root.iterdir() if (p / "img").is_dir()):
        truths = [p for p in sorted(folder.glob("groundtruth*.txt")) if _text(p).strip()]
        for number, truth in enumerate(truths, start=1):
            name = folder.name if len(truths) == 1 else f"{folder.name}.{number}"
            paths = ImageFolder(folder / "img").paths
            paths = paths[OTB_PARTS.get(folder.name.lower(), slice(None))]
            boxes = parse_boxes(_text(truth), str(truth))
            sequences.append(_sequence(name, folder, boxes, paths, None, tags.get(name, ())))
    return _not_empty(sequences, root, "OTB-100")


def read_uav123(root: Path) -> list[BenchmarkSequence]:
    """UAV123: ``data_seq/UAV123/bike1/000001.jpg`` and ``anno/UAV123/bike1.txt``.

    Raises:
        DatasetError: as :func:`read_got10k_split`.
    """
    sequences, tags = [], _tags("uav123")
    for name, place in read_yaml(config_path("datasets/uav123")).items():
        folder_name, _, span = str(place).partition(" ")
        first, _, last = span.partition("-")
        annotation = root / "anno/UAV123" / f"{name}.txt"
        folder = root / "data_seq/UAV123" / folder_name
        if annotation.is_file() and folder.is_dir():
            boxes = parse_boxes(_text(annotation), str(annotation))
            paths = ImageFolder(folder).paths[int(first) - 1 : int(last)]
            sequences.append(_sequence(name, folder, boxes, paths, None, tags.get(name, ())))
    return _not_empty(sequences, root, "UAV123")


def read_nfs(root: Path) -> list[BenchmarkSequence]:
    """NFS at 30 frames a second: ``bee/30/bee/00001.jpg`` and ``bee/30/bee.txt``.

    A line of the annotation is ``id x1 y1 x2 y2 ...``; one that was made at 240 frames a second is
    thinned to every eighth line.

    Raises:
        DatasetError: as :func:`read_got10k_split`.
    """
    sequences = []
    for annotation in sorted(root.glob("*/30/*.txt")):
        folder = annotation.with_suffix("")
        if not folder.is_dir():
            raise DatasetError(f"{annotation} has no frames: there is no folder {folder}")
        corners = _nfs_corners(annotation)
        paths = ImageFolder(folder).paths
        if len(corners) > 4 * len(paths):
            corners = corners[::8]
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        sequences.append(_sequence(annotation.stem, folder, boxes, paths, None))
    return _not_empty(sequences, root, "NFS at 30 frames a second")


def read_trackingnet_test(root: Path) -> list[BenchmarkSequence]:
    """TrackingNet's ``TEST``: ``frames/VIDEO/0.jpg`` and the first box in ``anno/VIDEO.txt``.

    Raises:
        DatasetError: as :func:`read_got10k_split`.
    """
    base = root / "TEST" if (root / "TEST").is_dir() else root
    sequences = []
    for annotation in sorted((base / "anno").glob("*.txt")):
        folder = base / "frames" / annotation.stem
        paths = ImageFolder(folder).paths
        boxes = _first_box_only(parse_boxes(_text(annotation), str(annotation)), len(paths))
        sequences.append(_sequence(annotation.stem, folder, boxes, paths, None))
    return _not_empty(sequences, root, "TrackingNet's test set")


def read_own(root: Path) -> list[BenchmarkSequence]:
    """Sequences in this package's own format.

    Raises:
        DatasetError: as :func:`litetrack_ros.datasets.sequences.find_sequences`.
    """
    found = []
    for sequence in find_sequences([root]):
        seen = np.asarray(np.isfinite(sequence.boxes_xywh).all(axis=1))
        found.append(
            BenchmarkSequence(sequence.name, sequence.folder, sequence.boxes_xywh, visible=seen)
        )
    return found


BENCHMARKS: Mapping[str, Benchmark] = {
    "got10k_val": Benchmark(lambda root: read_got10k_split(root, "val"), "got10k"),
    "got10k_test": Benchmark(lambda root: read_got10k_split(root, "test"), ""),
    "trackingnet": Benchmark(read_trackingnet_test, ""),
    "lasot": Benchmark(read_lasot_test, "lasot"),
    "otb100": Benchmark(read_otb100, "pytracking"),
    "nfs": Benchmark(read_nfs, "pytracking"),
    "uav123": Benchmark(read_uav123, "uav123"),
    "folder": Benchmark(read_own, "got10k"),
}


def read_benchmark(name: str, root: Path) -> list[BenchmarkSequence]:
    """A benchmark's sequences.

    Raises:
        DatasetError: unknown name, no such folder, or nothing of the benchmark in it.
    """
    if name not in BENCHMARKS:
        raise DatasetError(f"there is no benchmark '{name}'; known are {', '.join(BENCHMARKS)}")
    if not root.is_dir():
        raise DatasetError(f"there is no folder {root} for {name}")
    return BENCHMARKS[name].read(root)


def _sequence(
    name: str,
    folder: Path,
    boxes: FloatArray,
    paths: Sequence[Path],
    visible: npt.NDArray[np.bool_] | None,
    attributes: tuple[str, ...] = (),
) -> BenchmarkSequence:
    if abs(len(paths) - len(boxes)) > 1:
        raise DatasetError(f"{folder} has {len(paths)} frames, but {len(boxes)} boxes")
    count = min(len(paths), len(boxes))  # some published sets are one short on either side
    cut = None if visible is None else visible[:count]
    return BenchmarkSequence(name, folder, boxes[:count], tuple(paths[:count]), cut, attributes)


def _folders(root: Path, inner: Path, prefix: str) -> list[Path]:
    base = inner if inner.is_dir() else root
    folders = sorted(p for p in base.iterdir() if p.name.startswith(prefix) and p.is_dir())
    if not folders:
        raise DatasetError(f"{root} holds no folder {prefix}000001 or the like")
    return folders


def _not_empty(found: list[BenchmarkSequence], root: Path, what: str) -> list[BenchmarkSequence]:
    if not found:
        raise DatasetError(f"{root} holds no sequence of {what} in its published layout")
    return found


def _first_box_only(boxes: FloatArray, count: int) -> FloatArray:
    known = np.full((count, 4), np.nan)
    known[0] = boxes[0]
    return known


def _nfs_corners(path: Path) -> FloatArray:
    try:
        rows = [[float(v) for v in line.split()[1:5]] for line in _text(path).splitlines() if line]
        return np.array(rows, dtype=np.float64).reshape(-1, 4)
    except ValueError as error:
        raise DatasetError(f"{path}: expected 'id x1 y1 x2 y2 ...' lines ({error})") from error


def _tags(benchmark: str) -> dict[str, tuple[str, ...]]:
    """Attributes by sequence, as the benchmark publishes them."""
    listed = read_yaml(config_path("datasets/attributes"))[benchmark]
    return {str(name): tuple(str(tags).split()) for name, tags in listed.items()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
