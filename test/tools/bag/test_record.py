"""``litetrack bag record``: from sequences, folders and videos to bags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags")

from litetrack_ros.replay.bag_reader import BOX_TYPES, Bag, decode
from litetrack_ros.tools.main import main


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_sequence_with_its_ground_truth(
    square_sequence: Path, square_frames: list[np.ndarray], tmp_path: Path, storage: str
) -> None:
    output = tmp_path / "bag"
    options = ["-o", str(output), "--fps", "10", "--storage", storage]
    assert main(["bag", "record", str(square_sequence), *options]) == 0
    with Bag(output) as bag:
        topic = bag.image_topic()
        messages = list(bag.messages(topic))
        assert np.diff([m.stamp_ns for m in messages]).tolist() == [100_000_000] * 11
        for message, expected in zip(messages, square_frames, strict=True):
            image = decode(message.data, topic.type_name)
            assert image.header.frame_id == "camera"
            assert np.array_equal(image.data.reshape(expected.shape), expected)
        boxes = bag.boxes(bag.topic("/ground_truth", BOX_TYPES))
        assert [b.stamp_ns for b in boxes] == [m.stamp_ns for m in messages]
        assert boxes[3].box_xywh.tolist() == [29, 40, 30, 30]
        assert np.isnan(boxes[5].box_xywh).all()


def test_a_folder_has_no_ground_truth(square_sequence: Path, tmp_path: Path) -> None:
    assert (
        main(["bag", "record", str(square_sequence / "frames"), "-o", str(tmp_path / "bag")]) == 0
    )
    with Bag(tmp_path / "bag") as bag:
        assert {t.name for t in bag.topics} == {"/camera/image_raw", "/camera/camera_info"}
        assert bag.image_topic().message_count == 12


def test_a_video_keeps_its_rate(square_frames: list[np.ndarray], tmp_path: Path) -> None:
    from litetrack_ros.media.writers import writing_video

    with writing_video(tmp_path / "video.mp4", 25.0) as video:
        for frame in square_frames:
            video.write(frame)
    assert main(["bag", "record", str(tmp_path / "video.mp4"), "-o", str(tmp_path / "bag")]) == 0
    with Bag(tmp_path / "bag") as bag:
        stamps = [m.stamp_ns for m in bag.messages(bag.image_topic())]
    assert np.diff(stamps).tolist() == [40_000_000] * 11


def test_the_drawn_scene_needs_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from litetrack_ros.tools.bag import record

    monkeypatch.setattr(record, "DEMO_FRAMES", 4)
    assert main(["bag", "record", "demo", "-o", str(tmp_path / "bag")]) == 0
    with Bag(tmp_path / "bag") as bag:
        assert bag.image_topic().message_count == 4
        boxes = bag.boxes(bag.topic("/ground_truth", BOX_TYPES))
        assert all(np.isfinite(b.box_xywh).all() for b in boxes)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["SEQUENCE", "--fps", "0"], "--fps must be above 0"),
        (["SEQUENCE", "--fps", "nan"], "--fps must be above 0"),
        (["/no/such/video.mp4"], "there is no video file"),
        (["EMPTY"], "holds no images"),
    ],
)
def test_bad_input(
    square_sequence: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    reason: str,
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"SEQUENCE": str(square_sequence), "EMPTY": str(tmp_path / "empty")}
    words = [places.get(word, word) for word in options]
    assert main(["bag", "record", *words, "-o", str(tmp_path / "bag")]) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "bag").exists()


def test_an_existing_bag_is_not_overwritten(
    square_sequence: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bag", "record", str(square_sequence), "-o", str(tmp_path / "bag")]
    assert main(words) == 0
    assert main(words) == 2
    assert "exists: give another name" in capsys.readouterr().err
