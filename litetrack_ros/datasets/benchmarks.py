"""The benchmarks in their published layouts, and which convention scores each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.config import read_yaml
from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.frame_decoding import image_size
from litetrack_ros.datasets.layouts import (
    IMAGE_SUFFIXES,
    find_sequence_folders,
    parse_flags,
    read_text,
    shipped_ranges,
)
from litetrack_ros.datasets.sequences import (
    GROUND_TRUTH,
    AnnotatedSequence,
    find_sequences,
    parse_boxes,
)
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.media.sources import Frame, decode_image, natural_key
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
        containers: the benchmark's folder and the archives in it; None for our own format.
        archive: which one holds the frames, ``""`` for the folder.
        frame_names: the images in there, one a box.
        visible: ``(T,)`` bool where the benchmark says so, else None.
        attributes: names of the challenges the sequence is tagged with.
    """

    containers: Containers | None = None
    archive: str = ""
    frame_names: tuple[str, ...] = ()
    visible: npt.NDArray[np.bool_] | None = None
    attributes: tuple[str, ...] = ()

    def frames(self) -> Iterator[Frame]:
        """The frames, read when they are asked for.

        Raises:
            MediaError: a frame is not an image.
            DatasetError: a frame cannot be read.
        """
        if self.containers is None:
            yield from super().frames()
            return
        container = self.containers.get(self.archive)
        for name in self.frame_names:
            place = f"{name} in {self.containers.root / self.archive}"
            yield Frame(PurePosixPath(name).name, decode_image(container.read(name), place))

    def frame_size(self) -> tuple[int, int]:
        """Width and height of the first frame, px.

        Raises:
            MediaError, DatasetError: it cannot be read.
        """
        if self.containers is None:
            image = next(iter(self.frames())).image
            return image.shape[1], image.shape[0]
        return image_size(self.containers.get(self.archive).read(self.frame_names[0]))


Reader = Callable[[Containers], list[BenchmarkSequence]]


class Benchmark(NamedTuple):
    """How a benchmark is read and scored.

    Attributes:
        read: its sequences in a folder and the archives there.
        convention: what scores it, of :mod:`litetrack_ros.evaluation.conventions`; ``""`` where
            only a server can.
    """

    read: Reader
    convention: str


def read_got10k_split(containers: Containers, split: str) -> list[BenchmarkSequence]:
    """GOT-10k's ``val`` or ``test``: ``GOT-10k_Val_000001/00000001.jpg`` and so on, or archives.

    Raises:
        DatasetError: nothing of it is there, or labels and boxes do not fit.
    """
    inner = containers.root / split
    files = Containers(inner) if inner.is_dir() else containers
    prefix = f"GOT-10k_{split.capitalize()}_"
    sequences = []
    for place in find_sequence_folders(files, GROUND_TRUTH, depth=1):
        if not place.name.startswith(prefix):
            continue
        boxes, visible = _boxes(files, place.archive, f"{place.folder}/{GROUND_TRUTH}"), None
        frames = _images(files, place.archive, place.folder)
        if split == "test":
            boxes = _first_box_only(boxes, len(frames))
        else:
            label = f"{place.folder}/cover.label"
            text = read_text(files.get(place.archive), label)
            visible = parse_flags(text, len(boxes), label) > 0
        sequences.append(_sequence(place.name, files, place.archive, boxes, frames, visible))
    return _not_empty(sequences, containers, f"GOT-10k's {split} set")


def read_lasot_test(containers: Containers) -> list[BenchmarkSequence]:
    """LaSOT's 280 test videos: ``airplane/airplane-1/img/00000001.jpg`` and so on, or archives.

    Raises:
        DatasetError: as :func:`read_got10k_split`.
    """
    tags = _tags("lasot")
    found = {p.name: p for p in find_sequence_folders(containers, GROUND_TRUTH, depth=2)}
    sequences = []
    for category, numbers in shipped_ranges("lasot").items():
        for name in (f"{category}-{number}" for number in sorted(numbers)):
            if name not in found:
                continue
            _, archive, folder = found[name]
            boxes = _boxes(containers, archive, f"{folder}/{GROUND_TRUTH}")
            hidden = np.zeros(len(boxes), dtype=np.bool_)
            for label in (f"{folder}/full_occlusion.txt", f"{folder}/out_of_view.txt"):
                text = read_text(containers.get(archive), label)
                hidden |= parse_flags(text, len(boxes), label) != 0
            frames = _images(containers, archive, f"{folder}/img")
            sequences.append(
                _sequence(name, containers, archive, boxes, frames, ~hidden, tags.get(name, ()))
            )
    return _not_empty(sequences, containers, "LaSOT's test set")


