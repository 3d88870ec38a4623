"""Every measure against what the benchmarks' own toolkits printed for the same results.

``official_metrics.npz`` was recorded with got-10k/toolkit (956e728) and visionml/pytracking on the
sequences of ``scored_sequences``: absent targets, boxes without size, results outside the image,
and a sequence of length 1.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scored_sequences import made_results

from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.conventions import (
    PrecisionScores,
    ScoredSequence,
    got10k,
    got10k_overlaps,
    lasot,
    pytracking,
    uav123,
)

SIZE = (320, 240)


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    return dict(np.load(Path(__file__).parents[1] / "data/official_metrics.npz"))


def _sequences(with_flags: bool, nan_row: int | None = None) -> list[ScoredSequence]:
    sequences = []
    for k, made in enumerate(made_results()):
        truth = made["truth"].copy()
        if nan_row is not None and len(truth) > nan_row:
            truth[nan_row] = np.nan
        visible = made["visible"] if with_flags else None
        sequences.append(ScoredSequence(f"s{k}", made["result"], truth, visible, SIZE))
    return sequences


def test_got10k(recorded: dict[str, np.ndarray]) -> None:
    sequences = _sequences(with_flags=True)
    scores = got10k(sequences)
    for name in ("ao", "sr50", "sr75", "success"):
        wanted = recorded[f"got10k_{name}"]
        np.testing.assert_allclose(getattr(scores, name), wanted, atol=1e-6, err_msg=name)
    for sequence, wanted in zip(sequences, recorded["got10k_per_sequence"], strict=True):
        overlaps = got10k_overlaps(sequence)
        assert (overlaps.mean() if overlaps.size else np.nan) == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize(
    ("convention", "name", "with_flags", "nan_row"),
    [(pytracking, "otb", False, None), (lasot, "lasot", True, None), (uav123, "uav", False, 15)],
)
def test_auc_and_precision(
    recorded: dict[str, np.ndarray],
    convention: Callable[[list[ScoredSequence]], PrecisionScores],
    name: str,
    with_flags: bool,
    nan_row: int | None,
) -> None:
    scores = convention(_sequences(with_flags, nan_row))
    for ours, theirs in (
        ("auc", "auc"),
        ("precision", "p"),
        ("normalised_precision", "pn"),
        ("success", "success"),
        ("precision_curve", "precision"),
        ("normalised_curve", "normalised"),
    ):
        wanted = recorded[f"{name}_{theirs}"] / 100  # recorded in per cent, float32
        np.testing.assert_allclose(
            np.asarray(getattr(scores, ours)) / 100, wanted, atol=1e-6, err_msg=ours
        )
    np.testing.assert_allclose(scores.per_sequence.mean(axis=0)[0], scores.auc)


def test_conventions_differ_where_they_say_so() -> None:
    """One target frame in the middle of an absence, tracked perfectly."""
    truth = np.array([[10.0, 10, 20, 20]] * 4)
    truth[2] = 0
    boxes = np.array([[10.0, 10, 20, 20]] * 4)
    visible = np.array([True, True, False, True])
    sequence = ScoredSequence("s", boxes, truth, visible, (100, 100))
    assert got10k([sequence]).ao == pytest.approx(1.0)
    assert pytracking([sequence]).success[0] == pytest.approx(75)
    assert pytracking([sequence]).precision == pytest.approx(75)
    assert uav123([sequence]).precision == pytest.approx(100)
    assert pytracking([sequence]).normalised_precision == pytest.approx(100)
    assert lasot([sequence]).normalised_precision == pytest.approx(75)


def test_short_results_count_as_misses_and_long_ones_are_cut() -> None:
    truth = np.array([[10.0, 10, 20, 20]] * 4)
    short = ScoredSequence("s", truth[:2], truth)
    long = ScoredSequence("s", np.concatenate([truth, truth]), truth)
    assert pytracking([short]).success[0] == pytest.approx(50)
    assert pytracking([long]).success[0] == pytest.approx(100)


@pytest.mark.parametrize(
    ("convention", "sequence", "message"),
    [
        (got10k, ScoredSequence("a", np.ones((2, 4)), np.ones((2, 4))), "size of the images"),
        (got10k, ScoredSequence("a", np.ones((1, 4)), np.ones((1, 4)), None, (9, 9)), "no frame"),
        (got10k, ScoredSequence("a", np.ones((1, 4)), np.ones((2, 4)), None, (9, 9)), "1 boxes"),
        (pytracking, ScoredSequence("a", np.full((2, 4), np.nan), np.ones((2, 4))), "NaN"),
        (lasot, ScoredSequence("a", np.ones((2, 4)), np.ones((2, 4))), "no occlusion"),
    ],
)
def test_faulty_results(
    convention: Callable[[list[ScoredSequence]], object], sequence: ScoredSequence, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        convention([sequence])


@pytest.mark.parametrize("convention", [got10k, pytracking, lasot, uav123])
def test_nothing_to_score(convention: Callable[[list[ScoredSequence]], object]) -> None:
    with pytest.raises(DatasetError):
        convention([])
