"""Training pairs from annotated video and photos, drawn as in the authors' training code.

A pair is a pure function of a seed and its index. The order of the random numbers is the authors',
so that the same numbers give the same pairs; the differences are named where they are.
"""

from __future__ import annotations

import bisect
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.datasets.training_set import TrainingSet
from litetrack_ros.errors import ConfigError, DatasetError
from litetrack_ros.pairs.jittered_crop import (
    Draws,
    Jitter,
    NoCropError,
    PairLook,
    adjust_brightness,
    jittered_crop,
)
from litetrack_ros.pairs.pair import Pair

MIN_FRAMES = 20  # shorter videos are never drawn
MIN_VISIBLE = 4  # ... nor those with no more frames than this in which the target is visible
GAP_STEP = 5  # the largest gap grows by this until a search frame is found
MAX_FAULTS = 100  # pairs drawn in vain, one after the other, before training stops
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PairSampling:
    """How pairs are drawn; the defaults are those of the released configurations.

    Attributes:
        train, validation: names of data sets, parted by blanks; ``name:2`` is drawn from twice as
            often.
        max_gap: frames between template and search region, below this.
        template_center_jitter, search_center_jitter: the crop's centre is moved by up to half of
            this many target sizes along each axis.
        template_scale_jitter, search_scale_jitter: standard deviation of the logarithm of the
            crop's width and height over the target's.
        grey: share of pairs without colour, both crops alike.
        flip: share of pairs mirrored, both crops alike.
        brightness: each crop is made brighter or darker by up to this part.
        reduced_decode: decode JPEGs at half, a quarter or an eighth of their size where the crop
            is shrunk at least as much anyway.
    """

    train: str = "lasot_train got10k_vottrain coco2017_train trackingnet"
    validation: str = "got10k_votval"
    max_gap: int = 200
    template_center_jitter: float = 0.0
    template_scale_jitter: float = 0.0
    search_center_jitter: float = 3.0
    search_scale_jitter: float = 0.25
    grey: float = 0.05
    flip: float = 0.5
    brightness: float = 0.2
    reduced_decode: bool = True

    def __post_init__(self) -> None:
        if self.max_gap < 2:
            raise ConfigError(f"max_gap is {self.max_gap}, but must be at least 2")
        for key in ("grey", "flip"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(f"{key} is {getattr(self, key)}, but must be from 0 to 1")
        shared_sets(self.train), shared_sets(self.validation)

    def jitter(self, template: bool) -> Jitter:
        """How one of the crops is moved and scaled."""
        if template:
            return Jitter(self.template_center_jitter, self.template_scale_jitter)
        return Jitter(self.search_center_jitter, self.search_scale_jitter)


def shared_sets(text: str) -> dict[str, float]:
    """Names and shares of a list such as ``lasot got10k_vottrain:2``.

    Raises:
        ConfigError: empty, or a share that is not a positive number.
    """
    shares = {}
    for word in text.split():
        name, _, share = word.partition(":")
        try:
            shares[name] = float(share or 1)
        except ValueError:
            shares[name] = 0.0
        if not shares[name] > 0:
            raise ConfigError(f"'{word}': the share of a data set must be a positive number")
    if not shares:
        raise ConfigError("the list of data sets is empty: name at least one")
    return shares


class FrameChoice(NamedTuple):
    """Frames of a pair: number of the set, of its sequence, and of the two frames."""

    set_index: int
    sequence: int
    template_frame: int
    search_frame: int


class TrackingPairs:
    """Pairs drawn from data sets.

    Args:
        sets: what to draw from.
        shares: how often each is drawn, relative to each other.
        model_config: sizes, factors and conventions of the crops.
        sampling: see :class:`PairSampling`.
        seed: another seed gives other pairs; at least 0.
        augment: whether brightness is changed; the authors validate without.
    """

    def __init__(
        self,
        sets: Sequence[TrainingSet],
        shares: Sequence[float],
        model_config: ModelConfig,
        sampling: PairSampling,
        seed: int,
        augment: bool = True,
    ) -> None:
        self.sets = list(sets)
        self._cumulative = list(itertools.accumulate(shares))
        self.model_config, self.sampling = model_config, sampling
        self.seed, self.augment = seed, augment
        for training_set in self.sets:
            if not any(_drawable(training_set, k) for k in range(len(training_set))):
                raise DatasetError(
                    f"{training_set.name} has no sequence to draw from: none is a photo, or a "
                    f"video of {MIN_FRAMES} frames with more than {MIN_VISIBLE} visible targets"
                )

    def pair(self, index: int) -> Pair:
        """The pair of an index (any integer of at least 0); the same in every process.

        Pairs whose crop lies outside the image, or whose frame cannot be read, are drawn again.

        Raises:
            DatasetError: a hundred pairs in a row could not be read.
        """
        key = np.array([self.seed, index], dtype=np.uint64)
        draws = np.random.Generator(np.random.Philox(key=key))
        fault: DatasetError | None = None
        for _ in range(MAX_FAULTS):
            choice = self.choose(draws)
            try:
                return self.make(choice, draws)
            except NoCropError:
                continue
            except DatasetError as error:
                _LOG.warning("%s; another pair is drawn", error)
                fault = error
        raise fault or DatasetError(
            f"{MAX_FAULTS} pairs in a row had a crop outside their image: the boxes of "
            f"{', '.join(s.name for s in self.sets)} do not fit the frames"
        )

    def choose(self, draws: Draws) -> FrameChoice:
        """Draw a set, a sequence and two frames of it, the search frame after the template's.

        The template is any frame whose target is visible, but not the last; the search frame
        follows by less than ``max_gap`` frames, which is widened where no target is visible there.
        """
        total = self._cumulative[-1]
        last = len(self.sets) - 1
        number = min(bisect.bisect(self._cumulative, draws.random() * total), last)
        chosen = self.sets[number]
        sequence = _below(draws, len(chosen))
        while not _drawable(chosen, sequence):
            sequence = _below(draws, len(chosen))
        if not chosen.is_video(sequence):
            return FrameChoice(number, sequence, 0, 0)
        visible = chosen.visible(sequence)
        candidates = np.flatnonzero(visible[:-1])
        gap = self.sampling.max_gap
        while True:
            template = int(candidates[_below(draws, len(candidates))])
            following = np.flatnonzero(visible[template + 1 : template + gap])
            if following.size:
                search = template + 1 + int(following[_below(draws, len(following))])
                return FrameChoice(number, sequence, template, search)
            gap += GAP_STEP

    def make(self, choice: FrameChoice, draws: Draws) -> Pair:
        """Cut the crops of two frames.

        Raises:
            NoCropError: a crop would hold nothing of its image.
            DatasetError: a frame cannot be read.
        """
        sampling, config = self.sampling, self.model_config
        chosen = self.sets[choice.set_index]
        look = PairLook(draws.random() < sampling.grey, draws.random() < sampling.flip)
        crops, boxes = [], []
        for is_template in (True, False):
            frame = choice.template_frame if is_template else choice.search_frame
            crop, box = jittered_crop(
                chosen.encoded_frame(choice.sequence, frame),
                chosen.boxes(choice.sequence)[frame],
                config,
                is_template,
                sampling.jitter(is_template),
                look,
                draws,
                sampling.reduced_decode,
            )
            if self.augment:
                crop = adjust_brightness(crop, sampling.brightness, draws)
            crops.append(crop)
            boxes.append(box)
        return Pair(crops[0], boxes[0], crops[1], boxes[1], present=True)


def _drawable(chosen: TrainingSet, sequence: int) -> bool:
    if not chosen.is_video(sequence):
        return True
    visible = chosen.visible(sequence)
    return len(visible) >= MIN_FRAMES and int(visible.sum()) > MIN_VISIBLE


def _below(draws: Draws, count: int) -> int:
    return int(draws.random() * count)
