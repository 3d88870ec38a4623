"""AVisT."""

from pathlib import Path

import numpy as np
import pytest
from reading_sets import read_layout

from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.errors import DatasetError


def test_the_benchmark(tmp_path: Path) -> None:
    (sequence,) = read_layout("avist", tmp_path)
    assert sequence.visible is not None
    assert np.flatnonzero(~sequence.visible).tolist() == [2, 4]


def test_flags_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    read_layout("avist", tmp_path)
    (tmp_path / "out_of_view/air_show_out_of_view.txt").write_text("0\n0\n")
    with pytest.raises(DatasetError, match="2 values for 12 boxes"):
        read_benchmark("avist", tmp_path)
