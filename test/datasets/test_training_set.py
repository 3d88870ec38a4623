"""The cached index of a training set, and what its check finds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from published_layouts import boxes, lines, write_got10k

from litetrack_ros.datasets.catalogue import guess_set, open_set
from litetrack_ros.datasets.training_set import check_set
from litetrack_ros.errors import DatasetError


def test_the_index_is_cached_until_the_folder_changes(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_got10k(root, [1])
    open_set("got10k_train", root)
    (root / "GOT-10k_Train_000001/groundtruth.txt").write_text("")  # deeper than the cache looks
    cached = open_set("got10k_train", root)
    np.testing.assert_allclose(cached.boxes(0), boxes(24, 1), atol=1e-4)
    with pytest.raises(DatasetError, match="no sequence"):
        open_set("got10k_train", root, refresh=True)
    write_got10k(root, [2])
    assert [e.name[-1] for e in open_set("got10k_train", root).entries] == ["2"]
    for file in (tmp_path / "cache/litetrack_ros").iterdir():
        file.write_bytes(b"damaged")
    assert len(open_set("got10k_train", root)) == 1


def _break_frame(root: Path) -> None:
    (root / "GOT-10k_Train_000001/00000007.jpg").unlink()


def _break_image(root: Path) -> None:
    (root / "GOT-10k_Train_000001/00000001.jpg").write_bytes(b"\xff\xd8 no image")


def _break_label(root: Path) -> None:
    path = root / "GOT-10k_Train_000001/cover.label"
    path.write_text(path.read_text()[:-2])


def _break_boxes(root: Path) -> None:
    (root / "GOT-10k_Train_000001/groundtruth.txt").write_text("1,2,3\n")


def _remove_boxes(root: Path) -> None:
    (root / "GOT-10k_Train_000001/absence.label").unlink()


def _shift(root: Path) -> None:
    text = lines(np.array([[77.0, 10, 20, 20]] * 24))
    (root / "GOT-10k_Train_000001/groundtruth.txt").write_text(text)


@pytest.mark.parametrize(
    ("damage", "report"),
    [
        (_break_frame, "lack frames: GOT-10k_Train_000001 (1 frames, such as GOT-10k"),
        (_break_image, "have a frame that is not an image: GOT-10k_Train_000001"),
        (_break_label, "cover.label has 23 values for 24 boxes"),
        (_break_boxes, "line 1: expected x,y,w,h, found '1,2,3'"),
        (_remove_boxes, "absence.label"),
        (_shift, "as boxes counted from 1 do: GOT-10k_Train_000001"),
    ],
)
def test_a_check_says_what_is_wrong(
    tmp_path: Path, damage: Callable[[Path], None], report: str
) -> None:
    write_got10k(tmp_path, [1, 2])
    damage(tmp_path)
    found = check_set(open_set("got10k_train", tmp_path))
    assert any(report in problem for problem in found.problems), found.problems


def test_statistics(tmp_path: Path) -> None:
    write_got10k(tmp_path, [1, 2], prefix="Val")
    assert guess_set(tmp_path) == "got10k_val"
    report = check_set(open_set("got10k_val", tmp_path))
    assert report.problems == []
    assert report.statistics["sequences"] == 2
    assert report.statistics["frames"] == 48 and report.statistics["visible frames"] == 44
