"""Sequence folders: frames beside a file of boxes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from litetrack_ros.datasets.sequences import (
    find_sequences,
    format_boxes,
    read_boxes,
    read_sequence,
)
from litetrack_ros.errors import DatasetError


def write_sequence(folder: Path, lines: list[str], frames: int) -> Path:
    (folder / "frames").mkdir(parents=True)
    for index in range(frames):
        cv2.imwrite(str(folder / "frames" / f"{index}.png"), np.zeros((8, 8, 3), np.uint8))
    (folder / "groundtruth.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2,3,4\n5,6,7,8\n", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ("1\t2\t3\t4", [[1, 2, 3, 4]]),
        ("1 2  3 4\r\n", [[1, 2, 3, 4]]),
        ("1;2;3;4.5", [[1, 2, 3, 4.5]]),
        ("\ufeff1,2,3,4\n\n", [[1, 2, 3, 4]]),
        ("1,2,3,4\nNaN,NaN,NaN,NaN", [[1, 2, 3, 4], [np.nan] * 4]),
        ("1,2,3,4\n5,nan,7,8", [[1, 2, 3, 4], [np.nan] * 4]),
    ],
)
def test_boxes_are_read(tmp_path: Path, text: str, expected: list):
    path = tmp_path / "boxes.txt"
    path.write_text(text, newline="")
    np.testing.assert_array_equal(read_boxes(path), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("1,2,3,4\n1,2,3", "line 2: expected x,y,w,h, found '1,2,3'"),
        ("1,2,3,x", "line 1"),
        ("1,2,3,inf", "line 1"),
        ("1,2,3,4\n\n1,2,3,4", "line 2"),
    ],
)
def test_faulty_boxes_are_named(tmp_path: Path, text: str, message: str):
    path = tmp_path / "boxes.txt"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_boxes(path)


def test_boxes_survive_writing_bit_by_bit(tmp_path: Path):
    boxes = np.random.default_rng(0).normal(0, 1e3, (50, 4)) / 3
    boxes[7] = np.nan
    path = tmp_path / "boxes.txt"
    path.write_text(format_boxes(boxes))
    np.testing.assert_array_equal(read_boxes(path), boxes)
    assert format_boxes(np.array([[1.0, 2.5, 3.0, 4.0]])) == "1.0,2.5,3.0,4.0\n"


def test_frames_after_the_last_box_do_not_count(tmp_path: Path):
    sequence = read_sequence(write_sequence(tmp_path / "long", ["1,1,4,4"] * 3, frames=5))
    assert (sequence.name, len(sequence)) == ("long", 3)
    assert [frame.name for frame in sequence.frames()] == ["0.png", "1.png", "2.png"]


def test_folders_and_folders_of_folders(tmp_path: Path):
    one = write_sequence(tmp_path / "b", ["1,1,4,4"], 1)
    write_sequence(tmp_path / "many" / "c", ["1,1,4,4"], 1)
    write_sequence(tmp_path / "many" / "a", ["1,1,4,4"], 1)
    (tmp_path / "many" / "notes").mkdir()
    assert [s.name for s in find_sequences([one, tmp_path / "many"])] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["nowhere"], "there is no folder"),
        (["empty"], "neither .*empty nor a folder in it holds a groundtruth.txt"),
        (["b", "b"], "two sequences are called 'b'"),
        (["absent"], "absent in the first frame"),
    ],
)
def test_what_is_no_sequence_is_named(tmp_path: Path, folders: list[str], message: str):
    (tmp_path / "empty").mkdir()
    write_sequence(tmp_path / "b", ["1,1,4,4"], 1)
    write_sequence(tmp_path / "absent", ["nan,nan,nan,nan", "1,1,4,4"], 2)
    with pytest.raises(DatasetError, match=message):
        find_sequences([tmp_path / folder for folder in folders])


def test_recorded_sequences_open(sequences_dir: Path):
    sequences = find_sequences([sequences_dir])
    assert len(sequences) == 11
    video = next(s for s in sequences if s.name == "tld_pedestrian1")
    frames = list(video.frames())
    assert len(frames) == len(video) == 140
    assert frames[0].image.shape == (240, 320, 3)