def read_otb100(containers: Containers) -> list[BenchmarkSequence]:
    """OTB-100: ``Basketball/img/0001.jpg`` and ``groundtruth_rect.txt``, or archives.

    Some sequences have two targets.

    Raises:
        DatasetError: as :func:`read_got10k_split`.
    """
    tags = _tags("otb100")
    sequences = []
    for video, archive, folder in find_sequence_folders(containers, "groundtruth*.txt", depth=1):
        container = containers.get(archive)
        names = [PurePosixPath(n) for n in container.names_in(folder)]
        texts = {str(n): read_text(container, str(n)) for n in names if n.match("groundtruth*.txt")}
        truths = {name: text for name, text in texts.items() if text.strip()}
        for number, (truth, text) in enumerate(truths.items(), start=1):
            name = video if len(truths) == 1 else f"{video}.{number}"
            frames = _images(containers, archive, f"{folder}/img")
            frames = frames[OTB_PARTS.get(video.lower(), slice(None))]
            boxes = parse_boxes(text, truth)
            sequences.append(
                _sequence(name, containers, archive, boxes, frames, None, tags.get(name, ()))
            )
    return _not_empty(sequences, containers, "OTB-100")


def read_uav123(containers: Containers) -> list[BenchmarkSequence]:
    """UAV123: ``data_seq/UAV123/bike1/000001.jpg`` and ``anno/UAV123/bike1.txt``, unpacked.

    Raises:
        DatasetError: as :func:`read_got10k_split`.
    """
    sequences, tags = [], _tags("uav123")
    for name, place in read_yaml(config_path("datasets/uav123")).items():
        video, _, span = str(place).partition(" ")
        first, _, last = span.partition("-")
        annotation, folder = f"anno/UAV123/{name}.txt", f"data_seq/UAV123/{video}"
        if (containers.root / annotation).is_file() and (containers.root / folder).is_dir():
            boxes = _boxes(containers, "", annotation)
            frames = _images(containers, "", folder)[int(first) - 1 : int(last)]
            sequences.append(
                _sequence(name, containers, "", boxes, frames, None, tags.get(name, ()))
            )
    return _not_empty(sequences, containers, "UAV123")


def read_nfs(containers: Containers) -> list[BenchmarkSequence]:
    """NFS at 30 frames a second: ``bee/30/bee/00001.jpg`` and ``bee/30/bee.txt``, unpacked.

    A line of the annotation is ``id x1 y1 x2 y2 ...``; one that was made at 240 frames a second is
    thinned to every eighth line.

    Raises:
        DatasetError: as :func:`read_got10k_split`.
    """
    sequences = []
    for path in sorted(containers.root.glob("*/30/*.txt")):
        annotation = path.relative_to(containers.root).as_posix()
        corners = _nfs_corners(read_text(containers.get(""), annotation), str(path))
        frames = _images(containers, "", annotation.removesuffix(".txt"))
        if len(corners) > 4 * len(frames):
            corners = corners[::8]
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        sequences.append(_sequence(path.stem, containers, "", boxes, frames, None))
    return _not_empty(sequences, containers, "NFS at 30 frames a second")


