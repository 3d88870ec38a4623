"""Fitting probabilities, and the figures that say what they are worth."""

import numpy as np
import pytest

pytest.importorskip("torch")

from litetrack_ros.tracker.confidence import probability
from litetrack_ros.training.calibration import Observed, fit_logistic, usefulness
from litetrack_ros.training.certainty import Pair, calibration_error, certainty


def observed(overlaps: list[float], tracking: list[bool], visible: list[bool]) -> Observed:
    scores = np.array(overlaps)
    blank = np.zeros((len(overlaps), 1))
    flags = np.array(tracking), np.array(visible)
    return Observed(blank, blank, scores, scores, scores, scores, *flags)


def test_a_logistic_regression_finds_the_probabilities_it_was_made_from() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 2, (20_000, 2))
    wanted = 1 / (1 + np.exp(-(1.5 * x[:, 0] - 0.5)))
    hits = rng.random(len(x)) < wanted
    fitted = fit_logistic(np.split(x, 40), np.split(hits, 40))  # so that the penalty counts little
    assert np.abs(probability(fitted, x) - wanted).mean() < 0.02


def test_runs_weigh_the_same_whatever_their_length() -> None:
    runs = [np.zeros((1000, 1)), np.zeros((100, 1))]
    hits = [np.ones(1000, dtype=bool), np.zeros(100, dtype=bool)]
    assert probability(fit_logistic(runs, hits), runs[1][:1])[0] == pytest.approx(0.5, abs=1e-3)


def test_without_a_frame_it_is_one_half() -> None:
    fitted = fit_logistic([np.zeros((0, 4))], [np.zeros(0, dtype=bool)])
    assert probability(fitted, np.ones((1, 4)))[0] == 0.5


def test_calibration_error_is_the_distance_of_score_and_share() -> None:
    right = np.array([1.0, 0.0] * 50)
    assert calibration_error([(np.full(100, 0.5), right)]) == pytest.approx(0.0)
    assert calibration_error([(np.full(100, 0.8), right)]) == pytest.approx(0.3)


def test_figures_count_what_their_names_say() -> None:
    run = observed(
        [0.9, 0.8, 0.3, 0.1, 0.6, *[0.0] * 7],
        [True, True, True, True, False, *[True] * 7],
        [True] * 5 + [False] * 7,
    )
    figures = {figure.name: figure for figure in certainty([Pair(run, run), Pair(run, run)])}
    wanted = {
        "AO": (0.54, 10),
        "visible: TRACKING and overlap >= 0.5": (0.4, 10),
        "TRACKING: overlap >= 0.5": (2 / 11, 22),
        "overlap < 0.2: TRACKING": (1.0, 2),
        "overlap 0.2 to 0.5: TRACKING": (1.0, 2),
        "absent for 6 frames: TRACKING": (1.0, 4),
        "visible: false LOST": (0.2, 10),
        "ROC area of the candidate's score": (1.0, 24),
    }
    for name, (value, frames) in wanted.items():
        assert (figures[name].value, figures[name].frames) == (pytest.approx(value), frames), name
        assert figures[name].low <= figures[name].value <= figures[name].high
    assert usefulness(run) == pytest.approx((2 - 8) / 12)
