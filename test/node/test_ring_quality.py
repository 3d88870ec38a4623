"""What the ring's reduced images cost a target: caught up from them, and from whole ones.

On real pictures, also made smaller so that their targets are of some 24 px; the ring's memory is
made smaller with them, so that images are reduced as those of a 1080p30 camera are by default.
"""

from __future__ import annotations

import functools
import itertools
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

from litetrack_ros.backends.base import Backend
from litetrack_ros.backends.registry import open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.datasets.sequences import AnnotatedSequence, find_sequences
from litetrack_ros.geometry import overlap
from litetrack_ros.node import starting
from litetrack_ros.node.conversion import convert_image
from litetrack_ros.node.frames import Fate, FrameRing, FrameSlot, ReceivedFrame
from litetrack_ros.node.init_boxes import catch_up
from litetrack_ros.node.parameters import BY_NAME
from litetrack_ros.node.reduction import ReducedImage, RingKeeper
from litetrack_ros.node.requests import InitRequest, RequestDesk
from litetrack_ros.node.settings import WorkerSettings
from litetrack_ros.node.starting import TargetStarter
from litetrack_ros.tracker.tracker import MultiTracker

pytestmark = pytest.mark.slow

DEVELOPMENT = Path(__file__).resolve().parents[3] / "shared" / "development"
# Starts in a sequence; the full figures are those of 24.
STARTS = int(os.environ.get("LITETRACK_RING_STARTS", "1"))
RATE_HZ = 30
AGES_S = (0.3, 0.6, 1.0, 1.5, 2.0, 2.5, 3.0)
STEP_MS = 15.0  # that a step of catching up takes
SMALLEST_PX = 24.0  # root of a target's area
FULL_HD = 1920 * 1080


class Start(NamedTuple):
    """A selection: on which frame, and which is the newest."""

    drawn: int
    newest: int


@pytest.fixture(scope="module")
def backend() -> Backend:
    pytest.importorskip("onnxruntime")
    return open_backend(ModelChoice(backend="onnx"))


@pytest.fixture
def steady_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of catching up take the same time, however busy the machine is."""
    times_s = itertools.count(0.0, 1e-3 * STEP_MS)
    ticking = functools.partial(catch_up, clock=lambda: next(times_s))
    monkeypatch.setattr(starting, "catch_up", ticking)


def _pictures(sequence: AnnotatedSequence, scale: float) -> list[Any]:
    pictures = []
    for frame in sequence.frames():
        size = [round(scale * side) for side in frame.image.shape[1::-1]]
        pictures.append(
            frame.image if scale == 1 else cv2.resize(frame.image, size, None, 0, 0, cv2.INTER_AREA)
        )
    return pictures


def _starts(boxes: np.ndarray, name: str) -> Iterator[Start]:
    """Frames in which the target is there and large enough, and later ones in which it is."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    sizes = np.sqrt(np.prod(boxes[:, 2:], axis=1))
    found = 0
    for _ in range(50 * STARTS):
        age = round(RATE_HZ * rng.choice(AGES_S))
        newest = int(rng.integers(age, len(boxes)))
        if sizes[newest - age] >= SMALLEST_PX and sizes[newest] > 0 and found < STARTS:
            found += 1
            yield Start(newest - age, newest)


def _message(image: np.ndarray) -> Any:
    height, width = image.shape[:2]
    return SimpleNamespace(
        header=None,
        height=height,
        width=width,
        encoding="bgr8",
        is_bigendian=0,
        step=image.strides[0],
        data=image.tobytes(),
    )


def _box_after(
    backend: Backend, messages: list[Any], box_xywh: np.ndarray, start: Start, ring_bytes: int
) -> tuple[np.ndarray, bool]:
    """The box in the newest frame, and whether the target started on a reduced one."""
    slot = FrameSlot(FrameRing(BY_NAME["ring_s"].default, ring_bytes))
    keeper = RingKeeper(slot, convert_image)
    for index, message in enumerate(messages[: start.newest + 1]):
        if index < start.newest - 1.1 * RATE_HZ * BY_NAME["ring_s"].default:
            continue
        size = message.step * message.height
        slot.put(ReceivedFrame(1 + index, message, size, index / RATE_HZ))
        if index < start.newest:
            frame = slot.take()
            assert frame is not None
            slot.settle(frame, Fate.PROCESSED)
            while keeper.reduce_next(0.0):
                pass
    drawn = next(frame for frame in slot.frames() if frame.stamp_ns == 1 + start.drawn)
    settings = WorkerSettings(backend.tracker_config, BY_NAME["catch_up_max_ms"].default, 0.0, 1e3)
    desk = RequestDesk()
    tracker = MultiTracker(backend, settings.tracker_config)
    starter = TargetStarter(
        tracker,
        lambda: settings,
        slot,
        desk,
        convert_image,
        lambda _: None,
        lambda _: "",
        lambda: False,
    )
    starter.step_ms = STEP_MS
    x, y, width, height = (float(value) for value in box_xywh)
    request = InitRequest("a", drawn.stamp_ns, (x, y, width, height), 1e9, None)
    desk.put(request)
    started = starter.start_in_the_past(request, drawn, None)
    if started is None:  # lost for good
        return np.zeros(4), isinstance(drawn.message, ReducedImage)
    result = started.tracker.update(*convert_image(messages[start.newest]))[0]
    return result.box_xywh, isinstance(drawn.message, ReducedImage)


def test_a_reduced_ring_serves_nearly_as_well_as_a_whole_one(
    backend: Backend, steady_clock: None
) -> None:
    if not DEVELOPMENT.is_dir():
        pytest.skip(f"no development sequences: {DEVELOPMENT} does not exist")
    reached = []
    for sequence in find_sequences([DEVELOPMENT]):
        size = float(np.sqrt(np.prod(sequence.boxes_xywh[0, 2:])))
        for scale in sorted({1.0, min(1.0, 1.2 * SMALLEST_PX / size)}):
            boxes = sequence.boxes_xywh * scale
            starts = list(_starts(boxes, sequence.name))
            if not starts:
                continue
            messages = [_message(picture) for picture in _pictures(sequence, scale)]
            area = messages[0].width * messages[0].height
            for start in starts:
                overlaps, small = [], False
                for share in (1.0, 1e3):
                    ring_bytes = round(share * 1e6 * BY_NAME["ring_mb"].default * area / FULL_HD)
                    box, was_reduced = _box_after(
                        backend, messages, boxes[start.drawn], start, ring_bytes
                    )
                    overlaps.append(float(overlap(box, boxes[start.newest])))
                    small |= was_reduced
                if small:
                    px = float(np.sqrt(np.prod(boxes[start.drawn, 2:])))
                    reached.append((px, (start.newest - start.drawn) / RATE_HZ, *overlaps))
    values = np.array(reached)
    right = values[:, 2:] >= 0.5
    for low, high in ((24, 36), (36, 72), (72, 1000)):
        some = right[(values[:, 0] >= low) & (values[:, 0] < high)]
        print(f"{low} to {high} px: {len(some)} starts, right {some.mean(axis=0)}")
    reduced, whole = right.mean(axis=0)
    print(f"{len(right)} starts on reduced images: right {reduced:.3f}, of whole ones {whole:.3f}")
    assert reduced >= 0.9 * whole
