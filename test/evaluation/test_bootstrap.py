"""Intervals of differences, and how often they are wrong where there is no difference."""

import numpy as np
import pytest

from litetrack_ros.evaluation.bootstrap import holm, paired_bootstrap, student_tails


def test_bootstrap() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(60, 10, 200)
    difference = paired_bootstrap(a, a - rng.normal(1, 3, 200), draws=2000)
    width = difference.high - difference.low
    assert width == pytest.approx(2 * 1.96 * 3 / np.sqrt(200), rel=0.15)
    assert difference.low < 1 < difference.high
    with pytest.raises(ValueError, match="paired"):
        paired_bootstrap([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="paired"):
        paired_bootstrap([np.nan], [1.0])


def test_only_sequences_that_both_have_are_paired() -> None:
    whole = paired_bootstrap([0.5, 0.7], [0.4, 0.5], draws=100)
    assert whole == paired_bootstrap([0.5, np.nan, 0.7], [0.4, 0.1, 0.5], draws=100)


def test_a_pooled_figure_is_a_ratio_of_sums_in_every_draw() -> None:
    """Against the same draws made one by one."""
    rng = np.random.default_rng(3)
    a, b, frames = rng.random(15), rng.random(15), rng.integers(10, 900, 15)
    found = paired_bootstrap(a, b, frames, frames, draws=500, seed=4)
    assert found.mean == pytest.approx(((a - b) * frames).sum() / frames.sum())
    drawn = np.random.default_rng(4).multinomial(15, np.full(15, 1 / 15), 500)
    values = []
    for counts in drawn:
        chosen = np.repeat(np.arange(15), counts)
        values.append(((a - b) * frames)[chosen].sum() / frames[chosen].sum())
    assert min(values) <= found.low <= np.quantile(values, 0.025)
    assert np.quantile(values, 0.975) <= found.high <= max(values)
    above = np.mean([value > 0 for value in values])
    assert found.share_above == pytest.approx(above)


def test_one_sequence_has_no_interval() -> None:
    found = paired_bootstrap([0.7], [0.4])
    assert found.mean == pytest.approx(0.3) and found.sequences == 1
    assert np.isnan([found.low, found.high, found.p]).all()


@pytest.mark.parametrize(
    ("t", "degrees", "tails"),  # of any table of Student's distribution
    [(12.7062, 1, 0.05), (4.30265, 2, 0.05), (3.18245, 3, 0.05), (2.26216, 9, 0.05),
     (2.04523, 29, 0.05), (2.75, 30, 0.01), (0.0, 5, 1.0)],
)  # fmt: skip
def test_students_tails(t: float, degrees: int, tails: float) -> None:
    assert student_tails(t, degrees) == pytest.approx(tails, abs=1e-5)


def test_holm() -> None:
    one = paired_bootstrap([0.5, 0.7], [0.4, 0.5], draws=100)
    found = holm([one._replace(p=p) for p in (0.03, 0.005, 0.04, 0.9)])
    assert [d.p_holm for d in found] == pytest.approx([0.09, 0.02, 0.09, 0.9])
    assert [d.p for d in found] == [0.03, 0.005, 0.04, 0.9]


@pytest.mark.parametrize("pooled", [False, True])
def test_the_interval_is_wrong_as_often_as_it_says(pooled: bool) -> None:
    """1,000 comparisons of 30 sequences without a difference: 3 to 7 % exclude 0."""
    rng = np.random.default_rng(1)
    excluded = small = 0
    for _ in range(1000):
        common = rng.beta(4, 2, 30)
        a, b = (
            np.clip(common + 0.1 * rng.standard_normal(30) - 0.3 * (rng.random(30) < 0.1), 0, 1)
            for _ in range(2)
        )
        frames = np.round(np.exp(rng.normal(4.5, 0.6, 30))) if pooled else None
        found = paired_bootstrap(a, b, frames, frames)
        excluded += found.low > 0 or found.high < 0
        small += found.p < 0.05
    assert 30 <= excluded <= 70
    assert 30 <= small <= 70
