"""`litetrack track`: what it reads, writes, and refuses."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.datasets.sequences import read_boxes
from litetrack_ros.geometry import overlap
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.media.sources import Frame
from litetrack_ros.tools import track
from litetrack_ros.tools.arguments import read_request
from litetrack_ros.tools.main import main
from litetrack_ros.tracker.tracker import Tracker

BOX = ["--init-box", "20", "40", "30", "30"]


def write_avi(path: Path, frames: list[np.ndarray]) -> Path:
    """An AVI with lossless PNG frames: what is read back is what was written."""
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MPNG"), 10.0, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def test_video_and_folder_give_the_library_s_boxes(
    tmp_path: Path, square_sequence: Path, square_frames: list[np.ndarray], tiny_model: Path
):
    tracker = Tracker(open_backend(ModelChoice(str(tiny_model))))
    expected = [tracker.init(square_frames[0], [20, 40, 30, 30]).box_xywh]
    for frame in square_frames[1:]:
        result = tracker.update(frame)
        assert result is not None
        expected.append(result.box_xywh)
    video = write_avi(tmp_path / "v.avi", square_frames)
    for source in (video, square_sequence / "frames", square_sequence):
        boxes = tmp_path / "boxes.txt"
        arguments = [str(source), "--model", str(tiny_model), "--save-txt", str(boxes)]
        assert main(["track", *arguments, *BOX]) == 0
        np.testing.assert_array_equal(read_boxes(boxes), expected)


def test_saved_video_shows_every_frame(
    tmp_path: Path, square_frames: list[np.ndarray], tiny_model: Path
):
    video, saved = write_avi(tmp_path / "v.avi", square_frames), tmp_path / "out.mp4"
    arguments = [str(video), "--model", str(tiny_model), "--save", str(saved)]
    assert main(["track", *arguments, *BOX]) == 0
    capture = cv2.VideoCapture(str(saved))
    assert capture.get(cv2.CAP_PROP_FPS) == 10.0
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    assert len(frames) == 12
    # The box is drawn in green over the border of the square in the first frame.
    blue, green, red = frames[0][40, 30:40].mean(axis=0)
    assert green > 130 and green > blue + 40 and green > red + 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "v.avi"]


def test_images_of_mixed_sizes_and_kinds_are_tracked(
    tmp_path: Path, square_frames: list[np.ndarray], tiny_model: Path
):
    folder = tmp_path / "mixed"
    folder.mkdir()
    first = square_frames[0]
    grey = cv2.cvtColor(first, cv2.COLOR_BGR2GRAY)
    images = {"1.png": first, "2.png": grey, "3.tiff": grey.astype(np.uint16) * 256}
    images |= {"4.jpg": cv2.resize(first, (200, 90)), "10.bmp": cv2.resize(first, (81, 61))}
    for name, image in images.items():
        assert cv2.imwrite(str(folder / name), image)
    outputs = ["--save", str(tmp_path / "o.mp4"), "--save-txt", str(tmp_path / "o.txt")]
    assert main(["track", str(folder), "--model", str(tiny_model), *BOX, *outputs]) == 0
    assert len(read_boxes(tmp_path / "o.txt")) == 5
    video = cv2.VideoCapture(str(tmp_path / "o.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 5


def test_alpha_changes_no_box(tmp_path: Path, square_frames: list[np.ndarray], tiny_model: Path):
    texts = []
    for kind in ("plain", "alpha"):
        folder = tmp_path / kind
        folder.mkdir()
        images = list(square_frames[:3])
        if kind == "alpha":
            images[1] = cv2.cvtColor(images[1], cv2.COLOR_BGR2BGRA)
            images[2] = cv2.cvtColor(images[2], cv2.COLOR_BGR2BGRA)
        for index, image in enumerate(images):
            assert cv2.imwrite(str(folder / f"{index}.png"), image)
        boxes = tmp_path / f"{kind}.txt"
        arguments = [str(folder), "--model", str(tiny_model), *BOX, "--save-txt", str(boxes)]
        assert main(["track", *arguments]) == 0
        texts.append(boxes.read_text())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (["nan", "1", "5", "5"], "not finite"),
        (["1", "1", "inf", "5"], "not finite"),
        (["5", "5", "0", "10"], "no positive width and height"),
        (["5", "5", "-4", "10"], "no positive width and height"),
        (["160", "5", "10", "10"], "outside the 160x120 image"),
        (["-20", "5", "10", "10"], "outside the 160x120 image"),
    ],
)
def test_bad_boxes_write_nothing(
    tmp_path: Path,
    square_sequence: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
    box: list[str],
    message: str,
):
    outputs = ["--save", str(tmp_path / "o.mp4"), "--save-txt", str(tmp_path / "o.txt")]
    arguments = [str(square_sequence), "--model", str(tiny_model), *outputs]
    assert main(["track", *arguments, "--init-box", *box]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_video_writes_nothing(
    tmp_path: Path,
    square_frames: list[np.ndarray],
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
):
    """Decoding ends at the damage as at the end: the container's count tells them apart."""
    whole = write_avi(tmp_path / "whole.avi", square_frames * 2).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    out.mkdir()
    outputs = ["--save", str(out / "o.mp4"), "--save-txt", str(out / "o.txt")]
    assert main(["track", str(cut), "--model", str(tiny_model), *BOX, *outputs]) == 2
    assert "is truncated or damaged: only 11 of its 24 frames" in capsys.readouterr().err
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "suffix", "message"),
    [
        (b"", ".safetensors", "cannot read the weights file"),
        (b"\x10" * 400, ".safetensors", "cannot read the weights file"),
        (b"PK\x03\x04 something", ".pth.tar", "convert the authors' .pth.tar files first"),
    ],
)
def test_bad_weights_are_named(
    tmp_path: Path,
    square_sequence: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    suffix: str,
    message: str,
):
    model = tmp_path / f"bad{suffix}"
    model.write_bytes(content)
    assert main(["track", str(square_sequence), "--model", str(model)]) == 2
    error = capsys.readouterr().err
    assert message in error and str(model) in error


