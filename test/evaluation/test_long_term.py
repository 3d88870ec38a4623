"""Each long-term figure against a plain computation from its definition, frame by frame."""

import dataclasses
import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from made_long_runs import made_run
from scored_sequences import made_results

from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.long_term import (
    FIGURES,
    LongTermRun,
    largest_geometric_mean,
    long_term_run,
)
from litetrack_ros.evaluation.long_term_report import LongTermReport, measure_long_term
from litetrack_ros.evaluation.results import boxes_only
from litetrack_ros.geometry import overlap

NAN = math.nan
CASES: dict[str, list[LongTermRun]] = {
    "ordinary": [
        made_run("Tx T8 T- T- L- L2 T6 T1 L7", [1, 0.9, 0.5, 0.4, 0.2, 0.3, 0.7, 0.6, 0.35]),
        made_run("Tx T9 T3 T9 L- T-", [1, 0.8, 0.5, 0.5, 0.1, 0.5], name="b"),
    ],
    "all absent": [made_run("Tx T- L- T- T- T- T- T- L-", [1, *[0.5, 0.4] * 4])],
    "all lost": [made_run("Tx L8 L2 L- L5", [1, 0.1, 0.2, 0.1, 0.3])],
    "no absence": [made_run("Tx T8 T4 T0 L3", [1, 0.9, 0.5, 0.5, 0.2])],
    "single frame": [made_run("Tx", [1])],
    "single frame beside another": [made_run("Tx", [1]), made_run("Tx T6 T-", [1, 0.7, 0.6])],
    "no score": [made_run("Tx T7 L- T2 T1" + 7 * " L-"), made_run("Tx T9", name="b")],
    "some scores": [made_run("Tx T7 L- T2 L6", [1, 0.5, NAN, 0.4, NAN])],
    "long absences": [
        made_run(
            "Tx T9 L- L- T- T- L- T- T- L- L8 T8 T- L0 L- T6 T9", stateless="x9--------88-8-69"
        ),
        made_run("Tx T- T8", stateless="x-8", name="b"),
    ],
    "made": [
        LongTermRun(
            str(k),
            np.where((one["truth"][:, 2:] > 0).all(axis=1)[:, None], one["truth"], np.nan),
            one["result"],
            np.arange(len(one["truth"])) % 5 != 3,
            scores := np.random.default_rng(k).uniform(size=len(one["truth"])).round(2),
            one["result"] + 3.0,
            scores / 2,
            one["result"] + 1.0,
        )
        for k, one in enumerate(made_results())
    ],
}  # fmt: skip


class Frame:
    """One frame in plain numbers."""

    def __init__(self, run: LongTermRun, k: int) -> None:
        self.present = not np.isnan(run.truth_xywh[k]).any()
        self.overlap = self._of(run.boxes_xywh, run, k)
        self.candidate = self._of(run.candidate_boxes_xywh, run, k)
        self.tracking, self.score = bool(run.tracking[k]), float(run.scores[k])
        self.candidate_score = float(run.candidate_scores[k])
        self.absent_for = 0
        while not self.present and np.isnan(run.truth_xywh[k - self.absent_for]).any():
            self.absent_for += 1
        self.false_lost = NAN
        if run.stateless_boxes_xywh is not None:
            held = list(run.boxes_xywh[k]) == list(run.boxes_xywh[k - 1])
            held = held and list(run.boxes_xywh[k]) != list(run.candidate_boxes_xywh[k])
            right = self._of(run.stateless_boxes_xywh, run, k) >= 0.5
            self.false_lost = float((not self.tracking or held) and right)

    def _of(self, boxes: np.ndarray, run: LongTermRun, k: int) -> float:
        return float(overlap(boxes[k], run.truth_xywh[k])) if self.present else 0.0


def frames_of(run: LongTermRun) -> list[Frame]:
    return [Frame(run, k) for k in range(1, len(run.truth_xywh))]


def share(part: Callable[[Frame], float], whole: Callable[[Frame], bool]) -> Callable:
    def figure(runs: list[LongTermRun]) -> float:
        chosen = [f for run in runs for f in frames_of(run) if whole(f)]
        return sum(part(f) for f in chosen) / len(chosen) if chosen else NAN

    return figure


