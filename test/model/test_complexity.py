"""Counts against those of the authors' graph, and against the paper's Table I in its convention.

The table is what its convention gives, but for the two departures that are named.
"""

import dataclasses

import pytest

from litetrack_ros.config import variant
from litetrack_ros.model.complexity import (
    DEPARTURES,
    PAPER_TABLE_I,
    count,
    count_as_table_one,
)

# One branch of the head: 3x3 convolutions 768-256-128-64-32 on 16x16 cells.
BRANCH_PARAMETERS = 9 * (768 * 256 + 256 * 128 + 128 * 64 + 64 * 32)
BRANCH_MACS = 256 * BRANCH_PARAMETERS


@pytest.mark.parametrize(
    ("name", "parameters_m", "uncached_search_g", "search_g", "template_g"),
    [
        ("b9", 71.264, 19.55, 19.10, 4.24),
        ("b8", 64.176, 17.64, 17.18, 3.77),
        ("b6", 49.998, 13.81, 13.36, 2.84),
        ("b4", 35.821, 9.81, 9.51, 1.90),
    ],
)
def test_released_variants(
    name: str,
    parameters_m: float,
    uncached_search_g: float,
    search_g: float,
    template_g: float,
) -> None:
    counted = count(variant(name))
    assert round(counted.parameters / 1e6, 3) == parameters_m
    assert round(counted.uncached_search_macs / 1e9, 2) == uncached_search_g
    assert round(counted.search_macs / 1e9, 2) == search_g
    assert round(counted.template_macs / 1e9, 2) == template_g


def test_caching_moves_two_projections_a_layer_and_saves_two_more() -> None:
    counted = count(variant("b4"))
    assert counted.cache_macs == 2 * 64 * 768 * 2 * 768
    assert counted.uncached_search_macs - counted.search_macs == 2 * counted.cache_macs


def test_joint_baseline_caches_nothing() -> None:
    counted = count(variant("joint12"))
    assert counted.cache_macs == 0
    assert counted.search_macs == counted.uncached_search_macs


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
