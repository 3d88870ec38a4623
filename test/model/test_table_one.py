"""The paper's Table I is what its convention gives, but for the two departures that are named."""

import dataclasses

import pytest

from litetrack_ros.model.complexity import PAPER_TABLE_I
from litetrack_ros.model.table_one import DEPARTURES, count_as_table_one
from litetrack_ros.model.variants import variant

# One branch of the head: 3x3 convolutions 768-256-128-64-32 on 16x16 cells.
BRANCH_PARAMETERS = 9 * (768 * 256 + 256 * 128 + 128 * 64 + 64 * 32)
BRANCH_MACS = 256 * BRANCH_PARAMETERS


@pytest.mark.parametrize("name", ["b9", "b8", "b6", "b4"])
def test_table_is_reproduced(name: str):
    config = variant(name)
    if name == "b8":
        config = dataclasses.replace(config, fe_layers=6, ai_layers=2)
    parameters, macs = count_as_table_one(config)
    if name == "b4":
        parameters, macs = parameters - BRANCH_PARAMETERS, macs - BRANCH_MACS
    parameters_m, macs_g = PAPER_TABLE_I[name]
    assert parameters / 1e6 == pytest.approx(parameters_m, abs=0.015)
    assert macs / 1e9 == pytest.approx(macs_g, abs=0.006)


def test_departures_are_those_variants_that_differ():
    differing = {
        name
        for name, (_, macs_g) in PAPER_TABLE_I.items()
        if abs(count_as_table_one(variant(name))[1] / 1e9 - macs_g) > 0.006
    }
    assert differing == DEPARTURES.keys()
