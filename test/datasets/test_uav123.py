"""UAV123."""

from pathlib import Path

from reading_sets import read_layout


def test_the_benchmark(tmp_path: Path) -> None:
    read_layout("uav123", tmp_path)