def vot(runs: list[LongTermRun], reported: Callable[[Frame], bool]) -> tuple[float, float, float]:
    precisions, recalls = [], []
    for frames in filter(None, map(frames_of, runs)):
        overlaps = [f.overlap for f in frames if reported(f)]
        visible = sum(f.present for f in frames)
        precisions.append(sum(overlaps) / len(overlaps) if overlaps else 1.0)
        if visible:
            recalls.append(sum(overlaps) / visible)
    if not recalls:
        return (float(np.mean(precisions)) if precisions else NAN), NAN, NAN
    p, r = float(np.mean(precisions)), float(np.mean(recalls))
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


def best_f(runs: list[LongTermRun]) -> float:
    known = {f.score for run in runs for f in frames_of(run) if not math.isnan(f.score)}
    found = [vot(runs, lambda f, t=t: f.score >= t)[2] for t in known]
    return max(found, default=NAN)


def times(runs: list[LongTermRun]) -> list[float]:
    found = []
    for run in runs:
        frames = [Frame(run, 0), *frames_of(run)]
        for k in range(1, len(frames)):
            if frames[k].present and not frames[k - 1].present:
                later = k
                while later < len(frames) and frames[later].present:
                    if frames[later].tracking and frames[later].overlap >= 0.5:
                        found.append(float(later - k))
                        break
                    later += 1
                else:
                    found.append(math.inf)
    return found


def area(runs: list[LongTermRun], score: str, quality: str, clear: bool = False) -> float:
    frames = [f for run in runs for f in frames_of(run) if not math.isnan(getattr(f, score))]
    if clear:
        frames = [f for f in frames if not 0.2 <= getattr(f, quality) < 0.5]
    right = [getattr(f, score) for f in frames if getattr(f, quality) >= 0.5]
    other = [getattr(f, score) for f in frames if getattr(f, quality) < 0.5]
    wins = [(a > b) + 0.5 * (a == b) for a in right for b in other]
    return sum(wins) / len(wins) if wins else NAN


def weighted(runs: list[LongTermRun]) -> list[tuple[float, float, float]]:
    """Score, what came true, and weight of every frame with a score, sequences of equal weight."""
    known = [[f for f in frames_of(run) if not math.isnan(f.score)] for run in runs]
    known = [frames for frames in known if frames]
    return [
        (f.score, float(f.overlap >= 0.5), 1.0 / len(frames) / len(known))
        for frames in known
        for f in frames
    ]


def calibration_error(runs: list[LongTermRun]) -> float:
    rows = weighted(runs)
    bins: dict[int, list[tuple[float, float, float]]] = {}
    for row in rows:
        below = sum(w for s, _, w in rows if s < row[0])
        equal = sum(w for s, _, w in rows if s == row[0])
        # Rounding keeps the plain sums on the side of the border where exact ones lie.
        bins.setdefault(min(int(round(10 * (below + equal / 2), 9)), 9), []).append(row)
    error = sum(
        abs(sum(w * s for s, _, w in b) - sum(w * y for _, y, w in b)) for b in bins.values()
    )
    return error if rows else NAN


def brier(runs: list[LongTermRun], constant: bool = False) -> float:
    rows = weighted(runs)
    base = sum(w * y for _, y, w in rows)
    return sum(w * ((base if constant else s) - y) ** 2 for s, y, w in rows) if rows else NAN


