"""The benchmarks by their names."""

from pathlib import Path

import pytest
from published_layouts import LAYOUTS

from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.errors import DatasetError, MediaError


def test_missing_benchmarks(tmp_path: Path) -> None:
    for name in LAYOUTS:
        with pytest.raises((DatasetError, MediaError)):
            read_benchmark(name, tmp_path)
    with pytest.raises(DatasetError, match="no benchmark 'vot'"):
        read_benchmark("vot", tmp_path)
