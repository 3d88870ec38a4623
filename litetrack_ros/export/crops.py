"""Crops as a tracker sees them that is always right: for checks and for calibration."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from litetrack_ros.config import ModelConfig
from litetrack_ros.crop import CropRegion, extract_crops
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.errors import DatasetError
from litetrack_ros.images import Uint8Image
from litetrack_ros.tracker.decode import template_box_xyxy_norm


@dataclass(frozen=True)
class CropPair:
    """A template and a search crop of one sequence.

    Attributes:
        template: uint8 RGB ``(1, template_size, template_size, 3)``, around the first true box.
        template_box: ``(1, 4)`` float32, xyxy in units of the template's side.
        search: uint8 RGB ``(1, search_size, search_size, 3)``, around the previous true box.
        region: where the search crop lies.
    """

    template: Uint8Image
    template_box: npt.NDArray[np.float32]
    search: Uint8Image
    region: CropRegion


def crop_pairs(
    sequences: Sequence[AnnotatedSequence], model: ModelConfig, per_sequence: int
) -> list[CropPair]:
    """Teacher-forced crops: the search region lies around the true box of the frame before.

    Args:
        sequences: annotated sequences.
        model: sizes, factors and decode convention.
        per_sequence: how many of each, evenly spread over its frames.

    Raises:
        DatasetError: no frame with a true box in it and in the one before.
    """
    pairs = [pair for s in sequences for pair in _pairs_of(s, model, per_sequence)]
    if not pairs:
        raise DatasetError("the sequences hold no two frames in a row with a true box")
    return pairs


def _pairs_of(sequence: AnnotatedSequence, model: ModelConfig, count: int) -> Iterator[CropPair]:
    boxes = sequence.boxes_xywh
    known = np.asarray(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))
    usable = np.flatnonzero(known[1:] & known[:-1]) + 1
    chosen = set(usable[np.linspace(0, len(usable) - 1, min(count, len(usable))).astype(int)])
    template = box_norm = None
    for index, frame in enumerate(sequence.frames()):
        if template is None or box_norm is None:
            region = CropRegion.around(boxes[0], model.template_factor, model.template_size)
            template = extract_crops(frame.image, [region], "bgr")
            box_norm = template_box_xyxy_norm(boxes[0], region, model.decode)[None]
        if index in chosen:
            region = CropRegion.around(boxes[index - 1], model.search_factor, model.search_size)
            search = extract_crops(frame.image, [region], "bgr")
            yield CropPair(template, box_norm, search, region)
