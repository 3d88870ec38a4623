"""A picture of training pairs with their boxes, to look at what a network is taught."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from litetrack_ros.geometry import cxcywh_to_xywh
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media.drawing import draw_box, tile
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs.pair import Pair

_BOX_BGR = (0, 230, 255)
_ABSENT_BGR = (70, 70, 255)


def contact_sheet(pairs: Sequence[Pair], columns: int = 4) -> Uint8Image:
    """Pairs in rows: the template at the left of its search region, the target's boxes drawn.

    A search region without the target has a red border.

    Returns:
        ``(H, W, 3)`` uint8 BGR.
    """
    return tile([_panel(pair) for pair in pairs], columns)


def _panel(pair: Pair) -> Uint8Image:
    template = _with_box(pair.template, pair.template_box_cxcywh_norm)
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
