"""What a training pair is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.images import Uint8Image


class Pair(NamedTuple):
    """A template, a search region, and where the template's target is in it.

    Attributes:
        template: ``(template_size, template_size, 3)`` uint8 RGB.
        template_box_cxcywh_norm: ``(4,)`` float32, in units of the crop's side.
        search: ``(search_size, search_size, 3)`` uint8 RGB.
        search_box_cxcywh_norm: ``(4,)`` float32; zeros where the target is absent.
        present: whether the target is in the search region.
    """

    template: Uint8Image
    template_box_cxcywh_norm: npt.NDArray[np.float32]
    search: Uint8Image
    search_box_cxcywh_norm: npt.NDArray[np.float32]
    present: bool
