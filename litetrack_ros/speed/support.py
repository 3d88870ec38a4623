"""What a bug report needs beside a check of the installation: one paste, without user or host."""

import itertools
import os
import platform
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from litetrack_ros.backends.registry import find_model, open_backend
from litetrack_ros.config import ModelChoice
from litetrack_ros.errors import LiteTrackError
from litetrack_ros.machine import describe
from litetrack_ros.manifest import file_sha256
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tracker.tracker import Tracker

BENCHMARK_S = 10.0

_SCENE_FRAMES = 60
_MIN_STEPS = 8  # two a quarter
# What decides how messages travel. Profiles are named, not shown: they may hold addresses.
_DDS_VARIABLES = (
    "ROS_DISTRO",
    "ROS_DOMAIN_ID",
    "RMW_IMPLEMENTATION",
    "ROS_AUTOMATIC_DISCOVERY_RANGE",
    "ROS_LOCALHOST_ONLY",
    "ROS_STATIC_PEERS",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
    "FASTDDS_DEFAULT_PROFILES_FILE",
    "FASTDDS_BUILTIN_TRANSPORTS",
    "RMW_FASTRTPS_USE_QOS_FROM_XML",
    "CYCLONEDDS_URI",
    "ZENOH_ROUTER_CONFIG_URI",
)
_SHOWN_BY_PRESENCE = ("ROS_STATIC_PEERS", "CYCLONEDDS_URI")


def report(choice: ModelChoice, duration_s: float = BENCHMARK_S) -> Iterator[str]:
    """Lines about the machine, the model's files, its speed and the DDS settings.

    Args:
        choice: the model to hash and to measure.
        duration_s: how long to measure, s.
    """
    yield f"system: {platform.system()} {platform.release()} {platform.machine()}"
    for name, value in describe().items():
        items = value.items() if isinstance(value, Mapping) else [(name, value)]
        yield from (f"{key}: {'unknown' if item is None else item}" for key, item in items)
    yield from hashes(choice.model)
    yield from benchmark(choice, duration_s)
    yield from dds_settings(os.environ)


def hashes(model: str) -> Iterator[str]:
    """The first 16 digits of the hash of each of a model's files."""
    try:
        path = find_model(model)
    except LiteTrackError as error:
        yield f"model: {error}"
        return
    name = path.name.partition(".")[0]
    for file in sorted(path.parent.glob(f"{name}.*")):
        if file.suffix != ".md":
            yield f"sha256 {file.name}: {file_sha256(file)[:16]}"


def benchmark(choice: ModelChoice, duration_s: float) -> Iterator[str]:
    """Track the drawn scene for a while; the last quarter tells a machine that slows down warm."""
    try:
        tracker = Tracker(open_backend(choice))
        frames = list(DrawnScene(frames=_SCENE_FRAMES))
        steps_ms: list[float] = []
        # To and fro, so that the target never jumps.
        order = itertools.cycle([*frames[1:], *frames[-2::-1]])
        tracker.init(*frames[0])
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s or len(steps_ms) < _MIN_STEPS:
            image, _ = next(order)
            result = tracker.update(image)
            assert result is not None  # the tracker has a target
            steps_ms.append(result.timing.total_ms)
    except LiteTrackError as error:
        yield f"benchmark: {error}"
        return
    quarter = len(steps_ms) // 4
    median, p95 = np.percentile(steps_ms, [50, 95])
    first, last = np.median(steps_ms[:quarter]), np.median(steps_ms[-quarter:])
    yield (
        f"benchmark: {len(steps_ms)} steps in {duration_s:g} s, median {median:.1f} ms, "
        f"p95 {p95:.1f} ms; first quarter {first:.1f} ms, last {last:.1f} ms"
    )


def dds_settings(environment: Mapping[str, str]) -> Iterator[str]:
    """The variables that are set; of a path the file's name, of addresses only that they are."""
    for name in _DDS_VARIABLES:
        value = environment.get(name)
        if value is not None:
            shown = "set" if name in _SHOWN_BY_PRESENCE else Path(value).name
            yield f"{name}: {shown or '(empty)'}"
