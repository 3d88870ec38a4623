"""From the command line to what is played: topics, target, ground truth; all checked first."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.errors import BagError, ConfigError
from litetrack_ros.geometry import FloatArray, check_init_box
from litetrack_ros.replay.bag_reader import Bag
from litetrack_ros.replay.bag_types import BOX_TYPES, TRACKED_BOX_ARRAY
from litetrack_ros.replay.ground_truth import (
    StampedBox,
    boxes_by_frame,
    read_box_file,
    read_box_topic,
    read_init_topic,
)
from litetrack_ros.replay.playlist import Playlist
from litetrack_ros.replay.recording import GROUND_TRUTH_TOPIC

_LIMITS = {"rate": (0.01, 100.0), "loop": (1, 100_000), "start": (0.0, 1e6)}


@dataclass(frozen=True)
class Inputs:
    """What to play, and what to compare with.

    Attributes:
        playlist: the images.
        init_frame: position of the target's first frame in a pass.
        init_box_xywh: there, px, ``(4,)``.
        truth: boxes with stamps, or ``(T, 4)``, one for every frame of the bag; None without.
        truth_name: where it comes from.
    """

    playlist: Playlist
    init_frame: int
    init_box_xywh: FloatArray
    truth: list[StampedBox] | FloatArray | None
    truth_name: str

    def truth_by_frame(self, warnings: list[str]) -> FloatArray | None:
        """Ground truth of every frame of a pass, ``(F, 4)``; after the replay, which knows F."""
        stamps = self.playlist.recorded_ns
        if self.truth is None:
            return None
        if isinstance(self.truth, list):
            boxes, unused = boxes_by_frame(self.truth, stamps)
            if not np.isfinite(boxes).any():
                raise BagError(f"no box of {self.truth_name} has the stamp of a frame played")
            if unused and len(self.truth) - unused < len(stamps):
                warnings.append(f"{unused} boxes of {self.truth_name} belong to no frame played")
            return boxes
        if len(self.truth) < len(stamps):
            warnings.append(
                f"{self.truth_name} has {len(self.truth)} lines for {len(stamps)} frames: the "
                "others are not scored"
            )
        boxes = np.full((len(stamps), 4), np.nan)
        count = min(len(boxes), len(self.truth))
        boxes[:count] = self.truth[:count]
        return boxes


def check_options(args: argparse.Namespace) -> None:
    """Raise ConfigError for numbers out of range, and options that do not go together."""
    for name, (low, high) in _LIMITS.items():
        value = getattr(args, name)
        if not low <= value <= high:
            raise ConfigError(f"--{name} must be from {low:g} to {high:g}, not {value:g}")
    if args.duration is not None and not (args.duration > 0 and math.isfinite(args.duration)):
        raise ConfigError(f"--duration must be above 0, not {args.duration:g}")
    if args.warm_up is not None and args.warm_up < 0:
        raise ConfigError(f"--warm-up must be 0 or more, not {args.warm_up}")
    if args.mode != "peak":
        return
    for name in ("save_txt", "write_boxes", "report", "ground_truth"):
        if getattr(args, name) is not None:
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} does not go with --mode peak, which plays frames anew")


def read_inputs(args: argparse.Namespace, bag: Bag) -> Inputs:
    """Find topics, target and ground truth.

    Raises:
        BagError: a topic is missing, empty or of an unknown type, or the bag is damaged.
        BoxError: no track can start from the init box.
        DatasetError: a ground-truth file that is none.
    """
    topic = bag.image_topic(args.image_topic)
    playlist = Playlist(bag, topic, args.start, args.duration, args.rate, args.loop)
    truth, truth_name = _read_truth(args.ground_truth, bag)
    if args.ground_truth is not None and not isinstance(truth, list) and args.start:
        raise ConfigError("ground truth by lines needs the bag from its begin: leave out --start")
    init_frame, box = _find_init(args, bag, playlist, truth, truth_name)
    message = playlist.nth(init_frame)
    box = check_init_box(box, *playlist.image_size(message))
    return Inputs(playlist, init_frame, box, truth, truth_name)


def _read_truth(name: str | None, bag: Bag) -> tuple[list[StampedBox] | FloatArray | None, str]:
    if name is None:
        if not bag.has_topic(GROUND_TRUTH_TOPIC, TRACKED_BOX_ARRAY):
            return None, ""
        name = GROUND_TRUTH_TOPIC
    elif Path(name).is_file():
        return read_box_file(Path(name)), name
    topic = bag.topic(name, BOX_TYPES)
    return read_box_topic(bag, topic), topic.name


def _find_init(
    args: argparse.Namespace,
    bag: Bag,
    playlist: Playlist,
    truth: list[StampedBox] | FloatArray | None,
    truth_name: str,
) -> tuple[int, FloatArray]:
    """The frame in a pass, and the box."""
    if args.init_box is not None:
        return 0, np.array(args.init_box, dtype=np.float64)
    if args.init_topic is not None:
        boxed = read_init_topic(bag, args.init_topic)
        return playlist.frame_of(boxed.stamp_ns), boxed.box_xywh
    if truth is None:
        raise BagError(
            f"{bag.path} holds no ground truth: select the target with --init-box X Y W H, or "
            "with --init-topic T"
        )
    if not isinstance(truth, list):
        present = np.flatnonzero(np.isfinite(truth).all(axis=1))
        if present.size:
            return int(present[0]), truth[present[0]]
    else:
        first_ns = playlist.nth(0).stamp_ns
        for boxed in truth:
            if boxed.stamp_ns >= first_ns and np.isfinite(boxed.box_xywh).all():
                return playlist.frame_of(boxed.stamp_ns), boxed.box_xywh
    raise BagError(f"{truth_name} holds no box in what is played: give one with --init-box")
