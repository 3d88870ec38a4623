"""GOT-10k, to train and to test on, from folders and archives."""

from pathlib import Path

import numpy as np
import pytest
from published_layouts import boxes, lines, pack, write_got10k
from reading_sets import check_archive, check_training_set, pack_folder, read_layout

from litetrack_ros.datasets.catalogue import open_set
from litetrack_ros.datasets.sequences import shipped_ranges


@pytest.mark.parametrize("packed", ["", ".zip", ".tar"])
def test_got10k(tmp_path: Path, packed: str) -> None:
    root = tmp_path / "got10k"
    write_got10k(root / "train", [1, 2, 4, 5])
    if packed:
        pack(root / "train", root / f"GOT-10k_Train_split_01{packed}")
    train = open_set("got10k_train", root)
    assert [e.name[-1] for e in train.entries] == ["1", "2", "4", "5"]
    assert bool(train.entries[0].archive) == bool(packed)
    np.testing.assert_allclose(train.boxes(0), boxes(24, 1), atol=1e-4)
    assert np.flatnonzero(~train.visible(0)).tolist() == [3, 5]
    check_training_set(train)
    assert "9331 of 9335 sequences" in train.problems[0]


def test_got10k_splits(tmp_path: Path) -> None:
    write_got10k(tmp_path / "train", [1, 4, 5, 2725])
    numbers = {
        split: [int(e.name[-6:]) for e in open_set(f"got10k_{split}", tmp_path).entries]
        for split in ("train", "train_full", "vottrain", "vottrain_released")
    }
    assert numbers["train"] == [1, 4, 5, 2725]
    assert numbers["train_full"] == [1, 4, 5]  # position 2724 of their list is number 2725
    assert 4 not in numbers["vottrain"] and 5 in numbers["vottrain"]  # VOT prohibits number 4
    assert 4 in numbers["vottrain_released"] and 5 not in numbers["vottrain_released"]
    lists = shipped_ranges("got10k")
    assert len(lists["vot_prohibited"]) == 1000 and len(lists["train_full_left_out"]) == 26


SEPARATORS = [(",", "\n"), ("\t", "\n"), (" ", "\r\n"), (", ", "\r\n"), (";", "\n")]


@pytest.mark.parametrize(("separator", "end"), SEPARATORS)
def test_separators_line_ends_and_trailing_blanks(tmp_path: Path, separator: str, end: str) -> None:
    write_got10k(tmp_path, [1])
    text = lines(boxes(24, 1), separator, end) + end + " " + end
    (tmp_path / "GOT-10k_Train_000001/groundtruth.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    for label in ("absence", "cover"):
        path = tmp_path / f"GOT-10k_Train_000001/{label}.label"
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    train = open_set("got10k_train", tmp_path)
    np.testing.assert_allclose(train.boxes(0), boxes(24, 1), atol=1e-4)


def test_the_validation_set_as_a_benchmark(tmp_path: Path) -> None:
    (sequence,) = read_layout("got10k_val", tmp_path)
    assert sequence.visible is not None and not sequence.visible.all()


def test_the_test_set_as_a_benchmark(tmp_path: Path) -> None:
    for sequence in read_layout("got10k_test", tmp_path):
        assert np.flatnonzero(np.isfinite(sequence.boxes_xywh).all(axis=1)).tolist() == [0]


@pytest.mark.parametrize(
    ("split", "archive", "inside"),
    [("val", "val.tar", "val/"), ("test", "GOT-10k_Test.zip", "")],
)
def test_benchmarks_in_archives(tmp_path: Path, split: str, archive: str, inside: str) -> None:
    def make() -> None:
        pack_folder(tmp_path, split, archive, inside)

    check_archive(f"got10k_{split}", tmp_path, make, archive)
