"""Readers of the published layouts, from folders and archives, and the mistakes of real copies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from published_layouts import (
    boxes,
    jpeg,
    lines,
    pack,
    write_coco,
    write_got10k,
    write_lasot,
    write_trackingnet,
)

from litetrack_ros.config import ModelConfig
from litetrack_ros.datasets.catalogue import guess_set, locate_set, open_set
from litetrack_ros.datasets.checking import check_set
from litetrack_ros.datasets.containers import open_container
from litetrack_ros.datasets.frame_decoding import decode_bgr, image_size
from litetrack_ros.datasets.layouts import shipped_ranges
from litetrack_ros.datasets.training_set import TrainingSet
from litetrack_ros.errors import DatasetError
from litetrack_ros.pairs.pair_recipe import PairSampling
from litetrack_ros.pairs.sampling import TrackingPairs
from litetrack_ros.tools.main import main


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _reads(training_set: TrainingSet) -> None:
    """Every frame is an image of the right size, and pairs can be drawn."""
    for number in range(len(training_set)):
        for frame in (0, len(training_set.boxes(number)) - 1):
            encoded = training_set.encoded_frame(number, frame)
            assert image_size(encoded) == (96, 72)
            assert decode_bgr(encoded).shape == (72, 96, 3)
    sampling = PairSampling(train="a", validation="a")
    pair = TrackingPairs([training_set], [1], ModelConfig(), sampling, seed=0).pair(0)
    assert pair.present and pair.search.shape == (256, 256, 3)


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
    _reads(train)
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
    _reads(train)


@pytest.mark.parametrize("zipped", [False, True])
def test_trackingnet(tmp_path: Path, zipped: bool) -> None:
    write_trackingnet(tmp_path, ["a_0", "b{0}"], zipped)
    (tmp_path / "TRAIN_0/anno/c_0.txt").write_text(lines(boxes(3)))
    train = open_set(guess_set(tmp_path), tmp_path)
    assert [e.name for e in train.entries] == ["a_0", "b{0}"]
    assert train.problems[0].startswith("11 of 12 parts are missing: TRAIN_1")
    assert "c_0.txt has no frames" in train.problems[1]
    _reads(train)


@pytest.mark.parametrize("packed", [False, True])
def test_coco(tmp_path: Path, packed: bool) -> None:
    write_coco(tmp_path)
    if packed:
        pack(tmp_path / "train2017", tmp_path / "train2017.zip", inside="train2017/")
        (tmp_path / "train2017").rmdir()
    train = open_set(guess_set(tmp_path), tmp_path)
    assert [e.name for e in train.entries] == ["train2017-7", "train2017-8"]
    assert not train.is_video(0)
    np.testing.assert_allclose(train.boxes(0), [[10.5, 8, 30, 22]])
    _reads(train)


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


@pytest.mark.parametrize(("name", "shift"), [("folder", 0), ("folder_1based", 1)])
def test_own_folders_with_boxes_from_0_and_from_1(tmp_path: Path, name: str, shift: int) -> None:
    made = boxes(24)
    made[6] = np.nan
    written = made + np.array([shift, shift, 0, 0])
    for k in range(24):
        jpeg(tmp_path / "clip/frames" / f"f{k:03d}.jpg", k)
    (tmp_path / "clip/groundtruth.txt").write_text(lines(written, "\t"))
    (tmp_path / "clip/occluded.txt").write_text("0 1 " + "0 " * 22)
    own = open_set(name, tmp_path)
    expected = np.nan_to_num(made, nan=0.0)
    expected[6, :2] -= shift  # of an absent target only the missing size counts
    np.testing.assert_allclose(own.boxes(0), expected, atol=1e-4)
    assert np.flatnonzero(~own.visible(0)).tolist() == [1, 6]
    _reads(own)


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
def test_a_check_says_what_is_wrong(tmp_path: Path, damage, report: str) -> None:  # type: ignore[no-untyped-def]
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


def test_locating_sets(tmp_path: Path) -> None:
    write_coco(tmp_path / "COCO")
    assert locate_set("coco2017_train", [str(tmp_path)]) == tmp_path / "COCO"
    assert locate_set("lasot_train", [str(tmp_path), "lasot_train=/x"]) == Path("/x")
    assert locate_set("got10k_vottrain", ["got10k=/y"]) == Path("/y")
    with pytest.raises(DatasetError, match="add lasot_train=DIR"):
        locate_set("lasot_train", [str(tmp_path)])
    with pytest.raises(DatasetError, match="no data set 'nfs'"):
        locate_set("nfs", [str(tmp_path)])


@pytest.mark.parametrize("packed", ["", ".zip", ".tar"])
def test_files_right_in_a_folder(tmp_path: Path, packed: str) -> None:
    root = tmp_path / "data"
    for name in ("b/2.txt", "b/1.txt", "b/.hidden", "b/c/3.txt", "bc/4.txt", "5.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    if packed:
        pack(root, root.with_suffix(packed))
    container = open_container(root.with_suffix(packed) if packed else root)
    assert container.names_in("b") == ["b/1.txt", "b/2.txt"]
    assert container.names_in("") == ["5.txt"]
    assert container.read("b/c/3.txt") == b"b/c/3.txt"


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_got10k(root / "train", [1])
    pack(root / "train", root / "part.zip")
    shutil.copy(root / "part.zip", tmp_path / "whole.zip")
    (root / "part.zip").write_bytes((tmp_path / "whole.zip").read_bytes()[:5000])
    with pytest.raises(DatasetError, match=r"part\.zip"):
        open_set("got10k_train", root)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, figures = tmp_path / "data", tmp_path / "figures.json"
    write_got10k(root, [1], prefix="Val")
    assert main(["data", "check", str(root), "--json", str(figures)]) == 0
    assert "complete" in capsys.readouterr().out
    assert json.loads(figures.read_text())["statistics"]["frames"] == 24
    (root / "GOT-10k_Val_000001/00000003.jpg").unlink()
    assert main(["data", "check", str(root)]) == 1
    assert "1 frames, such as GOT-10k_Val_000001/00000003.jpg" in capsys.readouterr().out
    assert main(["data", "check", str(root), "--set", "lasot"]) == 2
    assert "no data set 'lasot'" in capsys.readouterr().err
