"""``litetrack bag replay``: bad input. Replays are in test/replay."""

from __future__ import annotations

import pytest

pytest.importorskip("rosbags")

from made_bags import make_bag, moving_square

from litetrack_ros.replay.bag_writer import record
from litetrack_ros.tools.main import main

BOX = ["--init-box", "20", "40", "30", "30"]

# Options after the bag, what stands in the message.
BAD_INPUT = [
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


def test_a_bag_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bag", "replay", *BOX])
    assert ended.value.code == 2
    assert "the following arguments are required: BAG" in capsys.readouterr().err
