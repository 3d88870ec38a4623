"""What a way of running a model answers on sequences, to be held against the CPU's in fp32."""

import itertools
import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from litetrack_ros.backends.base import Backend
from litetrack_ros.crop import CropRegion, extract_crops
from litetrack_ros.datasets.sequences import read_sequence
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Image
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tracker.decode import template_box_xyxy_norm
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

FRAMES = 60  # of each sequence
_RANDOM_FRAMES = 8  # for random weights, which follow nothing
_TEACHER_EVERY = 2  # frames


@dataclass
class Answers:
    """What was answered; lists, as they go through a file.

    Attributes:
        boxes: around where the target truly was, cxcywh in units of the crop's side, ``(K, 4)``.
        ao: mean overlap with the truth in closed loop, by the sequences' names.
        is_tracking: whether the state was TRACKING, frame by frame, likewise.
    """

    boxes: list[list[float]]
    ao: dict[str, float]
    is_tracking: dict[str, list[bool]]

    def write(self, path: Path) -> None:
        """To a file for :meth:`read`."""
        path.write_text(json.dumps(asdict(self)))

    @staticmethod
    def read(path: Path) -> "Answers | None":
        """What :meth:`write` wrote; None where it did not."""
        return Answers(**json.loads(path.read_text())) if path.is_file() else None

    def keep(self, names: Collection[str]) -> None:
        """Leave out the closed loops of other sequences."""
        self.ao = {name: ao for name, ao in self.ao.items() if name in names}
        self.is_tracking = {name: self.is_tracking[name] for name in self.ao}

    def overlaps_with(self, other: "Answers") -> list[float]:
        """Of both's boxes in the same crops, ``(K,)``, as far as both had the time."""

        def corners(boxes: list[list[float]]) -> FloatArray:
            cx, cy, w, h = np.array(boxes).reshape(-1, 4).T
            return np.stack([cx - w / 2, cy - h / 2, w, h], axis=1)

        pairs = zip(corners(self.boxes), corners(other.boxes), strict=False)
        return [float(overlap(one, two)) for one, two in pairs]

    def states_differ(self, other: "Answers") -> float:
        """Share of frames in which one is TRACKING and the other is not."""
        pairs = [
            one != two
            for name, states in self.is_tracking.items()
            for one, two in zip(states, other.is_tracking[name], strict=True)
        ]
        return float(np.mean(pairs)) if pairs else 0.0


def answers_of(
    backend: Backend, folders: Sequence[str], is_random: bool, seconds: float
) -> Answers:
    """Ask a backend.

    Args:
        backend: open.
        folders: of sequences; none is the drawn scene.
        seconds: after which no further sequence is begun.
        is_random: of random weights only the boxes are asked for, on a few frames.
    """
    found = Answers([], {}, {})
    frames = _RANDOM_FRAMES if is_random else FRAMES
    end_s = time.monotonic() + seconds
    for name, pairs in _scenes(folders, frames):
        found.boxes += _teacher_forced(backend, pairs)
        if is_random:
            continue
        found.ao[name], found.is_tracking[name] = _closed_loop(backend, pairs)
        if time.monotonic() > end_s:
            break
    return found


def _scenes(
    folders: Sequence[str], frames: int
) -> Iterator[tuple[str, list[tuple[Image, FloatArray]]]]:
    """Names of sequences, and their first images with true boxes ``x y w h`` (NaN: absent)."""
    if not folders:
        yield "drawn scene", [(image, np.asarray(box)) for image, box in DrawnScene(frames=frames)]
    for folder in folders:
        sequence = read_sequence(Path(folder))
        pairs = zip(sequence.frames(), sequence.boxes_xywh, strict=False)
        first = itertools.islice(pairs, frames)
        yield Path(folder).name, [(frame.image, box) for frame, box in first]


def _teacher_forced(
    backend: Backend, frames: Sequence[tuple[Image, FloatArray]]
) -> list[list[float]]:
    model, found = backend.model_config, []
    first, box = frames[0]
    region = CropRegion.around(box, model.template_factor, model.template_size)
    norm = template_box_xyxy_norm(box, region, model.decode)[None].astype(np.float32)
    template = backend.encode_template(extract_crops(first, [region], "bgr"), norm)
    for (_, before), (image, _) in itertools.islice(
        itertools.pairwise(frames), None, None, _TEACHER_EVERY
    ):
        if not np.isfinite(before).all() or min(before[2:]) < 1:
            continue
        around = CropRegion.around(before, model.search_factor, model.search_size)
        answer = backend.search(extract_crops(image, [around], "bgr"), template)
        found.append([float(v) for v in answer.boxes_cxcywh_norm[0]])
    return found


def _closed_loop(
    backend: Backend, frames: Sequence[tuple[Image, FloatArray]]
) -> tuple[float, list[bool]]:
    tracker = Tracker(backend)
    tracker.init(*frames[0])
    overlaps, states = [], []
    for image, truth in frames[1:]:
        result = tracker.update(image)
        states.append(result is not None and result.state is State.TRACKING)
        if result is not None and np.isfinite(truth).all():
            overlaps.append(float(overlap(result.box_xywh, truth)))
    return (float(np.mean(overlaps)) if overlaps else float("nan")), states
