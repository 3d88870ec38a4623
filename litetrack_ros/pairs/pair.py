"""What a training pair is, and a picture of pairs to look at what a network is taught."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.crop import CropRegion
from litetrack_ros.geometry import FloatArray, cxcywh_to_xywh, xywh_to_cxcywh
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media.drawing import draw_box, tile
from litetrack_ros.opencv import cv2

_BOX_BGR = (0, 230, 255)
_ABSENT_BGR = (70, 70, 255)


class RecentTemplate(NamedTuple):
    """A later template of a pair's target, as a tracker takes it: not always of the target.

    Attributes:
        crop: ``(template_size, template_size, 3)`` uint8 RGB.
        box_cxcywh_norm: where it is taken to be, ``(4,)`` float32, in units of the crop's side.
    """

    crop: Uint8Image
    box_cxcywh_norm: npt.NDArray[np.float32]


class Pair(NamedTuple):
    """A template, a search region, and where the template's target is in it.

    Attributes:
        template: ``(template_size, template_size, 3)`` uint8 RGB.
        template_box_cxcywh_norm: ``(4,)`` float32, in units of the crop's side.
        search: ``(search_size, search_size, 3)`` uint8 RGB.
        search_box_cxcywh_norm: ``(4,)`` float32; zeros where the target is absent.
        present: whether the target is in the search region.
        recent: the second template of a model that has two, or None.
    """

    template: Uint8Image
    template_box_cxcywh_norm: npt.NDArray[np.float32]
    search: Uint8Image
    search_box_cxcywh_norm: npt.NDArray[np.float32]
    present: bool
    recent: RecentTemplate | None = None


def pair_generator(seed: int, index: int) -> np.random.Generator:
    """The random numbers of a pair: a function of a seed and an index, both at least 0."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, index], dtype=np.uint64)))


def aside(rng: np.random.Generator) -> np.random.Generator:
    """Random numbers of their own, which follow from a pair's and leave those as they are."""
    bits = rng.bit_generator
    assert isinstance(bits, np.random.Philox)
    return np.random.Generator(bits.jumped())


def make_pair(
    template: Uint8Image,
    template_region: CropRegion,
    init_box_xywh: FloatArray,
    search: Uint8Image,
    search_region: CropRegion,
    box_xywh: FloatArray | None,
    recent: RecentTemplate | None = None,
) -> Pair:
    """Crops and the target's boxes in their frames to a pair; a box of None is an absent target."""
    template_box = template_region.image_to_crop_norm(xywh_to_cxcywh(init_box_xywh))
    search_box = np.zeros(4)
    if box_xywh is not None:
        search_box = search_region.image_to_crop_norm(xywh_to_cxcywh(box_xywh))
    return Pair(
        np.ascontiguousarray(template),
        template_box.astype(np.float32),
        np.ascontiguousarray(search),
        search_box.astype(np.float32),
        box_xywh is not None,
        recent,
    )


def contact_sheet(pairs: Sequence[Pair], columns: int = 4) -> Uint8Image:
    """Pairs in rows: the template, a recent one if any, and the search region, with their boxes.

    A search region without the target has a red border.

    Returns:
        ``(H, W, 3)`` uint8 BGR.
    """
    has_recent = any(pair.recent is not None for pair in pairs)
    return tile([_panel(pair, has_recent) for pair in pairs], columns)


def _panel(pair: Pair, has_recent: bool) -> Uint8Image:
    templates = [_with_box(pair.template, pair.template_box_cxcywh_norm)]
    if has_recent:
        templates.append(_with_box(*pair.recent) if pair.recent is not None else templates[0])
    template = np.concatenate(templates, axis=1)
    if pair.present:
        search = _with_box(pair.search, pair.search_box_cxcywh_norm)
    else:
        search = to_bgr8(pair.search, "rgb")
        last = search.shape[0] - 1
        cv2.rectangle(search, (0, 0), (last, last), _ABSENT_BGR, 3)
    panel = np.zeros((search.shape[0], template.shape[1] + search.shape[1], 3), dtype=np.uint8)
    panel[: template.shape[0], : template.shape[1]] = template
    panel[:, template.shape[1] :] = search
    return panel


def _with_box(crop_rgb: Uint8Image, box_cxcywh_norm: npt.NDArray[np.float32]) -> Uint8Image:
    shown = to_bgr8(crop_rgb, "rgb")
    draw_box(shown, cxcywh_to_xywh(box_cxcywh_norm * crop_rgb.shape[0]), _BOX_BGR)
    return shown
