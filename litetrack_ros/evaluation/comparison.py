"""Several trackers on one benchmark: tables, curves, attributes and paired intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from litetrack_ros.config import read_yaml
from litetrack_ros.datasets.benchmarks import BENCHMARKS
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation import conventions
from litetrack_ros.evaluation.bootstrap import PairedDifference, paired_bootstrap
from litetrack_ros.evaluation.conventions import PrecisionScores, ScoredSequence
from litetrack_ros.evaluation.results import read_repetitions, read_result, read_times
from litetrack_ros.geometry import FloatArray
from litetrack_ros.resources import config_path


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
    """What trackers reached on a benchmark; all figures are per cent.

    Attributes:
        benchmark: its name.
        convention: the function that computed the figures.
        columns: names of the figures; the first is the main one.
        figures: by tracker, in the order of ``columns``.
        per_sequence: the main figure by tracker, ``(S,)``; NaN where nothing was scored.
        sequences: what was scored, in that order.
        curves: success, and precision where the convention has it.
        attributes: main figure by attribute and tracker, mean over the sequences tagged with it.
        fps: updates a second by tracker, where times are known.
    """

    benchmark: str
    convention: str
    columns: tuple[str, ...]
    figures: dict[str, tuple[float, ...]]
    per_sequence: dict[str, FloatArray]
    sequences: list[AnnotatedSequence]
    curves: list[Curve]
    attributes: dict[str, dict[str, float]]
    fps: dict[str, float]

    def differences(self) -> list[tuple[str, str, PairedDifference]]:
        """Paired intervals of the first tracker against each other one."""
        first, *others = self.per_sequence
        found = []
        for other in others:
            a, b = self.per_sequence[first], self.per_sequence[other]
            both = np.isfinite(a) & np.isfinite(b)
            found.append((first, other, paired_bootstrap(a[both], b[both])))
        return found

    def as_json(self) -> dict[str, Any]:
        """All figures, for a file."""
        return {
            "benchmark": self.benchmark,
            "convention": self.convention,
            "columns": list(self.columns),
            "trackers": {
                name: dict(zip(self.columns, values, strict=True))
                for name, values in self.figures.items()
            },
            "fps": self.fps,
            "attributes": self.attributes,
            "per_sequence": {
                name: {
                    sequence.name: (float(value) if np.isfinite(value) else None)
                    for sequence, value in zip(self.sequences, values, strict=True)
                }
                for name, values in self.per_sequence.items()
            },
            "differences": [[a, b, d._asdict()] for a, b, d in self.differences()],
        }


def compare(
    benchmark: str, sequences: Sequence[AnnotatedSequence], trackers: Mapping[str, Path]
) -> Comparison:
    """Score result files of one or more trackers.

    Args:
        benchmark: a key of :data:`litetrack_ros.datasets.benchmarks.BENCHMARKS`.
        sequences: all its sequences.
        trackers: folders of result files by the trackers' names.

    Raises:
        DatasetError: only a server can score it, or results are missing or do not fit.
    """
    convention = BENCHMARKS[benchmark].convention
    if not convention:
        raise DatasetError(
            f"only a server can score {benchmark}: pack a file with litetrack submit"
        )
    if convention == "got10k":
        columns, figures, per_sequence, curves = _got10k(sequences, trackers)
    else:
        columns, figures, per_sequence, curves = _precision(sequences, trackers, convention)
    tags = sorted({tag for s in sequences for tag in s.attributes})
    attributes = {}
    for tag in tags:
        tagged = np.array([tag in s.attributes for s in sequences])
        attributes[tag] = {n: float(np.nanmean(v[tagged])) for n, v in per_sequence.items()}
    fps = {}
    for name, folder in trackers.items():
        times = [t[1:] for s in sequences if (t := read_times(folder, s.name)) is not None]
        total = sum(float(t.sum()) for t in times)
        if total > 0:
            fps[name] = sum(len(t) for t in times) / total
    return Comparison(
        benchmark,
        convention,
        columns,
        figures,
        per_sequence,
        list(sequences),
        curves,
        attributes,
        fps,
    )


def paper_figures(benchmark: str) -> tuple[tuple[str, ...], dict[str, tuple[float, ...]]]:
    """The paper's own figures: columns, and rows by variant; both empty where it has none."""
    table = dict(read_yaml(config_path("datasets/paper_results")).get(benchmark, {}))
    columns = tuple(str(table.pop("columns", "")).split())
    return columns, {str(k): tuple(float(v) for v in str(row).split()) for k, row in table.items()}


_Scores = tuple[tuple[str, ...], dict[str, tuple[float, ...]], dict[str, FloatArray], list[Curve]]


def _got10k(sequences: Sequence[AnnotatedSequence], trackers: Mapping[str, Path]) -> _Scores:
    figures: dict[str, tuple[float, ...]] = {}
    per_sequence: dict[str, FloatArray] = {}
    lines: dict[str, FloatArray] = {}
    sizes = [s.frame_size() for s in sequences]
    for name, folder in trackers.items():
        runs = [
            [
                ScoredSequence(s.name, boxes, np.nan_to_num(s.boxes_xywh, nan=0.0), s.visible, size)
                for boxes in read_repetitions(folder, s.name)  # the toolkit pools them as well
            ]
            for s, size in zip(sequences, sizes, strict=True)
        ]
        result = conventions.got10k([run for repetitions in runs for run in repetitions])
        figures[name] = (100 * result.ao, 100 * result.sr50, 100 * result.sr75)
        lines[name] = 100 * result.success
        each = [np.concatenate([conventions.got10k_overlaps(r) for r in rs]) for rs in runs]
        per_sequence[name] = np.array([100 * o.mean() if o.size else np.nan for o in each])
    success = Curve("Success", "overlap threshold", conventions.GOT10K_THRESHOLDS, lines)
    return ("AO", "SR50", "SR75"), figures, per_sequence, [success]


def _precision(
    sequences: Sequence[AnnotatedSequence], trackers: Mapping[str, Path], convention: str
) -> _Scores:
    score = getattr(conventions, convention)
    results: dict[str, PrecisionScores] = {
        name: score(
            [
                ScoredSequence(s.name, read_result(folder, s.name), s.boxes_xywh, s.visible)
                for s in sequences
            ]
        )
        for name, folder in trackers.items()
    }
    figures: dict[str, tuple[float, ...]] = {
        name: (r.auc, r.normalised_precision, r.precision, r.op50, r.op75)
        for name, r in results.items()
    }
    curves = [
        Curve(
            "Success",
            "overlap threshold",
            conventions.OVERLAP_THRESHOLDS,
            {n: r.success for n, r in results.items()},
        ),
        Curve(
            "Precision",
            "centre error, px",
            conventions.CENTER_THRESHOLDS_PX,
            {n: r.precision_curve for n, r in results.items()},
        ),
        Curve(
            "Normalised precision",
            "centre error over target size",
            conventions.NORMALISED_THRESHOLDS,
            {n: r.normalised_curve for n, r in results.items()},
        ),
    ]
    per_sequence = {n: r.per_sequence[:, 0] for n, r in results.items()}
    return ("AUC", "P_norm", "P", "OP50", "OP75"), figures, per_sequence, curves
