"""Replays over real DDS: boxes, stages, losses, faults in mid-run; the search for the peak rate."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rosbags")

pytest.importorskip("rclpy")

from made_bags import make_bag, moving_square

from litetrack_ros.replay.run import mean_without_extremes, search_peak_rate

pytestmark = pytest.mark.ros

SLOW_NODE = (sys.executable, str(Path(__file__).with_name("slow_node.py")))


def _library_boxes(model: Path, count: int) -> np.ndarray:
    import torch

    from litetrack_ros.backends.registry import open_backend
    from litetrack_ros.config import ModelChoice
    from litetrack_ros.tracker.tracker import Tracker

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the node's process
    try:
        frames, boxes = moving_square(count)
        tracker = Tracker(open_backend(ModelChoice(str(model), backend="torch")))
        results = [tracker.init(frames[0].image, boxes[0])]
        results += [r for f in frames[1:] if (r := tracker.update(f.image)) is not None]
    finally:
        torch.set_num_threads(threads)
    return np.stack([result.box_xywh for result in results])


@pytest.mark.parametrize("storage", ["mcap", pytest.param("sqlite3", marks=pytest.mark.slow)])
def test_lockstep_gives_the_boxes_of_the_library(
    run_bag: Callable[..., Any], tiny_model: Path, tmp_path: Path, storage: str
) -> None:
    from litetrack_ros.datasets.sequences import read_boxes
    from litetrack_ros.replay.bag_reader import Bag, header_stamp_ns

    bag = make_bag(tmp_path / "bag", 30, storage)
    text, copy = tmp_path / "boxes.txt", tmp_path / "copy"
    options = ("--mode", "lockstep", "--save-txt", str(text), "--write-boxes", str(copy))
    run = run_bag(bag, *options)
    assert run.status == 0
    expected = _library_boxes(tiny_model, 30)
    assert read_boxes(text) == pytest.approx(expected, abs=1e-3)
    assert run.figures["answered"] == run.figures["frames_published"] == 30
    assert [row["fate"] for row in run.rows] == ["answered"] * 30
    assert run.report["metadata"]["node"]["backend"] == "torch"
    with Bag(bag) as original, Bag(copy) as copied:
        topic = copied.topic("/litetrack/tracked_boxes", ["litetrack_ros/msg/TrackedBoxArray"])
        stamps = [m.stamp_ns for m in original.messages(original.image_topic())]
        # In the order of their arrival, which is not that of the images where one took long.
        found = sorted(
            ((header_stamp_ns(m), b) for _, m in copied.decoded(topic) for b in m.boxes),
            key=lambda pair: pair[0],
        )
        assert [stamp_ns for stamp_ns, _ in found] == stamps
        boxes = [(b.x, b.y, b.width, b.height) for _, b in found]
        assert np.array(boxes) == pytest.approx(expected, abs=1e-3)
        images = [m.data for m in copied.messages(copied.image_topic())]
        assert images == [m.data for m in original.messages(original.image_topic())]
        timing = copied.topic("/litetrack/timing", ["litetrack_ros/msg/FrameTiming"])
        assert timing.message_count == 30


@pytest.mark.parametrize(
    "stage",
    ["model", *(pytest.param(s, marks=pytest.mark.slow) for s in ("conversion", "crop", "decode"))],
)
def test_a_known_delay_shows_in_the_median_of_its_stage(
    run_bag: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setenv("DELAY_STAGE", stage)
    monkeypatch.setenv("DELAY_S", "0.04")
    monkeypatch.setenv("DELAY_LOG", str(tmp_path / "delays.txt"))
    bag = make_bag(tmp_path / "bag", 40)
    run = run_bag(bag, "--mode", "lockstep", node_command=SLOW_NODE)
    # The last calls are those of the frames after the warm-up.
    took_ms = np.loadtxt(tmp_path / "delays.txt")[-(40 - int(run.figures["warm_up_frames"])) :]
    assert np.median(took_ms) >= 40
    assert run.figures[f"{stage}_p50_ms"] == pytest.approx(np.median(took_ms), abs=1.0)
    for other in {"conversion", "crop", "decode", "publish"} - {stage}:
        assert run.figures[f"{other}_p50_ms"] < 5
    assert run.figures["total_p50_ms"] >= 40
    assert run.figures["latency_p50_ms"] >= run.figures["total_p50_ms"]


def test_streaming_accuracy_falls_as_the_delay_grows(
    run_bag: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELAY_STAGE", "truth")
    bag = make_bag(tmp_path / "bag", 45)
    streaming, offline = [], []
    for delay_s in ("0", "0.15", "0.4"):
        monkeypatch.setenv("DELAY_S", delay_s)
        run = run_bag(bag, node_command=SLOW_NODE)
        streaming.append(run.figures["streaming_ao"])
        offline.append(run.figures["accuracy_ao"])
    assert offline == pytest.approx([1.0] * 3)
    assert streaming[0] > streaming[1] > streaming[2]


def test_frames_that_the_player_skips_are_exactly_those_lost_in_transport(
    run_bag: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from litetrack_ros.replay.session import Participant

    skipped, sent = {7, 8, 19}, iter(range(100))
    publish = Participant.publish_image

    def publish_most(self: Participant, data: bytes) -> None:
        if next(sent) not in skipped:
            publish(self, data)

    monkeypatch.setattr(Participant, "publish_image", publish_most)
    run = run_bag(make_bag(tmp_path / "bag", 24, fps=10.0))
    assert run.figures["lost_in_transport"] == 3
    fates = [row["fate"] for row in run.rows]
    assert {at for at, fate in enumerate(fates) if fate == "lost_in_transport"} == skipped
    assert set(fates) == {"answered", "lost_in_transport"}


def test_frames_that_come_too_fast_are_replaced_in_the_node(
    run_bag: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELAY_STAGE", "model")
    monkeypatch.setenv("DELAY_S", "0.15")
    monkeypatch.setenv("DELAY_LOG", str(tmp_path / "delays.txt"))
    run = run_bag(make_bag(tmp_path / "bag", 50), "--fail-if", "replaced > 5",
                  node_command=SLOW_NODE)  # fmt: skip
    assert run.status == 1
    figures = run.figures
    kinds = ("lost_in_transport", "replaced", "caught_up", "never_answered", "answered")
    assert sum(figures[kind] for kind in kinds) == 50
    assert figures["replaced"] > 20
    assert figures["output_rate_hz"] == pytest.approx(1 / 0.15, rel=0.25)


def test_a_node_that_dies_leaves_a_report(
    run_bag: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DELAY_STAGE", "die")
    monkeypatch.setenv("DIE_AT", "12")
    run = run_bag(make_bag(tmp_path / "bag", 40), node_command=SLOW_NODE)
    assert run.status == 3
    assert "the node ended with status 9" in capsys.readouterr().err
    assert "the node ended with status 9" in run.report["failure"]
    assert 5 <= run.figures["answered"] < 40
    assert run.figures["never_answered"] >= 1
    page = (run.folder / "report.html").read_text()
    assert "the node ended with status 9" in page
    assert page.count("data-root-id") == 4 and page.endswith("</html>")


def test_without_the_extra_the_figures_are_still_written(
    run_bag: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)  # makes its import raise
    run = run_bag(make_bag(tmp_path / "bag", 12))
    assert run.status == 0
    told = (
        "report.json without a page: jinja2 is not installed: pip install 'litetrack_ros[report]'"
    )
    assert told in capsys.readouterr().out
    assert run.figures["frames_published"] == 12
    assert not (run.folder / "report.html").exists()


def test_a_node_that_does_not_start_is_told_with_its_reason(
    run_bag: Callable[..., Any], tmp_path: Path
) -> None:
    from litetrack_ros.errors import ReplayError

    bag = make_bag(tmp_path / "bag", 4)
    with pytest.raises(ReplayError, match=r"the node ended with status 1: .*no model file"):
        run_bag(bag, "--model", "/no/such/model.safetensors")


@pytest.mark.slow
def test_compressed_images_and_a_target_selected_by_a_topic(
    run_bag: Callable[..., Any], tmp_path: Path
) -> None:
    """PNG images; the init box comes with the fourth."""
    from litetrack_ros.datasets.sequences import read_boxes
    from litetrack_ros.opencv import cv2
    from litetrack_ros.replay.bag_reader import COMPRESSED_IMAGE, INIT_BOX
    from litetrack_ros.replay.bag_writer import make, make_header, writing_bag

    frames, boxes = moving_square(12)
    with writing_bag(tmp_path / "bag") as writer:
        for index, frame in enumerate(frames):
            stamp_ns = 10**18 + index * 10**8
            header = make_header(stamp_ns, "camera")
            data = cv2.imencode(".png", frame.image)[1].reshape(-1)
            image = make(COMPRESSED_IMAGE, header=header, format="png", data=data)
            writer.write("/camera/image_raw/compressed", COMPRESSED_IMAGE, stamp_ns, image)
            if index == 3:
                fields = dict(zip(("x", "y", "width", "height"), boxes[3].tolist(), strict=True))
                init = make(INIT_BOX, header=header, target_id="", **fields)
                writer.write("/init", INIT_BOX, stamp_ns + 5, init)
    text = tmp_path / "boxes.txt"
    run = run_bag(tmp_path / "bag", "--init-topic", "/init", "--mode", "lockstep",
                  "--save-txt", str(text))  # fmt: skip
    assert run.status == 0
    found = read_boxes(text)
    assert np.isnan(found[:3]).all()
    assert found[3].tolist() == boxes[3].tolist()
    assert np.isfinite(found[4:]).all()
    assert run.figures["answered"] == 12


def test_a_bag_that_turns_out_damaged_leaves_a_report(
    run_bag: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import sqlite3

    bag = make_bag(tmp_path / "bag", 12, "sqlite3")
    with sqlite3.connect(bag / "bag.db3") as connection:
        connection.execute("DELETE FROM messages WHERE id > 24")  # three topics: 8 frames are left
    run = run_bag(bag)
    assert run.status == 3
    assert "only 8 of the 12 messages on /camera/image_raw" in capsys.readouterr().err
    assert len(run.rows) == 8
    assert "is truncated" in run.report["failure"]


@pytest.mark.slow
def test_the_peak_rate_is_that_of_the_slow_stage(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from litetrack_ros.config import ModelChoice
    from litetrack_ros.replay.bag_reader import Bag
    from litetrack_ros.replay.player import InitialTarget, preload
    from litetrack_ros.replay.playlist import Playlist
    from litetrack_ros.replay.run import measure_peak
    from litetrack_ros.replay.session import NodeSettings

    monkeypatch.setenv("DELAY_STAGE", "model")
    monkeypatch.setenv("DELAY_S", "0.05")
    monkeypatch.setenv("DELAY_LOG", str(tmp_path / "delays.txt"))
    with Bag(make_bag(tmp_path / "bag", 20)) as bag:
        loaded = preload(Playlist(bag, bag.image_topic()), 10**9)
    model = ModelChoice(str(tiny_model), "torch")
    settings = NodeSettings(model, False, tmp_path / "log", command=SLOW_NODE)
    said: list[str] = []
    init = InitialTarget(0, (20.0, 40.0, 30.0, 30.0))
    figures = measure_peak(loaded, init, settings, said.append, runs=1, run_s=1.0)
    # A step takes 50 ms: at most 20 a second, and a busy machine manages less.
    assert 4 < figures["peak_rate_hz"] <= 20.5
    assert figures["latency_p50_at_50_percent_ms"] >= 50
    assert len(said) == 4


@pytest.mark.parametrize("capacity_hz", [0.9, 7.0, 20.0, 33.3, 250.0, 1999.0])
@pytest.mark.parametrize("first_hz", [5.0, 20.0, 400.0])
def test_the_capacity_is_found(capacity_hz: float, first_hz: float) -> None:
    asked: list[float] = []

    def missed_at(rate_hz: float) -> float:
        asked.append(rate_hz)
        return max(0.0, 1 - capacity_hz / rate_hz)

    found = search_peak_rate(missed_at, first_hz)
    # At most 1 % missed: up to 1.01 times the capacity; the search stops within 4 %.
    assert capacity_hz / 1.04 < found <= 1.0102 * capacity_hz
    assert len(asked) < 25


def test_a_node_without_end_and_one_without_answers() -> None:
    assert search_peak_rate(lambda rate: 0.0) >= 5000
    assert search_peak_rate(lambda rate: 1.0) == 0


@pytest.mark.parametrize(
    ("values", "expected"), [([9, 1, 2, 3, 100], 14 / 3), ([5.0], 5), ([4, 6], 5), ([1, 2, 9], 2)]
)
def test_the_best_and_the_worst_are_left_out(values: list[float], expected: float) -> None:
    assert mean_without_extremes(values) == pytest.approx(expected)
