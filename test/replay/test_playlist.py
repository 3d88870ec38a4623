"""What is played of a bag: times, passes, parts of it, damage on the way; boxes for its frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags")

from made_bags import START_NS, make_bag, moving_square

from litetrack_ros.errors import BagError
from litetrack_ros.replay.bag_reader import COMPRESSED_IMAGE, Bag, BagMessage
from litetrack_ros.replay.bag_writer import make, make_header, writing_bag
from litetrack_ros.replay.playlist import (
    PlayedMessage,
    Playlist,
    StampCheck,
    boxes_by_frame,
    read_ahead,
    read_box_file,
)


@pytest.fixture
def bag(tmp_path: Path) -> Bag:
    """Six frames, 100 ms apart."""
    return Bag(make_bag(tmp_path / "bag", 6, fps=10.0))


@pytest.mark.parametrize(
    ("options", "frames", "due_s"),
    [
        ({}, [0, 1, 2, 3, 4, 5], [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"rate": 2.0}, [0, 1, 2, 3, 4, 5], [0, 0.05, 0.1, 0.15, 0.2, 0.25]),
        ({"start_s": 0.25}, [0, 1, 2], [0, 0.1, 0.2]),
        ({"start_s": 0.25, "duration_s": 0.2}, [0, 1], [0, 0.1]),
        ({"duration_s": 0.15, "loops": 3}, [0, 1, 0, 1, 0, 1], [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    ],
)
def test_what_is_played_and_when(
    bag: Bag, options: dict[str, float], frames: list[int], due_s: list[float]
) -> None:
    playlist = Playlist(bag, bag.image_topic(), **options)  # type: ignore[arg-type]
    played = list(playlist.messages())
    assert [m.index for m in played] == list(range(len(frames)))
    assert [m.frame for m in played] == frames
    assert [m.due_s for m in played] == pytest.approx(due_s, abs=1e-6)
    first = 3 if "start_s" in options else 0
    assert played[0].recorded_ns == START_NS + first * 10**8
    assert playlist.recorded_ns == [m.recorded_ns for m in played[: max(frames) + 1]]
    assert playlist.stamps.warning == ""


def test_nothing_in_the_time_asked_for(bag: Bag) -> None:
    with pytest.raises(BagError, match="check --start and --duration"):
        list(Playlist(bag, bag.image_topic(), start_s=7.0).messages())


def test_a_frame_is_found_by_its_stamp(bag: Bag) -> None:
    playlist = Playlist(bag, bag.image_topic(), start_s=0.15)
    assert playlist.frame_of(START_NS + 400_000_000) == 2
    assert playlist.frame_of(START_NS + 330_000_000) == 1
    assert playlist.frame_of(0) == 0
    assert playlist.frame_of(2 * START_NS) == 3
    assert playlist.nth(2).stamp_ns == START_NS + 400_000_000


def test_stamps_that_go_back_are_counted(tmp_path: Path) -> None:
    with writing_bag(tmp_path / "bag") as writer:
        for at, stamp_ns in enumerate((10, 20, 20, 15, 30)):
            message = make(
                COMPRESSED_IMAGE,
                header=make_header(stamp_ns, ""),
                format="png",
                data=_png(),
            )
            writer.write("/image/compressed", COMPRESSED_IMAGE, 1000 + at, message)
    with Bag(tmp_path / "bag") as bag:
        playlist = Playlist(bag, bag.image_topic(), loops=2)
        assert playlist.image_size(playlist.nth(0)) == (160, 120)
        assert len(list(playlist.messages())) == 10
    assert (playlist.stamps.out_of_order, playlist.stamps.repeated) == (1, 1)


def _png():
    from litetrack_ros.opencv import cv2

    return cv2.imencode(".png", moving_square(1)[0][0].image)[1].reshape(-1)


def test_damage_found_while_reading_ahead_is_raised_where_it_is_used() -> None:
    def messages():
        for index in range(3):
            yield PlayedMessage(index, index, 0, 0.0, b"")
        raise BagError("the bag is truncated")

    read = []
    with pytest.raises(BagError, match="the bag is truncated"):
        for message in read_ahead(messages(), 8):
            read.append(message.index)
    assert read == [0, 1, 2]


def test_reading_ahead_is_bounded() -> None:
    taken = []

    def messages():
        for index in range(1000):
            taken.append(index)
            yield PlayedMessage(index, index, 0, 0.0, b"")

    iterator = read_ahead(messages(), 4)
    next(iterator)
    iterator.close()
    assert len(taken) < 20


@pytest.mark.parametrize(
    ("stamps", "out_of_order", "repeated"),
    [((1, 2, 3), 0, 0), ((1, 1, 2, 2), 0, 2), ((5, 3, 4, 1), 2, 0), ((), 0, 0)],
)
def test_stamps_that_do_not_increase_are_counted(
    stamps: tuple[int, ...], out_of_order: int, repeated: int
) -> None:
    check = StampCheck()
    for stamp in stamps:
        check.add(BagMessage(0, stamp, b""))
    assert (check.out_of_order, check.repeated) == (out_of_order, repeated)
    assert bool(check.warning) == bool(out_of_order or repeated)
    if check.warning:
        assert f"{out_of_order} go back, {repeated} are repeated" in check.warning


def test_boxes_of_a_csv_file_find_their_frames(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("stamp_ns,x,y,width,height\n1000,1,2,3,4\n1290,5,6,7,8\n9000,9,9,9,9\n")
    boxes = read_box_file(path)
    assert isinstance(boxes, list)
    found, unused = boxes_by_frame(boxes, [1000, 1100, 1200, 1300])
    assert unused == 1
    assert found[0].tolist() == [1, 2, 3, 4]
    assert found[3].tolist() == [5, 6, 7, 8]
    assert np.isnan(found[1:3]).all()
