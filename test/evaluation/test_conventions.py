"""Every measure against what the benchmarks' own toolkits printed for the same results.

``official_metrics.npz`` was recorded with got-10k/toolkit (956e728) and visionml/pytracking on the
sequences of ``scored_sequences``: absent targets, boxes without size, results outside the image,
and a sequence of length 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scored_sequences import made_results

from litetrack_ros.errors import DatasetError
from litetrack_ros.evaluation.conventions import CONVENTIONS, ScoredSequence, score

SIZE = (320, 240)
TITLES = {  # ours, and the recorded files'
    "AUC": "auc",
    "P": "p",
    "P_norm": "pn",
    "Success": "success",
    "Precision": "precision",
    "Normalised precision": "normalised",
}


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    return dict(np.load(Path(__file__).parents[1] / "data/official_metrics.npz"))


def _sequences(
    with_flags: bool, nan_row: int | None = None, moved_px: float = 0.0
) -> list[ScoredSequence]:
    sequences = []
    for k, made in enumerate(made_results()):
        truth, result = made["truth"].copy(), made["result"].copy()
        truth[(truth[:, 2:] > 0).all(axis=1), :2] -= moved_px
        result[:, :2] -= moved_px
        if nan_row is not None and len(truth) > nan_row:
            truth[nan_row] = np.nan
        visible = made["visible"] if with_flags else None
        sequences.append(ScoredSequence(f"s{k}", result, truth, visible, SIZE))
    return sequences


def test_got10k(recorded: dict[str, np.ndarray]) -> None:
    sequences = _sequences(with_flags=True)
    scores = score("got10k", sequences)
    for name in ("ao", "sr50", "sr75"):
        wanted = recorded[f"got10k_{name}"]
        np.testing.assert_allclose(scores.overall[name.upper()], wanted, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(scores.curves["Success"], recorded["got10k_success"], atol=1e-6)
    np.testing.assert_allclose(scores.figures[:, 0], recorded["got10k_per_sequence"], rtol=1e-6)


@pytest.mark.parametrize(
    ("convention", "name", "with_flags", "nan_row"),
    [
        ("pytracking", "otb", False, None),
        ("pytracking_lasot", "lasot", True, None),
        ("pytracking_uav123", "uav", False, 15),
    ],
)
def test_auc_and_precision(
    recorded: dict[str, np.ndarray],
    convention: str,
    name: str,
    with_flags: bool,
    nan_row: int | None,
) -> None:
    scores = score(convention, _sequences(with_flags, nan_row))
    ours = {**scores.overall, **scores.curves}
    for title, theirs in TITLES.items():
        wanted = recorded[f"{name}_{theirs}"] / 100  # recorded in per cent, float32
        np.testing.assert_allclose(ours[title], wanted, atol=1e-6, err_msg=title)
    np.testing.assert_allclose(scores.figures.mean(axis=0)[0], scores.overall["AUC"])


@pytest.mark.parametrize(
    ("convention", "name", "with_flags", "nan_row"),
    [
        ("authors", "otb", False, None),
        ("authors_lasot", "lasot", True, None),
        ("authors_uav123", "uav", False, 15),
    ],
)
def test_the_authors_own_script(
    convention: str, name: str, with_flags: bool, nan_row: int | None
) -> None:
    """``authors_metrics.npz``: what the LiteTrack authors' ``extract_results.py`` gave for the same
    results, moved by 120 px so that many targets lie on the left and upper border or over it."""
    recorded = dict(np.load(Path(__file__).parents[1] / "data/authors_metrics.npz"))
    scores = score(convention, _sequences(with_flags, nan_row, moved_px=120.0))
    ours = {**scores.overall, **scores.curves}
    for title, theirs in TITLES.items():
        wanted = recorded[f"{name}_{theirs}"] / 100  # recorded in per cent, float32
        np.testing.assert_allclose(ours[title], wanted, atol=1e-6, err_msg=title)


@pytest.mark.parametrize("script", ["pytracking", "authors"])
def test_sets_with_flags_other_than_lasot(script: str) -> None:
    """``flagged_metrics.npz``: what both scripts gave for the same results under the names that
    AVisT and LaSOT's extension have there, moved as above."""
    recorded = dict(np.load(Path(__file__).parents[1] / "data/flagged_metrics.npz"))
    scores = score(f"{script}_flagged", _sequences(with_flags=True, moved_px=120.0))
    ours = {**scores.overall, **scores.curves}
    for title, theirs in TITLES.items():
        wanted = recorded[f"{script}_{theirs}"] / 100
        np.testing.assert_allclose(ours[title], wanted, atol=1e-6, err_msg=title)
    lasot = score(f"{script}_lasot", _sequences(with_flags=True, moved_px=120.0))
    assert lasot.overall["P_norm"] < scores.overall["P_norm"] - 0.05


