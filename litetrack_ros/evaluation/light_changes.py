"""How a tracker fares whose template is dark: with it alone, with a recent one, with a wrong one.

A target's first frame is shown at a fifth of its light, with noise; then the light rises evenly to
what it was. All is a function of the sequences: the same ones give the same pixels.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend, PassingBackend, TemplateFeatures
from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.evaluation.bootstrap import interval, resampled_counts
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Image, Uint8Image, to_rgb8
from litetrack_ros.tracker.decode import template_box_xyxy_norm
from litetrack_ros.tracker.following import follow
from litetrack_ros.tracker.tracker import Tracker

Float32Array = npt.NDArray[np.float32]

CLIPS = 20
RISING_FRAMES = 100  # after the first
LEAST_FRAMES = 30  # of a clip, less where its sequence ends
FIRST_LIGHT = 0.2
NOISE_LEVELS = 4.0  # standard deviation in every frame
_RESAMPLES = 2000


class Clip(NamedTuple):
    """A stretch of a sequence; the box of its first frame is known."""

    sequence: AnnotatedSequence
    start: int
    seed: int

    @property
    def boxes_xywh(self) -> FloatArray:
        """The target's boxes, ``(T, 4)``, NaN where it is absent."""
        return self.sequence.boxes_xywh[self.start : self.start + RISING_FRAMES + 1]

    def images(self) -> Iterator[Image]:
        """Its frames in rising light.

        Raises:
            MediaError, DatasetError: a frame cannot be read.
        """
        count = len(self.boxes_xywh)
        for index, frame in enumerate(self.sequence.frames()):
            step = index - self.start
            if 0 <= step < count:
                yield in_light(frame.image, step, self.seed)
            elif step >= count:
                return


class Outcome(NamedTuple):
    """One way of tracking over all clips.

    Attributes:
        name: which templates it had.
        overlaps: mean overlap of every clip, ``(N,)``.
        frames: number of frames that were scored.
        interval: 95 % of the mean overlap over the clips.
    """

    name: str
    overlaps: FloatArray
    frames: int
    interval: tuple[float, float]


def clips(sequences: Sequence[AnnotatedSequence], count: int = CLIPS) -> list[Clip]:
    """Stretches of sequences, one of each, then a second of each, until there are enough."""
    found: list[Clip] = []
    longest = max(len(sequence) for sequence in sequences)
    for start in range(0, longest, RISING_FRAMES + 1):
        for sequence in sequences:
            boxes = sequence.boxes_xywh[start : start + RISING_FRAMES + 1]
            if len(boxes) >= LEAST_FRAMES and np.isfinite(boxes[0]).all() and len(found) < count:
                found.append(Clip(sequence, start, len(found)))
    return found


def in_light(image: Image, step: int, seed: int) -> Image:
    """A frame of a clip in the light of so many frames after the first, with noise.

    Args:
        image: uint8 of any layout.
        step: 0 is the first frame.
        seed: of the clip's noise.
    """
    light = FIRST_LIGHT + (1.0 - FIRST_LIGHT) * min(step / RISING_FRAMES, 1.0)
    noise = np.random.default_rng((seed, step)).standard_normal(image.shape, np.float32)
    seen = np.float32(light) * image + np.float32(NOISE_LEVELS) * noise
    return np.clip(np.rint(seen), 0, np.iinfo(image.dtype).max).astype(image.dtype)


def compare_templates(
    backend: Backend, found: Sequence[Clip], on_frame: Callable[[], None] = lambda: None
) -> list[Outcome]:
    """Track all clips with the first template alone; for models with two, with both as well.

    And with a wrong second one throughout, which shows the target of another sequence.

    Args:
        backend: of the model, with its settings.
        found: of :func:`clips`.
        on_frame: called after every frame, for a progress bar.

    Raises:
        MediaError, DatasetError: a frame cannot be read.
        BoxError: a first box from which no track starts.
    """
    config = backend.tracker_config
    alone = dataclasses.replace(config, recent_after_frames=0)
    ways: dict[str, Callable[[Clip], Tracker]] = {
        "first template alone": lambda clip: Tracker(backend, alone)
    }
    if backend.model_config.templates == 2:
        ways["with a recent one"] = lambda clip: Tracker(backend, config)
        ways["with a wrong one"] = lambda clip: Tracker(
            WrongSecond(backend, *_another_target(clip, found, backend.model_config)), alone
        )
    outcomes = []
    for name, make in ways.items():
        scored = [_overlaps(clip, make(clip), on_frame) for clip in found]
        means = np.array([each.mean() for each in scored])
        resampled = resampled_counts(len(means), _RESAMPLES) @ means / len(means)
        frames = sum(len(each) for each in scored)
        outcomes.append(Outcome(name, means, frames, interval(resampled.tolist(), len(means))))
    return outcomes


class WrongSecond(PassingBackend):
    """A backend that puts one and the same recent template beside every first one.

    Args:
        backend: runs the network, of a model with two templates.
        crop: of the recent template, ``(S, S, 3)`` uint8 RGB.
        box_xyxy_norm: what is taken for the target in it, ``(4,)``.
    """

    def __init__(self, backend: Backend, crop: Uint8Image, box_xyxy_norm: Float32Array) -> None:
        super().__init__(backend)
        self._recent = backend.encode_template(crop[None], box_xyxy_norm[None])

    def encode_template(self, crops: Uint8Image, boxes_xyxy_norm: Float32Array) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`; for one target at a time."""
        first = super().encode_template(crops, boxes_xyxy_norm)
        return self.with_recent(first, self._recent)


def _another_target(
    clip: Clip, found: Sequence[Clip], model: ModelConfig
) -> tuple[Uint8Image, Float32Array]:
    """A template of the next clip's target that is of another sequence, if there is one."""
    after = [*found[clip.seed + 1 :], *found[: clip.seed + 1]]
    other = next((each for each in after if each.sequence is not clip.sequence), clip)
    image = next(iter(other.images()))
    box = other.boxes_xywh[0]
    region = CropRegion.around(box, model.template_factor, model.template_size)
    crop = to_rgb8(extract_crop(image, region))
    return crop, template_box_xyxy_norm(box, region, model.decode)


def _overlaps(clip: Clip, tracker: Tracker, on_frame: Callable[[], None]) -> FloatArray:
    """Overlaps of the frames after the first in which the target is."""
    boxes = []
    for step in follow(tracker, clip.images(), clip.boxes_xywh[0]):
        boxes.append(step.result.box_xywh)
        on_frame()
    truth = clip.boxes_xywh[1:]
    shown = np.isfinite(truth).all(axis=1)
    return overlap(np.array(boxes[1:])[shown], truth[shown])