def median(values: list[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2] if values else NAN


def mean_overlap(runs: list[LongTermRun]) -> float:
    each = [share(lambda f: f.overlap, lambda f: f.present)([run]) for run in runs]
    each = [value for value in each if not math.isnan(value)]
    return float(np.mean(each)) if each else NAN


def max_gm(runs: list[LongTermRun]) -> float:
    tpr, tnr = DEFINITIONS["tpr"](runs), DEFINITIONS["tnr"](runs)
    withheld = np.linspace(0, 1, 200_001)
    return float(np.sqrt((1 - withheld) * tpr * ((1 - withheld) * tnr + withheld)).max())


def wrong(f: Frame) -> bool:
    return f.present and f.overlap < 0.2


def near(f: Frame) -> bool:
    return f.present and 0.2 <= f.overlap < 0.5


def tracking(f: Frame) -> bool:
    return f.tracking


RATE_HZ = 2.0
DEFINITIONS: dict[str, Callable[[list[LongTermRun]], float]] = {
    "ao": mean_overlap,
    "precision": lambda runs: vot(runs, tracking)[0],
    "recall": lambda runs: vot(runs, tracking)[1],
    "f": lambda runs: vot(runs, tracking)[2],
    "best_f": best_f,
    "tpr": share(lambda f: f.tracking and f.overlap >= 0.5, lambda f: f.present),
    "tnr": share(lambda f: not f.tracking, lambda f: not f.present),
    "max_gm": max_gm,
    "tracking_right": share(lambda f: f.overlap >= 0.5, tracking),
    "tracking_near": share(near, tracking),
    "tracking_wrong": share(wrong, tracking),
    "near_tracking": share(tracking, near),
    "wrong_tracking": share(tracking, wrong),
    "absent_tracking": share(tracking, lambda f: f.absent_for >= 6),
    "false_lost": share(lambda f: f.false_lost, lambda f: f.present),
    "found_within_1s": lambda runs: (
        float(np.mean([t <= RATE_HZ for t in times(runs)])) if times(runs) else NAN
    ),
    "median_frames_to_find": lambda runs: median(times(runs)),
    "roc_area": lambda runs: area(runs, "score", "overlap"),
    "candidate_roc_area": lambda runs: area(runs, "candidate_score", "candidate"),
    "candidate_roc_area_clear": lambda runs: area(runs, "candidate_score", "candidate", True),
    "calibration_error": calibration_error,
    "brier": brier,
    "brier_constant": lambda runs: brier(runs, constant=True),
}


@cache
def report_of(case: str) -> LongTermReport:
    return measure_long_term(CASES[case], RATE_HZ, resamples=2)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("figure", DEFINITIONS)
def test_a_figure_is_its_definition(figure: str, case: str) -> None:
    runs, report = CASES[case], report_of(case)
    wanted = DEFINITIONS[figure](runs)
    assert report.pooled[figure].value == pytest.approx(wanted, nan_ok=True, abs=1e-9)
    for k, run in enumerate(runs):
        alone = DEFINITIONS[figure]([run])
        if figure == "best_f":  # a sequence is scored at every sequence's thresholds
            assert np.isnan(alone) or report.per_sequence[figure][k] >= alone - 1e-9
        else:
            found = report.per_sequence[figure][k]
            assert found == pytest.approx(alone, nan_ok=True, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_the_best_threshold_gives_the_best_f(case: str) -> None:
    runs, pooled = CASES[case], report_of(case).pooled
    threshold = pooled["best_threshold"].value
    names = ("best_precision", "best_recall", "best_f")
    if math.isnan(pooled["best_f"].value):
        assert all(math.isnan(pooled[name].value) for name in (*names, "best_threshold"))
        return
    wanted = vot(runs, lambda f: f.score >= threshold)
    assert [pooled[name].value for name in names] == pytest.approx(list(wanted))


@pytest.mark.parametrize("case", CASES)
def test_shares_of_tracking_frames_leave_the_absent_ones(case: str) -> None:
    pooled = report_of(case).pooled
    frames = [f for run in CASES[case] for f in frames_of(run) if f.tracking]
    names = ("tracking_right", "tracking_near", "tracking_wrong")
    if frames:
        absent = sum(not f.present for f in frames) / len(frames)
        assert sum(pooled[name].value for name in names) == pytest.approx(1 - absent)
        assert pooled["tracking_right"].frames == len(frames)


@pytest.mark.parametrize(
    ("tpr", "tnr", "wanted"),
    [
        (1.0, 1.0, 1.0),
        (0.0, 1.0, 0.0),
        (1.0, 0.0, 0.5),  # a report in half of the frames: the best of one that always reports
        (0.64, 0.0, 0.4),
        (0.5, 0.5, 0.5),
        (0.81, 1.0, 0.9),
        (NAN, 0.5, NAN),
        (0.5, NAN, NAN),
    ],
)
def test_largest_geometric_mean(tpr: float, tnr: float, wanted: float) -> None:
    assert largest_geometric_mean(tpr, tnr) == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize(
    ("frames", "stateless", "wanted"),
    [
        ("Tx L8 L8 T8", "x888", 2 / 3),
        ("Tx L8 L8 T8", "x282", 1 / 3),
        ("Tx T8 T- L-", "x8--", 0.0),
        ("Tx T8", None, NAN),
    ],
)
def test_false_lost(frames: str, stateless: str | None, wanted: float) -> None:
    pooled = measure_long_term([made_run(frames, stateless=stateless)], resamples=2).pooled
    assert pooled["false_lost"].value == pytest.approx(wanted, nan_ok=True)


def test_a_box_held_while_tracking_counts_as_lost() -> None:
    run = made_run("Tx T8 T8 T8", stateless="x888")
    moved = run.candidate_boxes_xywh + np.array([[0.0], [0.0], [5.0], [0.0]])
    run = LongTermRun(**{**vars(run), "candidate_boxes_xywh": moved})
    pooled = measure_long_term([run], resamples=2).pooled
    assert pooled["false_lost"].value == pytest.approx(1 / 3)


def test_bins_of_equal_mass_keep_ties_together() -> None:
    run = made_run("Tx" + " T9 T1" * 50, [1, *[0.2, 0.8] * 50])
    bins = measure_long_term([run], resamples=2).reliability
    assert bins is not None
    np.testing.assert_allclose(bins.mean_score, [0.2, 0.8])
    np.testing.assert_allclose(bins.share_right, [1.0, 0.0])
    np.testing.assert_allclose(bins.mass, [0.5, 0.5])
    assert bins.error == pytest.approx(0.8) and bins.brier == pytest.approx(0.64)
    scores = np.arange(100) / 100
    bins = measure_long_term([made_run("Tx" + " T9" * 100, [1, *scores])], resamples=2).reliability
    assert bins is not None
    np.testing.assert_allclose(bins.mass, np.full(10, 0.1))


def test_intervals_are_over_sequences() -> None:
    good, bad = made_run("Tx T9 T9", name="good"), made_run("Tx T1 T1", name="bad")
    estimate = measure_long_term([good, bad] * 10).pooled["tpr"]
    assert estimate.value == 0.5 and 0.2 < estimate.low < 0.4 and 0.6 < estimate.high < 0.8
    assert measure_long_term([good, bad] * 10).pooled["tpr"] == estimate
    same = measure_long_term([good] * 3).pooled["tpr"]
    assert (same.low, same.high) == (1.0, 1.0)
    assert np.isnan(measure_long_term([good]).pooled["tpr"].low)


def test_a_tracker_without_scores_gets_what_needs_none() -> None:
    report = measure_long_term(CASES["no score"], resamples=20)
    lacking = {key for key, estimate in report.pooled.items() if math.isnan(estimate.value)}
    assert lacking == {
        "best_precision", "best_recall", "best_f", "best_threshold", "false_lost", "roc_area",
        "candidate_roc_area", "candidate_roc_area_clear", "calibration_error", "brier",
        "brier_constant", "brier_gain",
    }  # fmt: skip
    assert report.reliability is None


def test_tables_and_json_hold_no_nan() -> None:
    for runs in CASES.values():
        report = measure_long_term(runs, resamples=5)
        text = json.dumps(report.as_json(), allow_nan=False)
        assert list(json.loads(text)["pooled"]) == list(FIGURES)
        for header, rows in (report.table(), report.sequence_table()):
            assert all(len(row) == len(header) for row in rows)
            assert not any("nan" in cell or "inf" in cell for row in rows for cell in row[1:])


def test_hidden_frames_of_a_benchmark_are_absent() -> None:
    truth = np.array([[1.0, 2, 3, 4], [1, 2, 3, 4], [0, 0, 0, 0], [1, 2, 3, 4], [NAN] * 4])
    visible = np.array([True, True, True, False, True])
    sequence = AnnotatedSequence("a", Path(), truth, visible)
    run = long_term_run(sequence, boxes_only("a", truth))
    np.testing.assert_array_equal(np.isnan(run.truth_xywh[:, 0]), [0, 0, 1, 1, 1])
    assert run.tracking.all() and np.isnan(run.scores).all() and run.stateless_boxes_xywh is None
    scores = np.linspace(0, 1, 5), np.linspace(1, 0, 5)
    scored = dataclasses.replace(
        boxes_only("a", truth), scores=scores[0], candidate_scores=scores[1]
    )
    both = long_term_run(sequence, scored)
    np.testing.assert_array_equal([both.scores, both.candidate_scores], scores)
    with pytest.raises(DatasetError, match="a: 3 boxes_xywh for 5 frames"):
        long_term_run(sequence, boxes_only("a", truth[:3]))
    with pytest.raises(DatasetError, match="no run"):
        measure_long_term([])
