"""Pairs of outlined objects of photos, among others of their class.

Without its target a region shows another object of the class, of the same photo or of another.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.datasets.coco import PhotoObject
from litetrack_ros.datasets.containers import Containers
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import xywh_to_xyxy
from litetrack_ros.images import Uint8Image, decode_bgr, to_rgb8
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs.compose import Layer, draw_distractors
from litetrack_ros.pairs.degradation import darken, draw_later_look, draw_look
from litetrack_ros.pairs.materials import (
    Cutout,
    Materials,
    Photo,
    Points,
    Split,
    cut_out,
    held_out,
)
from litetrack_ros.pairs.natural import Shot, crop_shot, draw_shot, recent_shot
from litetrack_ros.pairs.pair import Pair, make_pair, pair_generator
from litetrack_ros.pairs.pair_recipe import PairRecipe
from litetrack_ros.pairs.poses import (
    bounds_xyxy,
    covered_part,
    draw_limited,
    draw_log,
    draw_search_region,
    loosen,
    region_xyxy,
)
from litetrack_ros.pairs.sprites import with_surroundings
from litetrack_ros.pairs.synthetic import pasted_pair

Rng = np.random.Generator

_CLASS_POOL = 3  # other objects of the class that a pair may be made of
_INSIDE = 255  # of a mask


class PhotoPairs:
    """Pairs of an outlined object of a photo, seen twice by a camera that moves.

    An object that fills most of its photo is pasted on a photo with another of its class.

    Args:
        sets: where the photos are, and their objects; those without an outline are left out.
        model_config: sizes and factors of the crops.
        seed: another seed gives other pairs; at least 0.
        recipe: what the pairs hold; of the shares those of ``real_pair`` count.
        split: which photos are used, by their names as those of the materials.

    Raises:
        DatasetError: the split holds no outlined object.
    """

    def __init__(
        self,
        sets: Sequence[tuple[Containers, Sequence[PhotoObject]]],
        model_config: ModelConfig,
        seed: int,
        recipe: PairRecipe,
        split: Split = "all",
    ) -> None:
        least = recipe.real_pair.least_side_px
        self.objects: list[tuple[Containers, PhotoObject]] = []
        for containers, objects in sets:
            for item in objects:
                name = item.photo.rpartition("/")[2].rpartition(".")[0]
                kept = split == "all" or held_out(name) == (split == "validation")
                if kept and item.polygons and math.sqrt(item.box_xywh[2:].prod()) >= least:
                    self.objects.append((containers, item))
        if not self.objects:
            raise DatasetError(f"no outlined object of a photo is for {split}")
        self._of_class: dict[str, list[int]] = defaultdict(list)
        self._of_photo: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, (containers, item) in enumerate(self.objects):
            self._of_class[item.category].append(number)
            self._of_photo[str(containers.root), item.photo].append(number)
        self.model_config, self.recipe, self.seed = model_config, recipe, seed
        how = recipe.real_pair
        self._among_its_class = dataclasses.replace(
            recipe,
            absent=how.absent,
            distractors=how.look_alikes,
            look=how.look,
            sprite=dataclasses.replace(recipe.sprite, cutouts=1.0),
        )

    def pair(self, index: int) -> Pair:
        """The pair of an index (any integer of at least 0); the same in every process.

        Raises:
            DatasetError: a photo cannot be read.
        """
        rng = pair_generator(self.seed, index)
        recipe, config = self.recipe, self.model_config
        how, boxes, sizes = recipe.real_pair, recipe.boxes, recipe.sizes
        number = int(rng.integers(len(self.objects)))
        photo = self._photo(number)
        height, width = photo.shape[:2]
        if self.objects[number][1].box_xywh[2:].prod() > how.largest_part * height * width:
            mask = _mask(photo, self.objects[number][1])
            if mask.any():
                return self._paste(rng, number, photo, mask)
        size = draw_log(rng, sizes.first_px)
        first = self._shoot(rng, number, photo, size, recipe.natural_pair.first_camera)
        init_box = loosen(rng, boxes, first.box_xywh)
        template_region = CropRegion.around(init_box, config.template_factor, config.template_size)

        later_size = size * math.exp(draw_limited(rng, sizes.later, sizes.later_limit))
        present = bool(rng.random() >= how.absent)
        if present:
            later_photo, later = photo, self._shoot(rng, number, photo, later_size, 1.0)
            region = draw_search_region(rng, boxes, later.box_xywh, config)
        else:
            later_photo, later, region = self._look_alike(rng, number, photo, later_size)
        target = later.box_xywh if present else None
        layers: list[Layer] = []
        if rng.random() < how.look_alikes:
            layers = draw_distractors(
                rng,
                self._among_its_class,
                self._of_its_class(rng, number),
                region,
                None if target is None else xywh_to_xyxy(target),
                later_size,
                int(rng.integers(how.look_alike_count[0], how.look_alike_count[1] + 1)),
                None,
            )
        look = draw_look(rng, how.look)
        looks = darken(rng, how.dark, look, draw_later_look(rng, look, how.look))
        template = crop_shot(rng, photo, first, [], template_region, looks[0])
        search = crop_shot(rng, later_photo, later, layers, region, looks[1])
        # Without the target the later shot is of something else.
        shots = (first, later if present else first)
        outlines = [_outline(self.objects[k][1]) for k in (number, *self._beside(number))]
        recent = recent_shot(rng, recipe, config, photo, outlines[0], shots, looks, outlines[1:])
        return make_pair(template, template_region, init_box, search, region, target, recent)

    def _paste(self, rng: Rng, number: int, photo: Uint8Image, mask: Uint8Image) -> Pair:
        """The object on a photo of another of its class, cut out or with its surroundings."""
        recipe = self._among_its_class
        if rng.random() < recipe.pasted_pair.photo_objects:
            sprite = with_surroundings(rng, recipe.sprite, photo, mask)
        else:
            sprite = cut_out(photo, mask)
        materials = self._of_its_class(rng, number)
        return pasted_pair(rng, materials, self.model_config, recipe, sprite)

    def _photo(self, number: int) -> Uint8Image:
        containers, item = self.objects[number]
        return to_rgb8(decode_bgr(containers.get(item.archive).read(item.photo)))

    def _shoot(
        self, rng: Rng, number: int, photo: Uint8Image, size_px: float, strength: float
    ) -> Shot:
        """The photo such that an object of it has some size, as far as it may be enlarged."""
        how, outline = self.recipe.natural_pair, _outline(self.objects[number][1])
        x1, y1, x2, y2 = bounds_xyxy(outline)
        scale = min(how.largest_zoom, size_px / math.sqrt((x2 - x1) * (y2 - y1)))
        strength *= self.recipe.real_pair.camera
        return draw_shot(rng, how, photo, outline, scale, 0.0, strength)

    def _look_alike(
        self, rng: Rng, number: int, photo: Uint8Image, size_px: float
    ) -> tuple[Uint8Image, Shot, CropRegion]:
        """Another object of the class and a region around it that does not show the first."""
        boxes, config = self.recipe.boxes, self.model_config
        item, beside = self.objects[number][1], self._beside(number)
        if beside and rng.random() < self.recipe.real_pair.same_photo:
            shot = self._shoot(rng, beside[int(rng.integers(len(beside)))], photo, size_px, 1.0)
            region = draw_search_region(rng, boxes, shot.box_xywh, config)
            target = bounds_xyxy(shot.placement.points(_outline(item)))
            if covered_part(target, region_xyxy(region)) <= 0.0:
                return photo, shot, region
        other = self._elsewhere(rng, number)
        photo = self._photo(other)
        shot = self._shoot(rng, other, photo, size_px, 1.0)
        return photo, shot, draw_search_region(rng, boxes, shot.box_xywh, config)

    def _beside(self, number: int) -> list[int]:
        """The other objects of the class in the same photo."""
        containers, item = self.objects[number]
        here = self._of_photo[str(containers.root), item.photo]
        return [k for k in here if k != number and self.objects[k][1].category == item.category]

    def _elsewhere(self, rng: Rng, number: int) -> int:
        """An object of the class in another photo, or any where the class has none."""
        containers, item = self.objects[number]
        here = set(self._of_photo[str(containers.root), item.photo])
        of_class = [k for k in self._of_class[item.category] if k not in here]
        others = of_class or [k for k in range(len(self.objects)) if k not in here] or [number]
        return others[int(rng.integers(len(others)))]

    def _of_its_class(self, rng: Rng, number: int) -> Materials:
        """Other objects of the class, with their photos."""
        photos, cutouts = [], []
        for _ in range(_CLASS_POOL):
            other = self._elsewhere(rng, number)
            photo = self._photo(other)
            photos.append(Photo("", photo))
            mask = _mask(photo, self.objects[other][1])
            if mask.any():
                cutouts.append(Cutout("", cut_out(photo, mask)))
        return Materials(photos, cutouts, [])


def _mask(photo: Uint8Image, item: PhotoObject) -> Uint8Image:
    mask = np.zeros(photo.shape[:2], dtype=np.uint8)
    for polygon in item.polygons:
        cv2.fillPoly(mask, [np.rint(polygon).astype(np.int32)], _INSIDE)
    return mask


def _outline(item: PhotoObject) -> Points:
    return np.concatenate(item.polygons)
