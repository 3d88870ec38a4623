"""The one-pass protocol: initialised in the first frame, never reset; finished runs are kept.

:func:`run_all` does what is left of a plan, and writes it. An executor says where it is done.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.evaluation.executors import Executor, OnFrame
from litetrack_ros.evaluation.results import SequenceRun, finished_run, write_run
from litetrack_ros.files import make_folder
from litetrack_ros.geometry import FloatArray
from litetrack_ros.tracker.following import OneTargetTracker, follow
from litetrack_ros.tracker.result import TrackResult
from litetrack_ros.tracker.state import State

PERTURBATION = 0.05  # of the box's sides
STATELESS = "stateless"  # folder of the runs without the state machine, in that of the results

MakeTracker = Callable[[], OneTargetTracker]


@dataclass(frozen=True)
class PlannedRun:
    """A run to make; a :class:`litetrack_ros.evaluation.executors.Job`.

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

    @property
    def name(self) -> str:
        """The sequence's."""
        return self.sequence.name

    @property
    def frames(self) -> int:
        """The sequence's."""
        return len(self.sequence)

    def files(self) -> dict[str, bytes]:
        """The sequence's frames; see :meth:`AnnotatedSequence.files`."""
        return self.sequence.files()

    def in_folder(self, folder: Path) -> "PlannedRun":
        """The same run, the sequence's files in another folder."""
        return dataclasses.replace(self, sequence=self.sequence.in_folder(folder))

    def do(self, make_tracker: MakeTracker, on_frame: OnFrame) -> SequenceRun:
        """Track the sequence with a fresh tracker; see :func:`run_sequence`."""
        return run_sequence(self.sequence, make_tracker(), self.init_box_xywh, on_frame)

    def keep(self, run: SequenceRun) -> None:
        """Write what was found, where there is a folder for it.

        Raises:
            MediaError: it cannot be written.
        """
        if self.folder is not None:
            make_folder(self.folder)
            write_run(self.folder, run)


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


def run_all(planned: Sequence[PlannedRun], executor: Executor[MakeTracker]) -> list[SequenceRun]:
    """Make the runs that are not finished, and write each as it ends.

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
            planned[left[index]].keep(run)
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
