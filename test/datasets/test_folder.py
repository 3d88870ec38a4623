"""This package's own format, to train and to test on."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from published_layouts import boxes, jpeg, lines
from reading_sets import check_training_set, read_layout

from litetrack_ros.datasets.catalogue import open_set
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.images import decode_bgr, image_size


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
    check_training_set(own)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_frames_are_in_natural_order_to_train_and_to_test_on(tmp_path: Path, suffix: str) -> None:
    made = boxes(12)
    for k in range(12):
        picture = np.full((72, 96, 3), 20 * k, np.uint8)
        path = tmp_path / "clip/frames" / f"{k}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture)
    (tmp_path / "clip/groundtruth.txt").write_text(lines(made))
    train, [test] = open_set("folder", tmp_path), find_sequences([tmp_path])
    for k, frame in enumerate(test.frames()):
        assert frame.image.mean() == pytest.approx(20 * k, abs=2)
        assert decode_bgr(train.encoded_frame(0, k)).mean() == pytest.approx(20 * k, abs=2)
        assert image_size(train.encoded_frame(0, k)) == (96, 72)


def test_the_sequences_to_test_on(tmp_path: Path) -> None:
    (sequence,) = read_layout("folder", tmp_path)
    assert sequence.visible is not None
    assert np.flatnonzero(~sequence.visible).tolist() == [5]
