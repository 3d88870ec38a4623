"""Videos, image folders and cameras as one kind of source."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from litetrack_ros.errors import MediaError
from litetrack_ros.media.sources import ImageFolder, VideoFile, open_source, read_image

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def write(path: Path, image: np.ndarray = PICTURE) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


def write_video(path: Path, frames: int, codec: str = "MPNG") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 12.5, (32, 24))
    assert writer.isOpened()
    random = np.random.default_rng(0)
    for index in range(frames):
        image = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        image[0, 0] = 5 * index
        writer.write(image)
    writer.release()
    return path


def test_images_come_in_natural_order(tmp_path: Path):
    for name in ("f10.png", "f2.png", "f1.PNG", ".hidden.png"):
        write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    with open_source(str(tmp_path)) as source:
        assert [frame.name for frame in source] == ["f1.PNG", "f2.png", "f10.png"]
        assert (source.name, source.fps, source.frame_count) == (tmp_path.name, None, 3)
        assert not source.is_live


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("colour.png", PICTURE, PICTURE),
        ("grey.png", PICTURE[:, :, 0], PICTURE[:, :, 0]),
        ("alpha.png", np.dstack([PICTURE, PICTURE[:, :, 0]]), PICTURE),
        ("grey16.png", PICTURE[:, :, 0].astype(np.uint16) * 257, PICTURE[:, :, 0] * np.uint16(257)),
        ("colour16.tiff", PICTURE.astype(np.uint16) * 257, PICTURE * np.uint16(257)),
        ("bitmap.bmp", PICTURE, PICTURE),
    ],
)
def test_images_keep_depth_and_grey_and_lose_alpha(
    tmp_path: Path, name: str, image: np.ndarray, expected: np.ndarray
):
    read = read_image(write(tmp_path / name, image))
    assert read.dtype == expected.dtype
    np.testing.assert_array_equal(read, expected)


def test_video_frames(tmp_path: Path):
    with open_source(str(write_video(tmp_path / "clip.avi", 5))) as source:
        assert (source.name, source.fps, source.frame_count) == ("clip", 12.5, 5)
        frames = list(source)
    assert [frame.name for frame in frames] == ["000000", "000001", "000002", "000003", "000004"]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 5, 10, 15, 20]


def test_a_sequence_folder_holds_images_or_a_video(tmp_path: Path):
    (tmp_path / "a" / "frames").mkdir(parents=True)
    write(tmp_path / "a" / "frames" / "0.png")
    (tmp_path / "b").mkdir()
    write_video(tmp_path / "b" / "frames.avi", 2)
    for name, kind, count in (("a", ImageFolder, 1), ("b", VideoFile, 2)):
        with open_source(str(tmp_path / name)) as source:
            assert isinstance(source, kind)
            assert len(list(source)) == count


def truncated_jpeg(folder: Path) -> Path:
    path = write(folder / "cut.jpg")
    path.write_bytes(path.read_bytes()[:-40])
    return path


def truncated_png(folder: Path) -> Path:
    path = write(folder / "cut.png")
    path.write_bytes(path.read_bytes()[:-200])
    return path


def empty_image(folder: Path) -> Path:
    path = folder / "empty.png"
    path.touch()
    return path


def floating_point_image(folder: Path) -> Path:
    return write(folder / "float.tiff", np.zeros((4, 4), np.float32))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (truncated_jpeg, "cut.jpg is truncated"),
        (truncated_png, "cut.png is damaged"),
        (empty_image, "empty.png is empty"),
        (floating_point_image, "float.tiff: an image must be uint8 or uint16"),
    ],
)
def test_a_faulty_image_is_named(tmp_path: Path, make, message: str):
    make(tmp_path)
    with open_source(str(tmp_path)) as source, pytest.raises(MediaError, match=message):
        list(source)


def empty_file(folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


def text_file(folder: Path) -> Path:
    """FFmpeg would show it as a video of a text terminal."""
    path = folder / "notes.txt"
    path.write_text("nothing to see\n" * 50)
    return path


def mp4_without_index(folder: Path) -> Path:
    whole = write_video(folder / "whole.mp4", 20, "mp4v").read_bytes()
    path = folder / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    return path


def empty_folder(folder: Path) -> Path:
    path = folder / "none"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nothing.mp4", "there is no video file"),
        (empty_file, "is empty"),
        (text_file, "cannot read .* as a video"),
        (mp4_without_index, "cannot read .* as a video"),
        (empty_folder, "holds no images"),
        (lambda folder: write(folder / "one.png"), "is a single image"),
    ],
)
def test_what_cannot_be_a_source_is_named(tmp_path: Path, make, message: str):
    with pytest.raises(MediaError, match=message):
        open_source(str(make(tmp_path)))


def test_a_video_that_ends_early_is_an_error(tmp_path: Path):
    """The frames before the damage are delivered; the end says how many are missing."""
    whole = write_video(tmp_path / "whole.avi", 30).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) // 2])
    seen = []
    with (
        open_source(str(cut)) as source,
        pytest.raises(MediaError, match=r"only \d+ of its 30 frames"),
    ):
        seen.extend(source)
    assert 10 <= len(seen) < 30


def test_a_count_that_is_only_an_estimate_is_no_error(sequences_dir: Path):
    """An MPEG stream has no frame count: OpenCV announces 944 frames of these 945."""
    with open_source(str(sequences_dir / "tld_pedestrian1")) as source:
        assert abs(sum(1 for _ in source) - (source.frame_count or 0)) <= 1


@pytest.mark.skipif(sys.platform != "linux", reason="cameras are counted in /dev")
def test_a_missing_camera_is_named():
    if Path("/dev/video63").exists():
        pytest.skip("there is a camera 63")
    with pytest.raises(MediaError, match="there is no camera 63"):
        open_source("63")
