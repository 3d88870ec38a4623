"""A picture of training pairs with their boxes, to look at what a network is taught."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.pairs import Pair
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2

_BOX_RGB = (255, 230, 0)
_ABSENT_RGB = (255, 70, 70)


def contact_sheet(pairs: Sequence[Pair], columns: int = 4) -> Uint8Image:
    """Pairs in rows: the template at the left of its search region, the target's boxes drawn.

    A search region without the target has a red border.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    cells = [_cell(pair) for pair in pairs]
    height, width = cells[0].shape[:2]
    rows = math.ceil(len(cells) / columns)
    sheet = np.zeros((rows * height, columns * width, 3), dtype=np.uint8)
    for k, cell in enumerate(cells):
        y, x = k // columns * height, k % columns * width
        sheet[y : y + height, x : x + width] = cell
    return sheet


def _cell(pair: Pair) -> Uint8Image:
    template_px, search_px = pair.template.shape[0], pair.search.shape[0]
    cell = np.zeros((search_px + 4, template_px + search_px + 8, 3), dtype=np.uint8)
    cell[:template_px, :template_px] = _with_box(pair.template, pair.template_box_cxcywh_norm)
    search = pair.search
    if pair.present:
        search = _with_box(search, pair.search_box_cxcywh_norm)
    else:
        search = search.copy()
        cv2.rectangle(search, (0, 0), (search_px - 1, search_px - 1), _ABSENT_RGB, 3)
    cell[:search_px, template_px + 4 : -4] = search
    return cell


def _with_box(crop: Uint8Image, box_cxcywh_norm: npt.NDArray[np.float32]) -> Uint8Image:
    cx, cy, w, h = (float(v) * crop.shape[0] for v in box_cxcywh_norm)
    shown = crop.copy()
    corner, opposite = (
        (round(cx + sign * w / 2 - 0.5), round(cy + sign * h / 2 - 0.5)) for sign in (-1, 1)
    )
    cv2.rectangle(shown, corner, opposite, _BOX_RGB, 1)
    return shown
