"""Bags of both formats: round trip, several files, compression, topics, damage, stamps."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags")

from made_bags import START_NS, make_bag, moving_square

from litetrack_ros.errors import BagError
from litetrack_ros.replay.bag_reader import (
    COMPRESSED_IMAGE,
    IMAGE,
    Bag,
    decode,
    read_stamp_ns,
    replace_stamp,
    typestore,
)
from litetrack_ros.replay.bag_writer import make, make_header, record, writing_bag

STORAGES = ("mcap", "sqlite3")
REST = bytes(range(40))
LITTLE = b"\x00\x01\x00\x00" + struct.pack("<iI", 17, 250) + REST
BIG = b"\x00\x00\x00\x00" + struct.pack(">iI", 17, 250) + REST


@pytest.mark.parametrize("storage", STORAGES)
def test_a_recorded_bag_holds_every_pixel_stamp_and_box(tmp_path: Path, storage: str) -> None:
    path = make_bag(tmp_path / "bag", 5, storage)
    frames, boxes = moving_square(5)
    with Bag(path) as bag:
        topic = bag.image_topic()
        messages = list(bag.messages(topic))
        assert [m.stamp_ns for m in messages] == [
            START_NS + round(index * 1e9 / 30) for index in range(5)
        ]
        assert [m.log_ns for m in messages] == [m.stamp_ns for m in messages]
        for message, frame in zip(messages, frames, strict=True):
            image = decode(message.data, topic.type_name)
            assert image.encoding == "bgr8"
            assert np.array_equal(image.data.reshape(frame.image.shape), frame.image)
        truth = bag.topic("/ground_truth", ["litetrack_ros/msg/TrackedBoxArray"])
        found = [message.boxes[0] for _, message in bag.decoded(truth)]
        assert [(b.x, b.y, b.width, b.height) for b in found] == [tuple(b) for b in boxes]
        info_topic = bag.topic("camera/camera_info", ["sensor_msgs/msg/CameraInfo"])
        _, info = next(bag.decoded(info_topic))
        assert (info.width, info.height) == (160, 120)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("mode", ["FILE", "MESSAGE"])
def test_zstd_compressed_bags_are_read(tmp_path: Path, storage: str, mode: str) -> None:
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    plain = make_bag(tmp_path / "plain", 3, storage)
    writer = Writer(tmp_path / "packed", version=9, storage_plugin=StoragePlugin[storage.upper()])
    writer.set_compression(CompressionMode[mode], CompressionFormat.ZSTD)
    with Bag(plain) as bag, writer:
        connection = bag.connections[0]
        copy = writer.add_connection(
            connection.topic,
            connection.msgtype,
            msgdef=connection.msgdef.data,
            rihs01=connection.digest,
        )
        expected = [
            (log_ns, data) for c, log_ns, data in bag.all_messages() if c.topic == copy.topic
        ]
        for log_ns, data in expected:
            writer.write(copy, log_ns, data)
    with Bag(tmp_path / "packed") as bag:
        topic = bag.image_topic()
        assert [(m.log_ns, m.data) for m in bag.messages(topic)] == [
            (log_ns, bytes(data)) for log_ns, data in expected
        ]


def test_a_bag_of_several_files_is_read_in_order(tmp_path: Path) -> None:
    """A bag that rosbag2 has split: two files, one metadata."""
    import yaml

    first = make_bag(tmp_path / "first", 4, "sqlite3")
    frames, boxes = moving_square(4)
    record(frames, tmp_path / "second", 30.0, START_NS + 10**9, boxes, "sqlite3")
    (tmp_path / "second" / "second.db3").rename(first / "second.db3")
    path = first / "metadata.yaml"
    metadata = yaml.safe_load(path.read_text())
    information = metadata["rosbag2_bagfile_information"]
    information["relative_file_paths"].append("second.db3")
    information["message_count"] *= 2
    for topic in information["topics_with_message_count"]:
        topic["message_count"] *= 2
    path.write_text(yaml.safe_dump(metadata))
    with Bag(first) as bag:
        stamps = [message.stamp_ns for message in bag.messages(bag.image_topic())]
    assert len(stamps) == 8
    assert stamps == sorted(stamps)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("with_metadata", [True, False])
def test_truncated_files_are_told(
    tmp_path: Path, storage: str, kept: float, with_metadata: bool
) -> None:
    path = make_bag(tmp_path / "bag", 20, storage)
    file = next(p for p in path.iterdir() if p.suffix in (".mcap", ".db3"))
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    with (
        pytest.raises(BagError, match=r"truncated, damaged or foreign|is truncated"),
        Bag(path if with_metadata else file) as bag,
    ):
        list(bag.messages(bag.image_topic()))


def test_a_bag_with_fewer_messages_than_announced_is_told(tmp_path: Path) -> None:
    import sqlite3

    path = make_bag(tmp_path / "bag", 6, "sqlite3")
    connection = sqlite3.connect(path / "bag.db3")
    connection.execute("DELETE FROM messages WHERE id > 9")
    connection.commit()
    connection.close()
    with Bag(path) as bag, pytest.raises(BagError, match="only 3 of the 6 messages on /camera"):
        list(bag.messages(bag.image_topic()))


def test_paths_that_are_no_bags(tmp_path: Path) -> None:
    with pytest.raises(BagError, match="there is no bag"):
        Bag(tmp_path / "absent")
    with pytest.raises(BagError, match=r"holds no metadata\.yaml"):
        Bag(tmp_path)
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(BagError, match="cannot read the bag"):
        Bag(text)


def _write_topics(path: Path, *names: str) -> Path:
    with writing_bag(path) as bag:
        for name in names:
            message = make(
                COMPRESSED_IMAGE,
                header=make_header(10**9, "camera"),
                format="png",
                data=np.zeros(3, np.uint8),
            )
            bag.write(name, COMPRESSED_IMAGE, 10**9, message)
    return path


def test_topics_are_chosen_or_listed(tmp_path: Path) -> None:
    with Bag(_write_topics(tmp_path / "two", "/left", "/right")) as bag:
        with pytest.raises(BagError, match=r"several image topics.*--image-topic: /left, /right"):
            bag.image_topic()
        assert bag.image_topic("right").name == "/right"
        with pytest.raises(BagError, match=r"no topic /up; its topics are: /left \(sensor_msgs"):
            bag.image_topic("/up")
        with pytest.raises(BagError, match="is of type sensor_msgs/msg/CompressedImage, but must"):
            bag.topic("/left", [IMAGE])
    with Bag(_write_topics(tmp_path / "none")) as bag, pytest.raises(BagError, match="no images"):
        bag.image_topic()


def test_a_topic_without_a_message_is_told(tmp_path: Path) -> None:
    from rosbags.rosbag2 import Writer

    with Writer(tmp_path / "bag", version=9) as writer:
        writer.add_connection("/image", IMAGE, typestore=typestore())
    with Bag(tmp_path / "bag") as bag, pytest.raises(BagError, match="the bag is empty"):
        bag.image_topic()


@pytest.mark.parametrize("data", [LITTLE, BIG])
def test_only_the_stamp_is_replaced(data: bytes) -> None:
    assert read_stamp_ns(data) == 17 * 10**9 + 250
    replaced = replace_stamp(data, 1_700_000_000_999_999_999)
    assert read_stamp_ns(replaced) == 1_700_000_000_999_999_999
    assert replaced[:4] == data[:4]
    assert replaced[12:] == data[12:]


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x01\x00\x00\x01", b"\x00\x03" + LITTLE[2:], b"x" * 30]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BagError, match="no plain CDR"):
        read_stamp_ns(data)
