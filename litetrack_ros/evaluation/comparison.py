"""What trackers reached on sequences: tables, figures for JSON, curves and paired intervals.

:class:`Comparison` holds one tracker (``litetrack evaluate``) or several (``litetrack compare``),
scored by the same function.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.benchmarks import BENCHMARKS
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.bootstrap import PairedDifference, holm, paired_bootstrap
from litetrack_ros.evaluation.conventions import CONVENTIONS, ScoredSequence, Scores, score
from litetrack_ros.evaluation.results import SequenceRun, read_repetitions, read_run
from litetrack_ros.evaluation.runner import PERTURBATION
from litetrack_ros.geometry import FloatArray
from litetrack_ros.resources import config_path
from litetrack_ros.settings import read_yaml

_X_LABELS = {
    "Success": "overlap threshold",
    "Precision": "centre error, px",
    "Normalised precision": "centre error over target size",
}


@dataclass(frozen=True)
class Curve:
    """A plot's lines.

    Attributes:
        title, x_label: what it shows.
        x: thresholds, ``(K,)``.
        lines: per cent of frames by tracker, ``(K,)`` each.
    """

    title: str
    x_label: str
    x: FloatArray
    lines: dict[str, FloatArray]


@dataclass(frozen=True)
class Comparison:
    """What one or several trackers reached on the same sequences.

    Attributes:
        benchmark: name of the sequences' set.
        convention: what scored them, a key of
            :data:`litetrack_ros.evaluation.conventions.CONVENTIONS`.
        sequences: in the order of the scores' rows.
        scores: by tracker.
        runs: of each tracker, by sequence; the first where a sequence was run several times.
    """

    benchmark: str
    convention: str
    sequences: Sequence[AnnotatedSequence]
    scores: dict[str, Scores]
    runs: dict[str, dict[str, SequenceRun]]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the figures; the first is the main one."""
        return CONVENTIONS[self.convention].columns

    @property
    def figures(self) -> dict[str, tuple[float, ...]]:
        """Per cent by tracker, in the order of :attr:`columns`."""
        return {
            name: tuple(100 * value for value in scores.overall.values())
            for name, scores in self.scores.items()
        }

    @property
    def per_sequence(self) -> dict[str, FloatArray]:
        """The main figure by tracker, per cent, ``(S,)``; NaN where nothing was scored."""
        return {name: 100 * scores.figures[:, 0] for name, scores in self.scores.items()}

    @property
    def curves(self) -> list[Curve]:
        """The convention's plots."""
        found = []
        for title, x in CONVENTIONS[self.convention].curves.items():
            lines = {name: 100 * scores.curves[title] for name, scores in self.scores.items()}
            found.append(Curve(title, _X_LABELS[title], x, lines))
        return found

    @property
    def attributes(self) -> dict[str, dict[str, float]]:
        """The main figure by attribute and tracker, mean over the sequences tagged with it."""
        tags = [sequence.attributes for sequence in self.sequences]
        found = {}
        for tag in sorted({tag for of_sequence in tags for tag in of_sequence}):
            tagged = np.array([tag in of_sequence for of_sequence in tags])
            found[tag] = {n: float(np.nanmean(v[tagged])) for n, v in self.per_sequence.items()}
        return found

    @property
    def fps(self) -> dict[str, float]:
        """Updates a second by tracker, where times are known."""
        found = {}
        for name, runs in self.runs.items():
            timed = [run for run in runs.values() if run.update_s > 0]
            if timed:
                updates = sum(len(run.call_s) - 1 for run in timed)
                found[name] = updates / sum(run.update_s for run in timed)
        return found

    def differences(self) -> list[tuple[str, str, PairedDifference]]:
        """The first tracker against each other one in the main figure, per cent.

        The intervals are of the very figures that the table prints; ``p_holm`` counts them all.
        """
        first, *others = self.per_sequence
        of = [(self.per_sequence[name], self.scores[name].weights) for name in (first, *others)]
        (a, weights), *rest = of
        found = holm([paired_bootstrap(a, b, weights, others_) for b, others_ in rest])
        return [(first, other, difference) for other, difference in zip(others, found, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """All trackers' figures, per cent; a value without a frame behind it is null."""
        return {
            "benchmark": self.benchmark,
            "convention": self.convention,
            "columns": list(self.columns),
            "trackers": {
                name: dict(zip(self.columns, map(_number, values), strict=True))
                for name, values in self.figures.items()
            },
            "fps": self.fps,
            "attributes": self.attributes,
            "per_sequence": {
                name: {
                    sequence.name: _number(float(value))
                    for sequence, value in zip(self.sequences, values, strict=True)
                }
                for name, values in self.per_sequence.items()
            },
            "differences": [
                [a, b, {key: _number(value) for key, value in d._asdict().items()}]
                for a, b, d in self.differences()
            ],
        }

    def sequence_table(self, tracker: str) -> tuple[list[str], list[list[str]]]:
        """Titles, and a row for every sequence of a tracker and for both means, in [0, 1]."""
        scores, runs, fps = self.scores[tracker], self.runs[tracker], self.fps.get(tracker)
        rows = [
            [sequence.name, str(frames), *_cells(figures), f"{runs[sequence.name].fps:.1f}"]
            for sequence, frames, figures in zip(
                self.sequences, scores.frames, scores.figures, strict=True
            )
        ]
        total, rate = str(scores.frames.sum()), f"{math.nan if fps is None else fps:.1f}"
        rows.append(["mean over sequences", total, *_cells(scores.over_sequences), rate])
        rows.append(["mean over frames", total, *_cells(scores.over_frames), rate])
        return ["sequence", "frames scored", *self.columns, "fps"], rows

    def sequence_figures(self, tracker: str) -> dict[str, Any]:
        """A tracker's figures for JSON, in [0, 1]; a value without a frame behind it is null."""
        scores, runs = self.scores[tracker], self.runs[tracker]
        return {
            "protocol": f"one pass; {CONVENTIONS[self.convention].about}",
            "convention": self.convention,
            "sequences": [
                {
                    "name": sequence.name,
                    "frames_scored": int(frames),
                    **self._named(figures),
                    "update_fps": _number(runs[sequence.name].fps),
                }
                for sequence, frames, figures in zip(
                    self.sequences, scores.frames, scores.figures, strict=True
                )
            ],
            "mean_over_sequences": self._named(scores.over_sequences),
            "mean_over_frames": self._named(scores.over_frames),
            "frames_scored": int(scores.frames.sum()),
            "update_fps": self.fps.get(tracker),
        }

    def _named(self, figures: FloatArray) -> dict[str, float | None]:
        return {
            column.lower(): _number(float(value))
            for column, value in zip(self.columns, figures, strict=True)
        }


@dataclass(frozen=True)
class PerturbedScores:
    """The main figure of runs that started from perturbed boxes.

    Attributes:
        column: the figure's name.
        names: of the sequences.
        values: of every sequence and perturbed box, ``(S, N)``, in [0, 1].
    """

    column: str
    names: Sequence[str]
    values: FloatArray

    @property
    def over_sequences(self) -> FloatArray:
        """Mean over the sequences, of each perturbed box, ``(N,)``."""
        return np.asarray(np.nanmean(self.values, axis=0), dtype=np.float64)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Titles, and a row for every sequence and for their mean."""
        rows = zip(
            [*self.names, "mean over sequences"], [*self.values, self.over_sequences], strict=True
        )
        return ["sequence", f"{self.column}, mean", "lowest", "highest"], [
            [name, *_cells((values.mean(), values.min(), values.max()))] for name, values in rows
        ]

    def figures(self) -> dict[str, Any]:
        """For JSON: the figure of every run; a value without a frame behind it is null."""
        return {
            "amount": PERTURBATION,
            "sequences": [
                {"name": name, self.column.lower(): [_number(v) for v in values.tolist()]}
                for name, values in zip(self.names, self.values, strict=True)
            ],
            "mean_over_sequences": [_number(v) for v in self.over_sequences.tolist()],
        }


def compare(
    benchmark: str,
    convention: str,
    sequences: Sequence[AnnotatedSequence],
    trackers: Mapping[str, Sequence[SequenceRun]],
) -> Comparison:
    """Score runs of one or more trackers.

    Args:
        benchmark: name of the sequences' set, for reports.
        convention: a key of :data:`litetrack_ros.evaluation.conventions.CONVENTIONS`.
        sequences: what was tracked.
        trackers: runs by the trackers' names; several on one sequence are repetitions, whose
            frames are pooled.

    Raises:
        DatasetError: a run is missing, or does not fit its sequence.
    """
    scores, first_runs = {}, {}
    sizes = _sizes(convention, sequences)
    for name, runs in trackers.items():
        by_sequence: dict[str, list[SequenceRun]] = {}
        for run in runs:
            by_sequence.setdefault(run.name, []).append(run)
        missing = [s.name for s in sequences if s.name not in by_sequence]
        if missing:
            raise DatasetError(f"{name} has no result for the sequence {missing[0]}")
        scored = [
            _scored(sequence, run, sizes)
            for sequence in sequences
            for run in by_sequence[sequence.name]
        ]
        scores[name] = score(convention, scored)
        first_runs[name] = {sequence: found[0] for sequence, found in by_sequence.items()}
    return Comparison(benchmark, convention, list(sequences), scores, first_runs)


def compare_results(
    benchmark: str,
    sequences: Sequence[AnnotatedSequence],
    folders: Mapping[str, Path],
    convention: str | None = None,
) -> Comparison:
    """Score result files of one or more trackers on a benchmark.

    Args:
        benchmark: a key of :data:`litetrack_ros.datasets.benchmarks.BENCHMARKS`.
        sequences: all its sequences.
        folders: of result files, by the trackers' names.
        convention: another than the benchmark's own.

    Raises:
        DatasetError: only a server can score it, or results are missing or do not fit.
    """
    chosen = convention or scoring_of(benchmark)
    # GOT-10k's toolkit pools repetitions; the others read one result.
    read = read_repetitions if CONVENTIONS[chosen].pools_frames else _read_one
    trackers = {
        name: [run for sequence in sequences for run in read(folder, sequence.name)]
        for name, folder in folders.items()
    }
    return compare(benchmark, chosen, sequences, trackers)


def score_perturbed(
    convention: str,
    sequences: Sequence[AnnotatedSequence],
    runs: Mapping[str, Sequence[SequenceRun]],
) -> PerturbedScores:
    """Score runs that started from perturbed boxes.

    Args:
        convention: as for :func:`compare`.
        sequences: what was tracked.
        runs: by the sequences' names, as many of each.
    """
    sizes = _sizes(convention, sequences)
    count = len(runs[sequences[0].name])
    values = [
        score(convention, [_scored(s, runs[s.name][k], sizes) for s in sequences])
        for k in range(count)
    ]
    columns = np.stack([scores.figures[:, 0] for scores in values], axis=1)
    return PerturbedScores(CONVENTIONS[convention].columns[0], [s.name for s in sequences], columns)


def scoring_of(benchmark: str) -> str:
    """The convention that scores a benchmark.

    Raises:
        DatasetError: only a server can.
    """
    convention = BENCHMARKS[benchmark].convention
    if not convention:
        raise DatasetError(
            f"only a server can score {benchmark}: pack a file with litetrack submit"
        )
    return convention


def paper_figures(benchmark: str) -> tuple[tuple[str, ...], dict[str, tuple[float, ...]]]:
    """The paper's own figures: columns, and rows by variant; both empty where it has none."""
    for table in read_yaml(config_path("datasets/paper_results")).values():
        places = [
            (k, column.removeprefix(f"{benchmark}:"))
            for k, column in enumerate(table["columns"].split())
            if column.startswith(f"{benchmark}:")
        ]
        if not places:
            continue
        rows = {
            name.removeprefix("LiteTrack-"): tuple(float(cells.split()[k]) for k, _ in places)
            for name, cells in table["rows"].items()
            if name.startswith("LiteTrack-")
        }
        return tuple(column for _, column in places), rows
    return (), {}


def _read_one(folder: Path, name: str) -> list[SequenceRun]:
    return [read_run(folder, name)]


def _sizes(convention: str, sequences: Sequence[AnnotatedSequence]) -> dict[str, tuple[int, int]]:
    """Width and height of each sequence's frames, where the convention clips boxes to them."""
    clips = CONVENTIONS[convention].clips
    return {sequence.name: sequence.frame_size() for sequence in sequences if clips}


def _scored(
    sequence: AnnotatedSequence, run: SequenceRun, sizes: Mapping[str, tuple[int, int]]
) -> ScoredSequence:
    truth, size = sequence.boxes_xywh, sizes.get(sequence.name)
    return ScoredSequence(sequence.name, run.boxes_xywh, truth, sequence.visible, size)


def _cells(values: npt.ArrayLike) -> list[str]:
    return [f"{value:.3f}" for value in np.asarray(values).tolist()]


def _number(value: float) -> float | None:
    """A figure for JSON: None where it is not finite."""
    return value if math.isfinite(value) else None
