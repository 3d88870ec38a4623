"""Pairs of real targets: two frames of a video with boxes.

Without its target a region shows a frame that it has left, its surroundings, or the target of
another video.
"""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.datasets.training_set import TrainingSet
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray, xywh_to_xyxy
from litetrack_ros.images import Uint8Image, decode_bgr, to_rgb8
from litetrack_ros.pairs.degradation import Look, darken, draw_later_look, draw_look
from litetrack_ros.pairs.materials import Split
from litetrack_ros.pairs.natural import draw_filmed, recent_filmed, shown_box
from litetrack_ros.pairs.pair import Pair, aside, make_pair, pair_generator
from litetrack_ros.pairs.pair_recipe import PairRecipe, RealRecipe
from litetrack_ros.pairs.poses import (
    covered_part,
    draw_log,
    draw_search_region,
    drift,
    loosen,
    region_xyxy,
)
from litetrack_ros.pairs.recent import recent_numbers

Rng = np.random.Generator

_BESIDE_TRIES = 8
# Stretches of one video are called NAME_01, NAME_02 ...; those from one place begin alike.
_STRETCH = re.compile(r"_\d\d$")
_GROUP_OF_NAME = re.compile(r"[^_]+")


class _Clip(NamedTuple):
    """A stretch of a video of a set; its group is that of the videos from the same place."""

    training_set: TrainingSet
    number: int
    group: str

    @property
    def video(self) -> str:
        """Stretches of one video, which follow the same target, have the same."""
        return _STRETCH.sub("", self.training_set.entries[self.number].name)

    @property
    def shown(self) -> np.ndarray:
        """Indices of the frames that show the target."""
        return np.flatnonzero(self.training_set.visible(self.number))


class _View(NamedTuple):
    """A frame of a video as it is shown, and the target's box there, or where it was last."""

    rgb: Uint8Image
    scale: float
    mirrored: bool
    box_xywh: FloatArray

    def crop(self, rng: Rng, region: CropRegion, look: Look) -> Uint8Image:
        """What a region shows of it."""
        return draw_filmed(rng, self.rgb, self.scale, self.mirrored, [], look, region)