def test_conventions_differ_where_they_say_so() -> None:
    """One target frame in the middle of an absence, tracked perfectly."""
    truth = np.array([[10.0, 10, 20, 20]] * 4)
    truth[2] = 0
    boxes = np.array([[10.0, 10, 20, 20]] * 4)
    visible = np.array([True, True, False, True])
    sequence = ScoredSequence("s", boxes, truth, visible, (100, 100))
    assert score("got10k", [sequence]).overall["AO"] == pytest.approx(1.0)
    assert score("pytracking", [sequence]).curves["Success"][0] == pytest.approx(0.75)
    assert score("pytracking", [sequence]).overall["P"] == pytest.approx(0.75)
    assert score("pytracking_uav123", [sequence]).overall["P"] == pytest.approx(1.0)
    assert score("pytracking", [sequence]).overall["P_norm"] == pytest.approx(1.0)
    assert score("pytracking_lasot", [sequence]).overall["P_norm"] == pytest.approx(0.75)


def test_short_results_count_as_misses_and_long_ones_are_cut() -> None:
    truth = np.array([[10.0, 10, 20, 20]] * 4)
    short = ScoredSequence("s", truth[:2], truth)
    long = ScoredSequence("s", np.concatenate([truth, truth]), truth)
    assert score("pytracking", [short]).curves["Success"][0] == pytest.approx(0.5)
    assert score("pytracking", [long]).curves["Success"][0] == pytest.approx(1.0)


NAN = [np.nan] * 4
BOX = [0.0, 0, 10, 10]


def _plain(boxes: list[list[float]], truth: list[list[float]], name: str = "s") -> ScoredSequence:
    return ScoredSequence(name, np.array(boxes), np.array(truth))


def test_plain_scores_neither_first_nor_absent_frames() -> None:
    boxes = [BOX, [0.0, 0, 10, 5], BOX, [50.0, 50, 10, 10]]
    scores = score("plain", [_plain(boxes, [BOX, BOX, NAN, BOX])])
    assert scores.frames.tolist() == [2]
    assert scores.overall["AO"] == pytest.approx(0.25)  # 0.5 and 0.0
    visible = np.array([True, True, True, False])
    hidden = ScoredSequence("s", np.array(boxes), np.array([BOX] * 4), visible)
    assert score("plain", [hidden]).overall["AO"] == pytest.approx(0.75)  # 0.5 and 1.0


def test_a_box_that_is_not_a_number_counts_as_a_miss() -> None:
    assert score("plain", [_plain([BOX, NAN, BOX], [BOX] * 3)]).overall["AO"] == 0.5


def test_each_sequence_counts_once_and_empty_ones_not_at_all() -> None:
    half = [0.0, 0, 10, 5]
    sequences = [
        _plain([BOX, half], [BOX, BOX], "half"),
        _plain([BOX, BOX, BOX], [BOX, NAN, NAN], "nothing"),
        _plain([BOX] * 4, [BOX] * 4, "whole"),
    ]
    scores = score("plain", sequences)
    assert np.isnan(scores.figures[1]).all() and scores.frames.tolist() == [1, 0, 3]
    np.testing.assert_allclose(scores.over_sequences, [0.75, 0.5, 0.5, 1.0, 0.5])
    np.testing.assert_allclose(scores.over_frames, [3.5 / 4, 0.75, 0.75, 1.0, 0.75])
    assert scores.overall == {
        "AO": 0.75,
        "SR50": 0.5,
        "SR75": 0.5,
        "P": 1.0,
        "P_norm": 0.5,
    }
    assert np.isnan(score("plain", sequences[1:2]).overall["AO"])


def test_repetitions_of_a_sequence_are_pooled() -> None:
    runs = [_plain([BOX, BOX], [BOX, BOX]), _plain([BOX, [50.0, 50, 10, 10]], [BOX, BOX])]
    scores = score("plain", runs)
    assert scores.frames.tolist() == [2] and scores.figures[0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("convention", "sequence", "message"),
    [
        ("got10k", ScoredSequence("a", np.ones((2, 4)), np.ones((2, 4))), "size of the images"),
        ("got10k", ScoredSequence("a", np.ones((1, 4)), np.ones((1, 4)), None, (9, 9)), "no frame"),
        ("got10k", ScoredSequence("a", np.ones((1, 4)), np.ones((2, 4)), None, (9, 9)), "1 boxes"),
        ("plain", ScoredSequence("a", np.ones((3, 4)), np.ones((2, 4))), "3 boxes for 2 frames"),
        (
            "got10k",
            ScoredSequence("a", np.full((2, 4), np.nan), np.ones((2, 4)), None, (9, 9)),
            "NaN",
        ),
        ("pytracking", ScoredSequence("a", np.full((2, 4), np.nan), np.ones((2, 4))), "NaN"),
        ("authors_lasot", ScoredSequence("a", np.ones((2, 4)), np.ones((2, 4))), "no occlusion"),
    ],
)
def test_faulty_results(convention: str, sequence: ScoredSequence, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        score(convention, [sequence])


@pytest.mark.parametrize("convention", list(CONVENTIONS))
def test_nothing_to_score(convention: str) -> None:
    with pytest.raises(DatasetError):
        score(convention, [])
