"""Training pairs from annotated video and photos, drawn as in the authors' training code.

A pair is a pure function of a seed and its index. The order of the random numbers is the authors',
so that the same numbers give the same pairs. Differences from the released code, all of less than
a grey level or a pixel: brightness is rounded to whole grey levels; a frame that is decoded at
reduced scale is averaged where theirs is sampled; and for models with ``decode: exact`` boxes are
measured from the crop's true corner and mirrored about the image's true middle (the released code
is off by half a pixel in both).
"""

import bisect
import itertools
import logging
import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion, extract_crop
from litetrack_ros.datasets.training_set import TrainingSet
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray, xywh_to_cxcywh
from litetrack_ros.images import Uint8Image, decode_bgr, image_size, reduction_for
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs.pair import Pair, pair_generator
from litetrack_ros.pairs.pair_recipe import PairSampling

MIN_SIDE_PX = 1  # of a crop in its image
MIN_FRAMES = 20  # shorter videos are never drawn
MIN_VISIBLE = 4  # ... nor those with no more frames than this in which the target is visible
GAP_STEP = 5  # the largest gap grows by this until a search frame is found
MAX_FAULTS = 100  # pairs drawn in vain, one after the other, before training stops
_LOG = logging.getLogger(__name__)


class NoCropError(Exception):
    """A crop that would hold nothing of its image; another pair is to be drawn."""


class Draws(Protocol):
    """Where random numbers come from; NumPy's ``Generator`` is one."""

    def random(self) -> float:
        """Uniform in [0, 1)."""

    def standard_normal(self) -> float:
        """Of the normal distribution."""


class Jitter(NamedTuple):
    """How far a crop may be moved (in target sizes) and scaled (as a standard deviation)."""

    center: float
    scale: float


class PairLook(NamedTuple):
    """What both crops of a pair have in common."""

    grey: bool
    mirrored: bool


def jitter_box(box_xywh: FloatArray, jitter: Jitter, draws: Draws) -> FloatArray:
    """The box a crop is cut around: log-normal in size, uniform in position.

    Args:
        box_xywh: the target, ``(4,)``.
        jitter: how much.
        draws: two normal and two uniform numbers are taken, also where nothing is jittered.
    """
    scale = np.exp(np.array([draws.standard_normal() for _ in range(2)]) * jitter.scale)
    size = box_xywh[2:] * scale
    reach = math.sqrt(size[0] * size[1]) * jitter.center
    shift = np.array([draws.random() for _ in range(2)]) - 0.5
    center = box_xywh[:2] + 0.5 * box_xywh[2:] + reach * shift
    return np.concatenate([center - 0.5 * size, size])


def jittered_crop(
    encoded: bytes,
    box_xywh: npt.NDArray[np.float32],
    config: ModelConfig,
    is_template: bool,
    jitter: Jitter,
    look: PairLook,
    draws: Draws,
    reduced_decode: bool,
) -> tuple[Uint8Image, npt.NDArray[np.float32]]:
    """Decode a frame and cut a crop out of it.

    Args:
        encoded: the frame's file.
        box_xywh: the target in it, image pixels.
        config: size, factor and convention of the crop.
        is_template: whether it is a template or a search region.
        jitter, look: how it is changed.
        draws: random numbers.
        reduced_decode: whether the frame may be decoded at a smaller scale.

    Returns:
        The crop, ``(S, S, 3)`` uint8 RGB, and the target in it, ``(4,)`` float32 cxcywh in units
        of the crop's side.

    Raises:
        NoCropError: the crop has no pixel, or none of its cells lies inside the image.
        DatasetError: the file is not an image.
    """
    width, height = image_size(encoded)
    box = mirrored_box(box_xywh, width, config) if look.mirrored else box_xywh.astype(np.float64)
    around = jitter_box(box, jitter, draws)
    factor = config.template_factor if is_template else config.search_factor
    size_px = config.template_size if is_template else config.search_size
    if math.sqrt(around[2] * around[3]) * factor <= MIN_SIDE_PX - 1:
        raise NoCropError
    region = CropRegion.around(around, factor, size_px)
    if not any_cell_inside(region, width, height, config.stride):
        raise NoCropError
    reduction = reduction_for(region.side_px / region.size_px) if reduced_decode else 1
    image = decode_bgr(encoded, reduction)
    if reduction == 1:
        # As in the authors' code, whole frames are mirrored and made grey before they are cropped.
        image = image[:, ::-1] if look.mirrored else image
        crop = extract_crop(_grey(image) if look.grey else image, region)
    else:
        crop = _extract_reduced(image, region, (width, height), look.mirrored)
        crop = _grey(crop) if look.grey else crop
    rgb = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    return rgb, box_in_crop(box, region, config)