def read_trackingnet_test(containers: Containers) -> list[BenchmarkSequence]:
    """TrackingNet's ``TEST``: ``frames/VIDEO/0.jpg`` or ``zips/VIDEO.zip``; ``anno/VIDEO.txt``.

    Raises:
        DatasetError: as :func:`read_got10k_split`.
    """
    base = "TEST/" if (containers.root / "TEST").is_dir() else ""
    sequences = []
    for path in sorted((containers.root / base / "anno").glob("*.txt")):
        name, archive, folder = path.stem, "", f"{base}frames/{path.stem}"
        if not (containers.root / folder).is_dir():
            archive, folder = f"{base}zips/{name}.zip", ""
        frames = _images(containers, archive, folder)
        boxes = _first_box_only(_boxes(containers, "", f"{base}anno/{path.name}"), len(frames))
        sequences.append(_sequence(name, containers, archive, boxes, frames, None))
    return _not_empty(sequences, containers, "TrackingNet's test set")


def read_own(containers: Containers) -> list[BenchmarkSequence]:
    """Sequences in this package's own format, unpacked.

    Raises:
        DatasetError: as :func:`litetrack_ros.datasets.sequences.find_sequences`.
    """
    found = []
    for sequence in find_sequences([containers.root]):
        seen = np.asarray(np.isfinite(sequence.boxes_xywh).all(axis=1))
        found.append(
            BenchmarkSequence(sequence.name, sequence.folder, sequence.boxes_xywh, visible=seen)
        )
    return found


BENCHMARKS: Mapping[str, Benchmark] = {
    "got10k_val": Benchmark(functools.partial(read_got10k_split, split="val"), "got10k"),
    "got10k_test": Benchmark(functools.partial(read_got10k_split, split="test"), ""),
    "trackingnet": Benchmark(read_trackingnet_test, ""),
    "lasot": Benchmark(read_lasot_test, "lasot"),
    "otb100": Benchmark(read_otb100, "pytracking"),
    "nfs": Benchmark(read_nfs, "pytracking"),
    "uav123": Benchmark(read_uav123, "uav123"),
    "folder": Benchmark(read_own, "plain"),
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
    return BENCHMARKS[name].read(Containers(root))


def _sequence(
    name: str,
    containers: Containers,
    archive: str,
    boxes: FloatArray,
    frames: Sequence[str],
    visible: npt.NDArray[np.bool_] | None,
    attributes: tuple[str, ...] = (),
) -> BenchmarkSequence:
    if abs(len(frames) - len(boxes)) > 1:
        raise DatasetError(f"{name} has {len(frames)} frames, but {len(boxes)} boxes")
    count = min(len(frames), len(boxes))  # some published sets are one short on either side
    cut = None if visible is None else visible[:count]
    return BenchmarkSequence(
        name,
        containers.root,
        boxes[:count],
        containers,
        archive,
        tuple(frames[:count]),
        cut,
        attributes,
    )


def _boxes(containers: Containers, archive: str, name: str) -> FloatArray:
    return parse_boxes(read_text(containers.get(archive), name), name)


def _images(containers: Containers, archive: str, folder: str) -> list[str]:
    """Names of the images right in a folder, in natural order."""
    names = containers.get(archive).names_in(folder)
    images = [n for n in names if n.lower().endswith(IMAGE_SUFFIXES)]
    if not images:
        raise DatasetError(f"{containers.root / archive / folder} holds no images")
    return sorted(images, key=natural_key)


def _not_empty(
    found: list[BenchmarkSequence], containers: Containers, what: str
) -> list[BenchmarkSequence]:
    if not found:
        raise DatasetError(f"{containers.root} holds no sequence of {what} in its published layout")
    return found


def _first_box_only(boxes: FloatArray, count: int) -> FloatArray:
    known = np.full((count, 4), np.nan)
    known[0] = boxes[0]
    return known


def _nfs_corners(text: str, origin: str) -> FloatArray:
    try:
        rows = [[float(v) for v in line.split()[1:5]] for line in text.splitlines() if line]
        return np.array(rows, dtype=np.float64).reshape(-1, 4)
    except ValueError as error:
        raise DatasetError(f"{origin}: expected 'id x1 y1 x2 y2 ...' lines ({error})") from error


def _tags(benchmark: str) -> dict[str, tuple[str, ...]]:
    """Attributes by sequence, as the benchmark publishes them."""
    listed = read_yaml(config_path("datasets/attributes"))[benchmark]
    return {str(name): tuple(str(tags).split()) for name, tags in listed.items()}
