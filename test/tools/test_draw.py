"""`litetrack draw`: saved boxes on their video."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from litetrack_ros.datasets.sequences import format_boxes
from litetrack_ros.media.drawing import GROUND_TRUTH_COLOR, TRACKER_COLORS
from litetrack_ros.tools.main import main


@pytest.fixture
def boxes(tmp_path: Path) -> list[str]:
    """Arguments for two trackers whose boxes lie apart on the left and on the right."""
    arguments = []
    for name, x in (("left", 60.0), ("right", 110.0)):
        path = tmp_path / f"{name}.txt"
        path.write_text(format_boxes(np.tile([x, 80.0, 30.0, 30.0], (12, 1))))
        arguments.append(f"{name}={path}")
    return arguments


def frames_of(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


def close_to(pixel: np.ndarray, color: tuple[int, int, int]) -> bool:
    """The codec blurs thin lines: the strongest channel and the weakest must agree."""
    return int(pixel.argmax()) == int(np.argmax(color)) and int(pixel.argmin()) in np.flatnonzero(
        np.array(color) <= min(color) + 30
    )


def test_all_boxes_on_one_picture(tmp_path: Path, square_sequence: Path, boxes: list[str]):
    output = tmp_path / "o.mp4"
    arguments = [str(square_sequence), "--groundtruth", "-o", str(output), "--boxes", *boxes]
    assert main(["draw", *arguments]) == 0
    frames = frames_of(output)
    assert len(frames) == 12 and frames[0].shape == (120, 160, 3)
    assert close_to(frames[3][100, 60], TRACKER_COLORS[0])
    assert close_to(frames[3][100, 110], TRACKER_COLORS[1])
    assert close_to(frames[0][70, 30:40].mean(axis=0), GROUND_TRUTH_COLOR)


def test_side_by_side(tmp_path: Path, square_sequence: Path, boxes: list[str]):
    output = tmp_path / "o.mp4"
    arguments = [str(square_sequence), "--side-by-side", "-o", str(output), "--boxes", *boxes]
    assert main(["draw", *arguments]) == 0
    frame = frames_of(output)[3]
    assert frame.shape == (120, 2 * 160 + 4, 3)
    right = 160 + 4
    assert close_to(frame[100, 60], TRACKER_COLORS[0])
    assert close_to(frame[100, right + 110], TRACKER_COLORS[1])
    assert frame[100, right + 60].max() < 90  # noise alone: the other tracker's box is not here


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("1,2,3,4\n" * 11, [], "different numbers of frames: left 12, right 12, more 11"),
        ("1,2,3\n", [], "line 1: expected x,y,w,h"),
        ("", [], "is empty"),
        (None, [], "cannot read the boxes"),
    ],
)
def test_bad_boxes_write_nothing(
    tmp_path: Path,
    square_sequence: Path,
    boxes: list[str],
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    arguments: list[str],
    message: str,
):
    more = tmp_path / "more.txt"
    if content is not None:
        more.write_text(content)
    output = tmp_path / "o.mp4"
    source = [str(square_sequence), "-o", str(output)]
    assert main(["draw", *source, "--boxes", *boxes, f"more={more}"]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.mp4")) and not list(tmp_path.glob(".*"))


def test_more_boxes_than_frames_write_nothing(
    tmp_path: Path, square_sequence: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "long.txt"
    path.write_text("1,2,3,4\n" * 13)
    output = tmp_path / "o.mp4"
    arguments = [str(square_sequence), "-o", str(output), "--boxes", f"long={path}"]
    assert main(["draw", *arguments]) == 2
    assert "has 12 frames, but there are 13 boxes" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["long.txt"]


def test_a_name_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["draw", "x", "--boxes", "boxes.txt", "-o", str(tmp_path / "o.mp4")]) == 2
    assert "NAME=FILE, not 'boxes.txt'" in capsys.readouterr().err
