"""Counts against the table that the authors' graph gave."""

from __future__ import annotations

import pytest

from litetrack_ros.model.complexity import count
from litetrack_ros.model.variants import variant


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
