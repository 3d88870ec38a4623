"""Written bags: every depth of image, with and without ground truth, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags")

from made_bags import make_bag, moving_square

from litetrack_ros.errors import BagError, DatasetError
from litetrack_ros.media.sources import Frame
from litetrack_ros.replay.bag_reader import Bag, decode
from litetrack_ros.replay.bag_writer import record


@pytest.mark.parametrize(
    ("shape", "dtype", "encoding"),
    [
        ((4, 6), np.uint8, "mono8"),
        ((4, 6), np.uint16, "mono16"),
        ((4, 6, 3), np.uint8, "bgr8"),
        ((4, 6, 3), np.uint16, "bgr16"),
    ],
)
def test_recording_is_lossless_in_every_depth(
    tmp_path: Path, shape: tuple[int, ...], dtype: type, encoding: str
) -> None:
    image = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
    record([Frame("0", image)], tmp_path / "bag", 10.0, 10**9)
    with Bag(tmp_path / "bag") as bag:
        topic = bag.image_topic()
        message = decode(next(bag.messages(topic)).data, topic.type_name)
    assert message.encoding == encoding
    assert np.array_equal(message.data.view(dtype).reshape(shape), image)


def test_nothing_is_left_of_a_recording_that_failed(tmp_path: Path) -> None:
    def frames():
        yield from moving_square(3)[0]
        raise DatasetError("the fourth frame is missing")

    with pytest.raises(DatasetError):
        record(frames(), tmp_path / "bag", 30.0, 0)
    assert list(tmp_path.iterdir()) == []
    make_bag(tmp_path / "bag")
    with pytest.raises(BagError, match="exists"):
        make_bag(tmp_path / "bag")


def test_a_recorded_bag_without_ground_truth(tmp_path: Path) -> None:
    record(moving_square(2)[0], tmp_path / "bag", 30.0, 0)
    with Bag(tmp_path / "bag") as bag:
        assert {topic.name for topic in bag.topics} == {
            "/camera/image_raw",
            "/camera/camera_info",
        }