def test_truncated_weights_are_named(
    tmp_path: Path, square_sequence: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    model = tmp_path / "cut.safetensors"
    model.write_bytes(tiny_model.read_bytes()[:-100])
    assert main(["track", str(square_sequence), "--model", str(model)]) == 2
    assert "cut.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--show", *BOX]])
def test_without_a_display_there_is_one_clear_error(
    square_sequence: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    source = [str(square_sequence / "frames"), "--model", str(tiny_model)]
    assert main(["track", *source, *arguments]) == 2
    error = capsys.readouterr().err
    assert "display" in error or "headless" in error
    assert ("--init-box" in error) == (arguments == [])
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (["--save", "{}/o.avi"], "call it {}/o.mp4"),
        (["--save", "{}/no/o.mp4"], "cannot write {}/no/o.mp4"),
        (["--save-txt", "{}"], "is a folder"),
    ],
)
def test_outputs_are_checked_before_tracking(
    tmp_path: Path,
    square_sequence: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
    output: list[str],
    message: str,
):
    arguments = [part.format(tmp_path) for part in output]
    source = [str(square_sequence), "--model", str(tiny_model)]
    assert main(["track", *source, *arguments]) == 2
    captured = capsys.readouterr()
    assert message.format(tmp_path) in captured.err
    assert "frames" not in captured.out
    assert list(tmp_path.iterdir()) == []


class StoppedCamera:
    """A live source that the user stops with Ctrl-C after its frames."""

    name, fps, frame_count, is_live = "camera", 15.0, None, True

    def __init__(self, frames: list[np.ndarray]) -> None:
        self._frames = frames

    def __iter__(self) -> Iterator[Frame]:
        for index, frame in enumerate(self._frames):
            yield Frame(str(index), frame)
        raise KeyboardInterrupt

    def close(self) -> None:
        pass


def test_ctrl_c_ends_a_camera_and_keeps_the_files(
    tmp_path: Path, square_frames: list[np.ndarray], tiny_model: Path
):
    parser = argparse.ArgumentParser()
    track.add_arguments(parser)
    outputs = ["--save", str(tmp_path / "o.mp4"), "--save-txt", str(tmp_path / "o.txt")]
    request = read_request(track.Request, parser.parse_args(["0", *outputs]))
    source = StoppedCamera(square_frames[:5])
    with contextlib.ExitStack() as stack:
        writer = track.TrackWriter(request, source, stack)
        backend = open_backend(ModelChoice(str(tiny_model)))
        results = track.track_source(source, backend, writer, np.array([20.0, 40, 30, 30]))
    assert track.summary(results).startswith("5 frames")
    assert len(read_boxes(tmp_path / "o.txt")) == 5
    assert cv2.VideoCapture(str(tmp_path / "o.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 5


def test_a_point_is_enough(tmp_path: Path, tiny_model: Path) -> None:
    scene = DrawnScene(frames=3, width=320, height=240)
    video, boxes = write_avi(tmp_path / "v.avi", [image for image, _ in scene]), tmp_path / "b.txt"
    x, y = scene.box_xywh(0)[:2] + 0.5 * scene.box_xywh(0)[2:]
    arguments = [str(video), "--model", str(tiny_model), "--save-txt", str(boxes)]
    assert main(["track", *arguments, "--init-point", str(x), str(y)]) == 0
    assert overlap(read_boxes(boxes)[0], scene.box_xywh(0)) > 0.5


@pytest.mark.parametrize(
    ("point", "words"), [(("0.5", "0.5"), "give pixels"), (("900", "5"), "outside the")]
)
def test_a_point_on_nothing_is_refused(
    point: tuple[str, str],
    words: str,
    square_sequence: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [str(square_sequence), "--model", str(tiny_model), "--init-point", *point]
    assert main(["track", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_box_and_a_point_are_one_too_many(square_sequence: Path) -> None:
    assert main(["track", str(square_sequence), *BOX, "--init-point", "30", "50"]) == 2
