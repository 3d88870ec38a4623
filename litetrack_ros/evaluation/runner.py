"""The one-pass protocol: initialised in the first frame, never reset; finished runs are kept.

:func:`run_all` does what is left of a plan. An :class:`Executor` says where: :class:`InPlace` in
this process, :class:`ProcessPool` in several.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Protocol

import numpy as np

from litetrack_ros.child_processes import end_with
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import BackendError
from litetrack_ros.evaluation.results import SequenceRun, finished_run, write_run
from litetrack_ros.files import make_folder
from litetrack_ros.geometry import FloatArray
from litetrack_ros.tracker.following import OneTargetTracker, follow
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State

PERTURBATION = 0.05  # of the box's sides
STATELESS = "stateless"  # folder of the runs without the state machine, in that of the results

MakeTracker = Callable[[], OneTargetTracker]
OnFrame = Callable[[], None]


@dataclass(frozen=True)
class PlannedRun:
    """A run to make.

    Attributes:
        sequence: frames and ground truth, of which the tracker sees a box in the first frame.
        init_box_xywh: that box, px, ``(4,)``; None is the true one.
        folder: where the result goes, and where it is looked for first; None keeps no files.
    """

    sequence: AnnotatedSequence
    init_box_xywh: FloatArray | None = None
    folder: Path | None = None

    def finished(self) -> SequenceRun | None:
        """The run, where its files are complete."""
        if self.folder is None:
            return None
        return finished_run(self.folder, self.sequence.name, len(self.sequence))


class Executor(Protocol):
    """Where runs are made."""

    def run(self, planned: Sequence[PlannedRun]) -> Iterator[tuple[int, SequenceRun]]:
        """Make all runs and write their files.

        Yields:
            Each run as it ends, with its index in the plan.
        """


@dataclass(frozen=True)
class InPlace:
    """One run after the other in this process.

    Attributes:
        make_tracker: makes a fresh tracker for each.
        on_frame: called after every frame, for a progress bar.
    """

    make_tracker: MakeTracker
    on_frame: OnFrame = lambda: None

    def run(self, planned: Sequence[PlannedRun]) -> Iterator[tuple[int, SequenceRun]]:
        """See :class:`Executor`."""
        for index, one in enumerate(planned):
            yield index, _make(one, self.make_tracker, self.on_frame)


@dataclass(frozen=True)
class ProcessPool:
    """Several processes, the longest sequences first.

    Attributes:
        open_tracker: called once a process with its device; must be picklable.
        devices: such as ``cpu`` or ``cuda:1``; processes take them in turn.
        jobs: number of processes.
        on_frame: called for every frame when its run has ended.
    """

    open_tracker: Callable[[str], MakeTracker]
    devices: Sequence[str]
    jobs: int
    on_frame: OnFrame = lambda: None

    def run(self, planned: Sequence[PlannedRun]) -> Iterator[tuple[int, SequenceRun]]:
        """See :class:`Executor`.

        Raises:
            BackendError: a process died.
        """
        context = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork
        devices: SimpleQueue[str] = context.SimpleQueue()
        for number in range(self.jobs):
            devices.put(self.devices[number % len(self.devices)])
        setup = (self.open_tracker, devices)
        pool = ProcessPoolExecutor(min(self.jobs, len(planned)), context, _start, setup)
        try:
            order = sorted(range(len(planned)), key=lambda k: -len(planned[k].sequence))
            futures = {pool.submit(_make_in_worker, planned[k]): k for k in order}
            for future in as_completed(futures):
                run = future.result()
                for _ in range(len(run.boxes_xywh)):
                    self.on_frame()
                yield futures[future], run
        except BrokenProcessPool as error:
            raise BackendError(
                "a process ended before its sequence did (out of memory?); what is finished is "
                "kept: start the command again, with fewer --jobs"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def plan(
    sequences: Sequence[AnnotatedSequence], folder: Path | None = None, perturbed: int = 0
) -> list[PlannedRun]:
    """Every sequence from its true first box, and so many times from one that is a little off.

    Args:
        sequences: what to track.
        folder: where results go; those of perturbed boxes go to ``perturbed_0`` and so on below.
        perturbed: number of perturbed boxes a sequence.
    """
    planned = []
    for sequence in sequences:
        planned.append(PlannedRun(sequence, None, folder))
        for seed in range(perturbed):
            below = None if folder is None else folder / f"perturbed_{seed}"
            box = perturb_box(sequence.boxes_xywh[0], seed)
            planned.append(PlannedRun(sequence, box, below))
    return planned


def run_all(planned: Sequence[PlannedRun], executor: Executor) -> list[SequenceRun]:
    """Make the runs that are not finished.

    Args:
        planned: what to run.
        executor: where.

    Returns:
        All runs in the order of the plan, those included that were finished before.

    Raises:
        LiteTrackError: as the tracker and the sequences; results that are finished stay.
    """
    runs = {k: run for k, one in enumerate(planned) if (run := one.finished()) is not None}
    left = [k for k in range(len(planned)) if k not in runs]
    if left:
        for index, run in executor.run([planned[k] for k in left]):
            runs[left[index]] = run
    return [runs[k] for k in range(len(planned))]


def run_sequence(
    sequence: AnnotatedSequence,
    tracker: OneTargetTracker,
    init_box_xywh: FloatArray | None = None,
    on_frame: OnFrame = lambda: None,
) -> SequenceRun:
    """Track a sequence once from its first box, or from another box in its first frame.

    Args:
        sequence: frames and ground truth.
        tracker: a fresh one.
        init_box_xywh: what the tracker starts from in place of the true box, px, ``(4,)``.
        on_frame: called after every frame, for a progress bar.

    Raises:
        MediaError: a frame cannot be read.
        DatasetError: fewer frames than boxes.
        BoxError: no track can start from the first box.
    """
    init_box = sequence.boxes_xywh[0] if init_box_xywh is None else init_box_xywh
    results: list[TrackResult] = []
    scores: list[tuple[float, float]] = []
    call_s: list[float] = []
    for step in follow(tracker, (frame.image for frame in sequence.frames()), init_box):
        gave_up_before = bool(results) and results[-1].state is State.IDLE
        said = (step.result.score, step.result.candidate_score)
        scores.append((float("nan"), float("nan")) if gave_up_before else said)
        results.append(step.result)
        call_s.append(step.call_s)
        on_frame()
    return SequenceRun(
        sequence.name,
        np.array([result.box_xywh for result in results]),
        np.array([score for score, _ in scores]),
        np.array([result.candidate_box_xywh for result in results]),
        np.array([candidate_score for _, candidate_score in scores]),
        np.array([int(result.state) for result in results]),
        np.array(call_s),
    )


def perturb_box(box_xywh: FloatArray, seed: int) -> FloatArray:
    """A box as a person or a detector draws it, a few per cent off, xywh ``(4,)``.

    Centre and sides are off by up to :data:`PERTURBATION` of its sides.

    Args:
        box_xywh: the true box.
        seed: which of them; the same seed gives the same error in units of the sides.
    """
    shift_x, shift_y, grow_x, grow_y = np.random.default_rng(seed).uniform(
        -PERTURBATION, PERTURBATION, 4
    )
    x, y, w, h = box_xywh
    width, height = w * (1.0 + grow_x), h * (1.0 + grow_y)
    center_x, center_y = x + w * (0.5 + shift_x), y + h * (0.5 + shift_y)
    return np.array([center_x - 0.5 * width, center_y - 0.5 * height, width, height])


def _make(planned: PlannedRun, make_tracker: MakeTracker, on_frame: OnFrame) -> SequenceRun:
    run = run_sequence(planned.sequence, make_tracker(), planned.init_box_xywh, on_frame)
    if planned.folder is not None:
        make_folder(planned.folder)
        write_run(planned.folder, run)
    return run


class _Worker:
    """What a worker process keeps: how to open its tracker, then the tracker's maker."""

    open: Callable[[], MakeTracker]
    make_tracker: MakeTracker | None = None


def _start(open_tracker: Callable[[str], MakeTracker], devices: "SimpleQueue[str]") -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches every process: end without noise
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        end_with(parent.pid)
    _Worker.open = partial(open_tracker, devices.get())


def _make_in_worker(planned: PlannedRun) -> SequenceRun:
    if _Worker.make_tracker is None:  # not when the process starts, which could not say what failed
        _Worker.make_tracker = staticmethod(_Worker.open())
    return _make(planned, _Worker.make_tracker, lambda: None)
