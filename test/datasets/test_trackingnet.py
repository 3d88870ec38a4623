"""TrackingNet, to train and to test on, from folders and archives."""

from pathlib import Path

import pytest
from published_layouts import boxes, lines, write_trackingnet
from reading_sets import check_archive, check_training_set, pack_folder, read_layout

from litetrack_ros.datasets.catalogue import guess_set, open_set


@pytest.mark.parametrize("zipped", [False, True])
def test_trackingnet(tmp_path: Path, zipped: bool) -> None:
    write_trackingnet(tmp_path, ["a_0", "b{0}"], zipped)
    (tmp_path / "TRAIN_0/anno/c_0.txt").write_text(lines(boxes(3)))
    train = open_set(guess_set(tmp_path), tmp_path)
    assert [e.name for e in train.entries] == ["a_0", "b{0}"]
    assert train.problems[0].startswith("11 of 12 parts are missing: TRAIN_1")
    assert "c_0.txt has no frames" in train.problems[1]
    check_training_set(train)


def test_the_benchmark(tmp_path: Path) -> None:
    read_layout("trackingnet", tmp_path)


def test_the_benchmark_in_archives(tmp_path: Path) -> None:
    def make() -> None:
        (tmp_path / "TEST/zips").mkdir()
        pack_folder(tmp_path, "TEST/frames/a_0", "TEST/zips/a_0.zip")

    check_archive("trackingnet", tmp_path, make, "TEST/zips/a_0.zip")
