"""LaSOT, to train and to test on, from folders and archives."""

from pathlib import Path

import numpy as np
import pytest
from published_layouts import pack, write_lasot
from reading_sets import check_archive, check_training_set, pack_folder, read_layout

from litetrack_ros.datasets.catalogue import guess_set, open_set


@pytest.mark.parametrize("packed", [False, True])
def test_lasot(tmp_path: Path, packed: bool) -> None:
    write_lasot(tmp_path, ["airplane-1", "airplane-2", "bear-3"])
    if packed:
        pack(tmp_path / "airplane", tmp_path / "airplane.zip", inside="airplane/")
    assert guess_set(tmp_path) == "lasot_train"
    train, test = (open_set(f"lasot_{split}", tmp_path) for split in ("train", "test"))
    assert [e.name for e in train.entries] == ["airplane-2", "bear-3"]
    assert [e.name for e in test.entries] == ["airplane-1"]
    assert np.flatnonzero(~train.visible(0)).tolist() == [2, 4]
    assert "1118 of 1120" in train.problems[0] and "279 of 280" in test.problems[0]
    check_training_set(train)


def test_the_benchmark(tmp_path: Path) -> None:
    (sequence,) = read_layout("lasot", tmp_path)
    assert sequence.visible is not None and not sequence.visible.all()


def test_the_benchmark_in_archives(tmp_path: Path) -> None:
    def make() -> None:
        pack_folder(tmp_path, "airplane", "airplane.zip", "airplane/")

    check_archive("lasot", tmp_path, make, "airplane.zip")


def test_the_extension(tmp_path: Path) -> None:
    for sequence in read_layout("lasot_ext", tmp_path):
        assert sequence.visible is not None
        assert np.flatnonzero(~sequence.visible).tolist() == [2, 4]
