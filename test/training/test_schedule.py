import math

import pytest

from litetrack_ros.training.schedule import ema_decay, learning_rate_factor


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 0.25), (3, 1.0), (4, 1.0), (8, 0.5 * (1 + math.cos(math.pi / 4))), (12, 0.5), (20, 0.0)],
)
def test_warmup_then_cosine(step: int, factor: float) -> None:
    assert learning_rate_factor(step, 4, 20) == pytest.approx(factor)


def test_no_warmup_starts_at_the_full_rate() -> None:
    assert learning_rate_factor(0, 0, 10) == 1.0


@pytest.mark.parametrize(("step", "decay"), [(0, 0.1), (8, 0.5), (10**6, 0.998)])
def test_young_averages_forget_faster(step: int, decay: float) -> None:
    assert ema_decay(step, 0.998) == pytest.approx(decay)
