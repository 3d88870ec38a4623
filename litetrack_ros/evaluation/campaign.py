"""One-pass evaluation of many sequences by several processes; finished ones are not run again."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.datasets.sequences import AnnotatedSequence, read_boxes
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.results import write_result
from litetrack_ros.evaluation.runner import SequenceTracker
from litetrack_ros.files import make_folder
from litetrack_ros.geometry import FloatArray

MakeTracker = Callable[[], SequenceTracker]
OpenTracker = Callable[[str], MakeTracker]


@dataclass(frozen=True)
class Job:
    """What a process needs to run its sequences.

    Attributes:
        open_tracker: opens the tracker on a device; must be picklable.
        folder: where results go.
        device: what to run on, such as ``cpu`` or ``cuda:1``.
    """

    open_tracker: OpenTracker
    folder: Path
    device: str


def unfinished(sequences: Sequence[AnnotatedSequence], folder: Path) -> list[AnnotatedSequence]:
    """Sequences without a complete result in the folder, longest first."""
    left = []
    for sequence in sequences:
        path = folder / f"{sequence.name}.txt"
        try:
            done = path.is_file() and len(read_boxes(path)) == len(sequence)
        except DatasetError:
            done = False
        if not done:
            left.append(sequence)
    return sorted(left, key=len, reverse=True)


def run_campaign(
    sequences: Sequence[AnnotatedSequence],
    open_tracker: OpenTracker,
    folder: Path,
    devices: Sequence[str],
    jobs: int = 1,
) -> Iterator[AnnotatedSequence]:
    """Track every sequence that has no result yet.

    Args:
        sequences: what to track; each starts at its first box.
        open_tracker: opens the tracker on a device.
        folder: where results go, a file a sequence.
        devices: processes take them in turn.
        jobs: number of processes; 1 works in this one.

    Yields:
        Each sequence when its result is on disk.

    Raises:
        LiteTrackError: as the tracker and the sequences; results that are finished stay.
    """
    make_folder(folder)
    left = unfinished(sequences, folder)
    if jobs <= 1 or len(left) <= 1:
        make_tracker = open_tracker(devices[0]) if left else None
        for sequence in left:
            assert make_tracker is not None
            _track(sequence, make_tracker(), folder)
            yield sequence
        return
    context = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork
    counter = context.Value("i", 0)
    setup = (open_tracker, folder, list(devices), counter)
    with context.Pool(min(jobs, len(left)), _start, setup) as pool:
        yield from pool.imap_unordered(_run, left)


class _Worker:
    """What a worker process keeps between sequences."""

    make_tracker: MakeTracker
    folder: Path


def _start(open_tracker: OpenTracker, folder: Path, devices: list[str], counter: object) -> None:
    with counter.get_lock():  # type: ignore[attr-defined]
        number = counter.value  # type: ignore[attr-defined]
        counter.value = number + 1  # type: ignore[attr-defined]
    _Worker.make_tracker = staticmethod(open_tracker(devices[number % len(devices)]))
    _Worker.folder = folder


def _run(sequence: AnnotatedSequence) -> AnnotatedSequence:
    _track(sequence, _Worker.make_tracker(), _Worker.folder)
    return sequence


def _track(sequence: AnnotatedSequence, tracker: SequenceTracker, folder: Path) -> None:
    boxes: list[FloatArray] = []
    times: list[float] = []
    for frame in sequence.frames():
        start = time.perf_counter()
        if boxes:
            box = np.asarray(tracker.update(frame.image), dtype=np.float64)
        else:
            box = sequence.boxes_xywh[0]
            tracker.init(frame.image, box)
        times.append(time.perf_counter() - start)
        boxes.append(box)
    write_result(folder, sequence.name, np.stack(boxes), np.array(times))