class ClipPairs:
    """Pairs of two frames of one video with boxes.

    Args:
        sets: data sets whose videos are used.
        model_config: sizes and factors of the crops.
        seed: another seed gives other pairs; at least 0.
        recipe: its ``boxes`` and ``real_pair`` count.
        split: ``validation`` uses the held-out clips, ``train`` the others.
        held_out_clips: first words of the held-out clips' names, up to an underscore.

    Raises:
        DatasetError: the split holds no video.
    """

    def __init__(
        self,
        sets: Sequence[TrainingSet],
        model_config: ModelConfig,
        seed: int,
        recipe: PairRecipe,
        split: Split = "all",
        held_out_clips: Sequence[str] = (),
    ) -> None:
        self.clips: list[_Clip] = []
        for training_set in sets:
            for number, entry in enumerate(training_set.entries):
                named = _GROUP_OF_NAME.match(entry.name)
                group = named.group() if named else entry.name
                kept = split == "all" or (group in held_out_clips) == (split == "validation")
                if entry.video and entry.visible.any() and kept:
                    self.clips.append(_Clip(training_set, number, group))
        if not self.clips:
            raise DatasetError(
                f"no video with boxes is for {split}: held out are {', '.join(held_out_clips)}"
            )
        self.model_config, self.recipe, self.seed = model_config, recipe, seed

    def pair(self, index: int) -> Pair:
        """The pair of an index (any integer of at least 0); the same in every process.

        Raises:
            DatasetError: a frame cannot be read.
        """
        rng = pair_generator(self.seed, index)
        recipe, config = self.recipe, self.model_config
        how = recipe.real_pair
        clip = self.clips[int(rng.integers(len(self.clips)))]
        first = int(rng.choice(clip.shown))
        mirrored = bool(rng.random() < how.mirrored)
        scale = _scale(rng, how, clip, first)
        view = self._elsewhere(rng, clip, mirrored) or _frame(clip, first, scale, mirrored)
        init_box = loosen(rng, recipe.boxes, view.box_xywh)
        template_region = CropRegion.around(init_box, config.template_factor, config.template_size)

        near = clip.shown[np.abs(clip.shown - first) <= how.max_gap]
        near = near[near != first] if len(near) > 1 else near
        later_index = int(rng.choice(near))
        later = _frame(clip, later_index, scale, mirrored)
        region, target = None, None
        if rng.random() < how.absent:
            later, region = self._without(rng, clip, later)
        if region is None:
            region = draw_search_region(rng, recipe.boxes, later.box_xywh, config)
            target = later.box_xywh
        # The video has its own blur and compression already.
        look = draw_look(rng, how.look)._replace(low_res=1.0, blur_sigma_px=0.0)
        looks = darken(rng, how.dark, look, draw_later_look(rng, look, how.look))
        template = view.crop(rng, template_region, looks[0])
        search = later.crop(rng, region, looks[1])
        recent = None
        own = recent_numbers(rng, recipe.recent, config)
        if own is not None:
            between = self._recent_frame(own, clip, first, later_index, scale, mirrored)
            recent = recent_filmed(
                own,
                recipe.recent,
                config,
                between.rgb,
                between.scale,
                mirrored,
                between.box_xywh,
                looks,
            )
        return make_pair(template, template_region, init_box, search, region, target, recent)

    def _elsewhere(self, rng: Rng, clip: _Clip, mirrored: bool) -> _View | None:
        """For two templates now and then a first frame in another stretch of the clip's video."""
        if self.model_config.templates == 1:
            return None
        own = aside(aside(rng))  # not those of the second template
        others = [each for each in self.clips if each.video == clip.video and each is not clip]
        if own.random() >= self.recipe.recent.distant or not others:
            return None
        return _show(own, self.recipe.real_pair, others[int(own.integers(len(others)))], mirrored)

    def _recent_frame(
        self, own: Rng, clip: _Clip, first: int, later: int, scale: float, mirrored: bool
    ) -> _View:
        """A frame between the two of a pair, the first one's included."""
        how, shown = self.recipe.recent, clip.shown
        low, high = min(first, later), max(first, later)
        between = shown[(shown >= low) & (shown <= high) & (shown != later)]
        if own.random() >= how.stale:
            near = between[np.abs(between - later) <= how.gap]
            between = near if len(near) else between
        index = int(own.choice(between)) if len(between) else later
        return _frame(clip, index, scale, mirrored)

    def _without(self, rng: Rng, clip: _Clip, later: _View) -> tuple[_View, CropRegion | None]:
        """A frame and a region without the clip's target; no region where there is none."""
        how, boxes, config = self.recipe.real_pair, self.recipe.boxes, self.model_config
        gone = np.flatnonzero(~clip.training_set.visible(clip.number))
        if gone.size and rng.random() < how.gone:
            empty = int(rng.choice(gone))
            last = int(clip.shown[np.abs(clip.shown - empty).argmin()])
            there = clip.training_set.boxes(clip.number)[last].astype(np.float64)
            later = _frame(clip, empty, later.scale, later.mirrored, there)
            return later, draw_search_region(rng, boxes, later.box_xywh, config)
        if rng.random() < how.beside:
            region = _region_beside(rng, self.recipe, later, config)
            if region is not None:
                return later, region
        others = [other for other in self.clips if other.group != clip.group]
        if not others:
            return later, None
        other = others[int(rng.integers(len(others)))]
        later = _show(rng, how, other, later.mirrored)
        return later, draw_search_region(rng, boxes, later.box_xywh, config)


def _show(rng: Rng, recipe: RealRecipe, clip: _Clip, mirrored: bool) -> _View:
    """Any frame with the target, at a random scale."""
    index = int(rng.choice(clip.shown))
    return _frame(clip, index, _scale(rng, recipe, clip, index), mirrored)


def _scale(rng: Rng, recipe: RealRecipe, clip: _Clip, index: int) -> float:
    """A random scale at which a frame's target is not smaller than it may be."""
    box = clip.training_set.boxes(clip.number)[index]
    least = recipe.least_side_px / math.sqrt(float(box[2]) * float(box[3]))
    return min(1.0, max(least, draw_log(rng, recipe.scale)))


def _frame(
    clip: _Clip, index: int, scale: float, mirrored: bool, box_xywh: FloatArray | None = None
) -> _View:
    """A frame at a scale; another box stands for its own where the target has left."""
    rgb = to_rgb8(decode_bgr(clip.training_set.encoded_frame(clip.number, index)))
    if box_xywh is None:
        box_xywh = clip.training_set.boxes(clip.number)[index].astype(np.float64)
    return _View(rgb, scale, mirrored, shown_box(box_xywh, rgb.shape[1], scale, mirrored))


def _region_beside(
    rng: Rng, recipe: PairRecipe, view: _View, config: ModelConfig
) -> CropRegion | None:
    """A region of the target's scale that shows the frame but nothing of the target, if found."""
    height, width = view.rgb.shape[0] * view.scale, view.rgb.shape[1] * view.scale
    frame, target = np.array([0.0, 0.0, width, height]), xywh_to_xyxy(view.box_xywh)
    for _ in range(_BESIDE_TRIES):
        _, _, w, h = drift(rng, recipe.boxes, view.box_xywh)
        x, y = rng.random(2) * (width, height) - 0.5 * np.array([w, h])
        region = CropRegion.around((x, y, w, h), config.search_factor, config.search_size)
        window = region_xyxy(region)
        inside = covered_part(window, frame)
        if inside >= recipe.real_pair.beside_inside and covered_part(target, window) <= 0.0:
            return region
    return None