def mirrored_box(
    box_xywh: npt.NDArray[np.floating], image_width_px: int, config: ModelConfig
) -> FloatArray:
    """The box in the mirrored image; ``official`` counts pixel centres, which is one px off."""
    x, y, w, h = (float(v) for v in box_xywh)
    last = image_width_px - 1 if config.decode == "official" else image_width_px
    return np.array([last - (x + w), y, w, h])


def box_in_crop(
    box_xywh: FloatArray, region: CropRegion, config: ModelConfig
) -> npt.NDArray[np.float32]:
    """A box as cxcywh in units of the crop's side.

    ``official`` puts the middle of the crop at (size - 1) / 2 and on the jittered box's own centre,
    ``exact`` measures from the crop's rounded corner.
    """
    cxcywh = xywh_to_cxcywh(box_xywh)
    if config.decode == "exact":
        return region.image_to_crop_norm(cxcywh).astype(np.float32)
    size = region.size_px
    center = (size - 1) / 2 + (cxcywh[:2] - region.center_xy_px) * region.resize_factor
    both = np.concatenate([center, cxcywh[2:] * region.resize_factor])
    return (both / size).astype(np.float32)


def any_cell_inside(region: CropRegion, width_px: int, height_px: int, stride: int) -> bool:
    """Whether some cell of the crop shows the image, by the authors' test.

    They resize a mask of the padding, take every 16th pixel of it, and draw another pair where all
    of those are padding.
    """
    for start, length in ((region.x0_px, width_px), (region.y0_px, height_px)):
        outside = np.ones((1, region.side_px))
        last = length - 1 if start + region.side_px > length - 1 else length
        outside[:, max(0, -start) : max(0, last - start)] = 0
        resized = cv2.resize(outside, (region.size_px, 1))
        if (resized[0, ::stride] != 0).all():
            return False
    return True


def adjust_brightness(crop: Uint8Image, reach: float, draws: Draws) -> Uint8Image:
    """Scale the grey levels by a uniform factor within ``reach`` of 1, clipped at white."""
    low = max(0.0, 1 - reach)
    factor = low + (1 + reach - low) * draws.random()
    return np.asarray(cv2.convertScaleAbs(crop, alpha=factor), dtype=np.uint8)


def _grey(image: Uint8Image) -> Uint8Image:
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2GRAY)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _extract_reduced(
    image: Uint8Image, region: CropRegion, full_size: tuple[int, int], mirrored: bool
) -> Uint8Image:
    """The crop from a frame that was decoded at a smaller scale, zeros outside.

    Args:
        image: the frame, smaller, not mirrored.
        region: in the mirrored full-size frame, if mirrored.
        full_size: width and height of the frame.
        mirrored: whether the crop is to be mirrored.
    """
    scale_x, scale_y = image.shape[1] / full_size[0], image.shape[0] / full_size[1]
    step = region.side_px / region.size_px  # image px per crop px
    # A crop pixel's centre (u + 0.5) lies at x0 + (u + 0.5) * step in the full image.
    left = region.x0_px + 0.5 * step
    across, left = (-step, full_size[0] - left) if mirrored else (step, left)
    to_image = np.array(
        [
            [across * scale_x, 0, left * scale_x - 0.5],
            [0, step * scale_y, (region.y0_px + 0.5 * step) * scale_y - 0.5],
        ]
    )
    size = (region.size_px, region.size_px)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, to_image, size, flags=flags)
    return np.asarray(warped, dtype=np.uint8)


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
        draws = pair_generator(self.seed, index)
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
        jitters = {
            True: Jitter(sampling.template_center_jitter, sampling.template_scale_jitter),
            False: Jitter(sampling.search_center_jitter, sampling.search_scale_jitter),
        }
        for is_template, jitter in jitters.items():
            frame = choice.template_frame if is_template else choice.search_frame
            crop, box = jittered_crop(
                chosen.encoded_frame(choice.sequence, frame),
                chosen.boxes(choice.sequence)[frame],
                config,
                is_template,
                jitter,
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
