"""A target that was lost, told from others of its kind: made losses, drawn and of photos."""

from __future__ import annotations

import os
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Uint8Image
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tracker.appearance import Appearance, Recogniser

# Made losses of each kind; the full figures are those of 200.
LOSSES = int(os.environ.get("LITETRACK_RESELECT_LOSSES", "50"))


class Loss(NamedTuple):
    """A target, others of its kind beside it, and the target again when it is back."""

    image: Uint8Image
    box_xywh: FloatArray
    others: list[FloatArray]
    later: Uint8Image  # the others alone are offered in this one
    back: Uint8Image
    back_box_xywh: FloatArray


def shaken(rng: np.random.Generator, box_xywh: FloatArray) -> FloatArray:
    """A box as a detector gives it: moved and scaled by some 5 %."""
    x, y, width, height = box_xywh
    move_x, move_y, grow_x, grow_y = rng.normal(0.0, 0.05, 4)
    sides = width * np.exp(grow_x), height * np.exp(grow_y)
    return np.array([x + move_x * width, y + move_y * height, *sides])


def other_light(rng: np.random.Generator, image: Uint8Image) -> Uint8Image:
    """Lighter or darker, with noise."""
    changed = image * rng.uniform(0.85, 1.15) + rng.uniform(-12, 12)
    return (changed + rng.normal(0, 3, image.shape)).clip(0, 255).astype(np.uint8)


def drawn_losses(count: int) -> Iterator[Loss]:
    """Objects of one outline in other colours and patterns, side by side on one ground."""
    for seed in range(count):
        scenes = [DrawnScene(320, 240, frames=40, seed=100 * seed + k) for k in range(3)]
        joined = np.hstack([scene.frame(0) for scene in scenes])
        boxes, moved = (
            [s.box_xywh(n) + np.array([320.0 * k, 0, 0, 0]) for k, s in enumerate(scenes)]
            for n in (0, 8)
        )
        later = np.hstack([scene.frame(8) for scene in scenes])
        back = scenes[0].box_xywh(8)
        yield Loss(joined, boxes[0], moved[1:], later, later, back)


def photo_losses(count: int) -> Iterator[Loss]:
    """Objects of one class in photos."""
    import json

    folder = Path(__file__).resolve().parents[2].parent / "shared" / "material" / "boxed_photos"
    if not (folder / "annotations.json").is_file():
        pytest.skip("shared/material/boxed_photos is not there")
    content = json.loads((folder / "annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    groups = defaultdict(list)
    for item in content["annotations"]:
        if min(item["bbox"][2:]) >= 16 and not item["iscrowd"]:
            groups[item["image_id"], item["category_id"]].append(np.array(item["bbox"]))
    several = (key for key, boxes in groups.items() if len(boxes) > 1)
    found = sorted(several, key=lambda key: (zlib.crc32(names[key[0]].encode()), key))
    for key in found[:count]:
        boxes = groups[key]
        boxes[1:] = [box for box in boxes[1:4] if overlap(box, boxes[0]) < 0.2]
        image = cv2.imread(str(folder / names[key[0]]))
        rng = np.random.default_rng(key[0])
        later = other_light(rng, image)
        yield Loss(image, boxes[0], boxes[1:], later, other_light(rng, image), boxes[0])


@pytest.mark.parametrize("kind", ["drawn", "photos"])
def test_others_of_the_class_are_not_taken_for_it(kind: str) -> None:
    """At most 2 % of the made losses end on another one."""
    rng = np.random.default_rng(0)
    losses = list((drawn_losses if kind == "drawn" else photo_losses)(LOSSES))
    wrong, right = 0, 0
    for loss in losses:
        known = Recogniser(Appearance.at(loss.image, loss.box_xywh))
        known.learn(loss.image, [shaken(rng, box) for box in loss.others])
        # Lost: the others are seen in three images.
        wrong += any(
            known.recognise(loss.later, [shaken(rng, box) for box in loss.others]) is not None
            for _ in range(3)
        )
        back = [shaken(rng, box) for box in (loss.back_box_xywh, *loss.others)]
        right += known.recognise(loss.back, back) == 0
    print(f"{kind}: {len(losses)} losses, {wrong} ended on another, {right} found again")
    assert wrong <= 0.02 * len(losses)
    assert right > 0.1 * len(losses)


def test_without_any_other_seen_more_is_asked() -> None:
    scene = DrawnScene(320, 240, frames=20)
    known = Recogniser(Appearance.at(scene.frame(0), scene.box_xywh(0)))
    same = [scene.box_xywh(0)]
    assert known.recognise(scene.frame(0), same) == 0
    assert known.recognise(scene.frame(0), [*same, *same]) is None  # two might be it
    assert known.recognise(scene.frame(0), []) is None
    known.learn(scene.frame(0), same)  # another that looks exactly like it
    assert known.recognise(scene.frame(0), same) is None
    known.learn(scene.frame(0), [])
    assert known.recognise(scene.frame(0), same) is None


@pytest.mark.parametrize("box", [(-30, -20, 60, 50), (300, 220, 60, 60), (100, 100, 1.5, 1.5)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_boxes_over_the_border_and_all_images_have_a_look(
    box: tuple[float, float, float, float], channels: int
) -> None:
    shape = (240, 320) if channels == 1 else (240, 320, channels)
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    look = Appearance.at(image, box)
    assert all(np.isfinite(part).all() for part in look)
    assert look.likeness(image, box) > 3
