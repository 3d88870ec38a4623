"""Videos appear whole or not at all."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from litetrack_ros.errors import MediaError
from litetrack_ros.media.writers import DEFAULT_FPS, fit_image, writing_video


def read_video(path: Path) -> tuple[float, list[np.ndarray]]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return capture.get(cv2.CAP_PROP_FPS), frames


@pytest.mark.parametrize(("fps", "expected"), [(12.5, 12.5), (None, DEFAULT_FPS)])
def test_frames_and_rate_come_back(tmp_path: Path, fps: float | None, expected: float):
    path = tmp_path / "v.mp4"
    with writing_video(path, fps) as video:
        for level in (0, 100, 200):
            video.write(np.full((48, 64, 3), level, np.uint8))
        assert not path.exists()
    rate, frames = read_video(path)
    assert rate == expected
    assert [round(float(frame.mean()), -1) for frame in frames] == [0, 100, 200]
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]


def test_odd_sizes_lose_no_column(tmp_path: Path):
    image = np.full((47, 63, 3), 200, np.uint8)
    with writing_video(tmp_path / "v.mp4", 25) as video:
        video.write(image)
    (frame,) = read_video(tmp_path / "v.mp4")[1]
    assert frame.shape == (48, 64, 3)
    assert frame[:47, :63].min() > 150


def test_frames_of_other_sizes_are_fitted(tmp_path: Path):
    with writing_video(tmp_path / "v.mp4", 25) as video:
        for height, width in ((40, 60), (80, 60), (20, 300)):
            video.write(np.full((height, width, 3), 200, np.uint8))
    frames = read_video(tmp_path / "v.mp4")[1]
    assert [frame.shape for frame in frames] == [(40, 60, 3)] * 3


def test_an_error_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "v.mp4"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError), writing_video(path, 25) as video:
        video.write(np.zeros((8, 8, 3), np.uint8))
        raise RuntimeError
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]


def test_no_frame_no_video(tmp_path: Path):
    with pytest.raises(MediaError, match="no frame"), writing_video(tmp_path / "v.mp4", 25):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["v.avi", "v"])
def test_other_formats_are_refused(tmp_path: Path, name: str):
    with pytest.raises(MediaError, match=r"v\.mp4"), writing_video(tmp_path / name, 25):
        pass


@pytest.mark.parametrize(
    ("shape", "inside"),
    [
        ((40, 60), (slice(0, 40), slice(0, 60))),  # as it is
        ((39, 59), (slice(0, 39), slice(0, 59))),  # padded, not scaled
        ((20, 30), (slice(0, 40), slice(0, 60))),  # scaled up
        ((40, 30), (slice(0, 40), slice(15, 45))),  # bars to both sides
    ],
)
def test_fitting_keeps_the_shape(shape: tuple[int, int], inside: tuple[slice, slice]):
    fitted = fit_image(np.full((*shape, 3), 200, np.uint8), 60, 40)
    expected = np.zeros((40, 60, 3), np.uint8)
    expected[inside] = 200
    np.testing.assert_array_equal(fitted, expected)
