"""``litetrack bag replay``: bad input, and comparing reports. Replays are in test/replay."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags")

from made_bags import make_bag, moving_square

from litetrack_ros.replay.recording import record
from litetrack_ros.tools.main import main

BOX = ["--init-box", "20", "40", "30", "30"]

# Options after the bag, what stands in the message.
BAD_INPUT = [
    ([], "give a bag to play"),
    (["ABSENT", *BOX], "there is no bag"),
    (["EMPTY", *BOX], "has no images; its topics are: none"),
    (["TRUNCATED", *BOX], "truncated, damaged or foreign"),
    (["NO_TRUTH"], "holds no ground truth: select the target with --init-box"),
    (["BAG", "--image-topic", "/left"], "no topic /left; its topics are: /camera/camera_info ("),
    (["BAG", "--image-topic", "/ground_truth"], "is of type litetrack_ros/msg/TrackedBoxArray"),
    (["BAG", "--init-topic", "/camera/camera_info"], "is of type sensor_msgs/msg/CameraInfo"),
    (["BAG", "--ground-truth", "/boxes"], "no topic /boxes"),
    (["BAG", "--ground-truth", "WORDS"], "expected x,y,w,h"),
    (["BAG", "--ground-truth", "WORDS.csv"], "lacks the columns stamp_ns, x, y, width, height"),
    (["BAG", "--init-box", "160", "0", "9", "9"], "lies outside the 160x120 image"),
    (["BAG", "--init-box", "10", "10", "0", "9"], "has no positive width and height"),
    (["BAG", "--init-box", "nan", "1", "2", "3"], "not finite"),
    (["BAG", "--rate", "0"], "--rate must be from 0.01 to 100"),
    (["BAG", "--rate", "nan"], "--rate must be"),
    (["BAG", "--loop", "0"], "--loop must be"),
    (["BAG", "--start", "99"], "check --start and --duration"),
    (["BAG", "--duration", "-1"], "--duration must be above 0"),
    (["BAG", "--warm-up", "-1"], "--warm-up must be"),
    (["BAG", "--fail-if", "p95 too high"], "is no condition"),
    (["BAG", "--mode", "peak", "--save-txt", "x.txt"], "--save-txt does not go with --mode peak"),
]


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Bags and files that the table names."""
    from rosbags.rosbag2 import Writer

    folder = tmp_path_factory.mktemp("bags")
    make_bag(folder / "bag", 3)
    record(moving_square(3)[0], folder / "no_truth", 30.0, 0)
    truncated = make_bag(folder / "truncated", 3) / "truncated.mcap"
    truncated.write_bytes(truncated.read_bytes()[:60_000])
    with Writer(folder / "empty", version=9):
        pass
    for name in ("words", "words.csv"):
        (folder / name).write_text("once upon a time\n")
    names = ("bag", "no_truth", "truncated", "empty", "words", "words.csv", "absent")
    return {name.replace("words", "WORDS", 1) if "." in name else name.upper(): str(folder / name)
            for name in names}  # fmt: skip


@pytest.mark.ros
@pytest.mark.parametrize(("options", "reason"), BAD_INPUT, ids=lambda v: str(v)[-40:])
def test_bad_input_is_told_in_a_sentence(
    places: dict[str, str], capsys: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    assert main(["bag", "replay", *(places.get(word, word) for word in options)]) == 2
    message = capsys.readouterr().err
    assert reason in message
    assert message.startswith("litetrack: ")
    assert message.count("\n") == 1


def _write_report(path: Path, **figures: float | None) -> str:
    path.write_text(json.dumps({"figures": figures}))
    return str(path)


def test_reports_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = _write_report(tmp_path / "before.json", latency_p95_ms=40.0, answered=100, gone=None)
    second = _write_report(tmp_path / "after.json", latency_p95_ms=30.0, answered=100, new=1.5)
    assert main(["bag", "replay", "--compare", first, second]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["figure", "before", "after", "difference", "%"]
    assert lines[2].split() == ["latency_p95_ms", "40", "30", "-10.000", "-25.0"]
    assert lines[3].split() == ["answered", "100", "100", "+0.000", "+0.0"]
    assert lines[4].split() == ["new", "-", "1.500", "-", "-"]
    assert len(lines) == 5


def test_what_is_no_report_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = _write_report(tmp_path / "a.json", answered=1)
    (tmp_path / "b.json").write_text("[]")
    assert main(["bag", "replay", "--compare", good, str(tmp_path / "b.json")]) == 2
    assert "b.json is no report of litetrack bag replay" in capsys.readouterr().err


def test_boxes_of_a_csv_file_find_their_frames(tmp_path: Path) -> None:
    from litetrack_ros.replay.ground_truth import boxes_by_frame, read_box_file

    path = tmp_path / "boxes.csv"
    path.write_text("stamp_ns,x,y,width,height\n1000,1,2,3,4\n1290,5,6,7,8\n9000,9,9,9,9\n")
    boxes = read_box_file(path)
    assert isinstance(boxes, list)
    found, unused = boxes_by_frame(boxes, [1000, 1100, 1200, 1300])
    assert unused == 1
    assert found[0].tolist() == [1, 2, 3, 4]
    assert found[3].tolist() == [5, 6, 7, 8]
    assert np.isnan(found[1:3]).all()
