"""Stochastic depth: its rates over the layers, and what it does to a batch."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch

from litetrack_ros.config import ModelConfig
from litetrack_ros.model.layers import Block, DropPath
from litetrack_ros.model.litetrack import Encoder


@pytest.mark.parametrize(("fe_layers", "ai_layers"), [(6, 3), (2, 2), (0, 1)])
def test_drop_path_rises_linearly_over_the_layers_that_are_left(
    fe_layers: int, ai_layers: int
) -> None:
    config = ModelConfig(embed_dim=16, num_heads=2, fe_layers=fe_layers, ai_layers=ai_layers)
    rates = [cast(Block, block).drop_path.rate for block in Encoder(config, 0.1).blocks]
    np.testing.assert_allclose(rates, np.linspace(0, 0.1, fe_layers + ai_layers))


def test_dropped_samples_are_zero_and_kept_ones_scaled() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.25).train()
    x = torch.ones(4000, 2, 3)
    dropped = drop(x)
    kept = dropped[:, 0, 0] > 0
    assert torch.equal(dropped[kept], torch.full_like(x[kept], 1 / 0.75))
    assert torch.equal(dropped[~kept], torch.zeros_like(x[~kept]))
    assert float(kept.float().mean()) == pytest.approx(0.75, abs=0.03)
    assert torch.equal(drop.eval()(x), x)
