"""What a tracker needs of whatever runs the network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.crop import CropRegion
from litetrack_ros.images import ColorOrder, Image, Uint8Image

# Search regions cut out, RGB uint8 ``(N, S, S, 3)``: NumPy's, or what a backend's own ``cut`` gave.
Crops = Any


@dataclass(frozen=True)
class BackendInfo:
    """What really runs, for diagnostics and reports.

    Attributes:
        backend: ``torch`` or ``onnx``.
        provider: the device or execution provider in use, such as ``cpu`` or ``cuda:0``.
        device_name: the hardware's own name, such as the GPU's.
        precision: ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        model_name: the variant.
        model_sha256: hash of the weights file, hexadecimal.
        is_verified: whether a manifest beside the model held the hashes of all files in use.
    """

    backend: str
    provider: str
    device_name: str
    precision: str
    model_name: str
    model_sha256: str
    is_verified: bool = False


class TemplateFeatures(NamedTuple):
    """Cached keys and values in a backend's own array type; the first axis is the target.

    Only the backend that made them knows what they mean; the largest and the smallest number in an
    array are asked for by anybody (``max`` and ``min``), to see whether all are finite.
    """

    keys: Any
    values: Any


class Predictions(NamedTuple):
    """A search step's answer for N targets.

    Attributes:
        boxes_cxcywh_norm: ``(N, 4)`` float32, in units of the search crop's side.
        scores: ``(N,)`` float32, raw score at the chosen cell, in (0, 1).
        responses: ``(N,)`` float32, window times score at that cell, its peak.
        score_maps: ``(N, G, G)`` float32, raw score of every cell, row by row.
    """

    boxes_cxcywh_norm: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    responses: npt.NDArray[np.float32]
    score_maps: npt.NDArray[np.float32]

    @staticmethod
    def of(result: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> "Predictions":
        """From six numbers a target ``(N, 6)`` and the scores of its cells ``(N, G * G)``."""
        grid = math.isqrt(scores.shape[1])
        return Predictions(
            result[:, :4], result[:, 4], result[:, 5], scores.reshape(-1, grid, grid)
        )


class Backend(Protocol):
    """Runs a network's template and search step for several targets at once.

    A backend is used from one thread at a time.
    """

    model_config: ModelConfig
    tracker_config: TrackerConfig
    info: BackendInfo

    def encode_template(
        self, crops: Uint8Image, boxes_xyxy_norm: npt.NDArray[np.float32]
    ) -> TemplateFeatures:
        """Encode templates, once per target.

        Args:
            crops: RGB, ``(N, template_size, template_size, 3)``.
            boxes_xyxy_norm: the target in units of the crop's side, ``(N, 4)``.
        """

    def with_recent(self, first: TemplateFeatures, recent: TemplateFeatures) -> TemplateFeatures:
        """Put a recent template beside a target's first one, for models with two.

        Args:
            first: of the target, with or without a recent one, which is replaced.
            recent: what :meth:`encode_template` made of the recent template.
        """

    def stack(self, templates: Sequence[TemplateFeatures]) -> TemplateFeatures:
        """Join the features of several targets along the first axis, for one search call."""

    def token_keys(self, template: TemplateFeatures) -> npt.NDArray[np.float32]:
        """What is kept of each token of N templates, for comparing them, ``(N, tokens, D)``."""

    def cut(self, image: Image, regions: Sequence[CropRegion], color_order: ColorOrder) -> Crops:
        """Cut regions out of an image where that is faster, here or on the device.

        Args:
            image: checked, as for :meth:`litetrack_ros.tracker.tracker.MultiTracker.update`.
            regions: N, at least one, all of the model's search size.
            color_order: of images with colour.

        Returns:
            For :meth:`search` of this backend; at most one grey level off what
            :func:`litetrack_ros.crop.extract_crops` gives.
        """

    def search(self, crops: Crops, templates: TemplateFeatures) -> Predictions:
        """One search step.

        Args:
            crops: RGB uint8, ``(N, search_size, search_size, 3)``: NumPy's, or what :meth:`cut`
                gave.
            templates: of N targets, in the same order.
        """


class PassingBackend:
    """A backend that passes every call on to another: a base for those that change one of them.

    Args:
        backend: does the work.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.model_config, self.tracker_config = backend.model_config, backend.tracker_config
        self.info = backend.info

    def encode_template(
        self, crops: Uint8Image, boxes_xyxy_norm: npt.NDArray[np.float32]
    ) -> TemplateFeatures:
        """See :class:`Backend`."""
        return self._backend.encode_template(crops, boxes_xyxy_norm)

    def with_recent(self, first: TemplateFeatures, recent: TemplateFeatures) -> TemplateFeatures:
        """See :class:`Backend`."""
        return self._backend.with_recent(first, recent)

    def stack(self, templates: Sequence[TemplateFeatures]) -> TemplateFeatures:
        """See :class:`Backend`."""
        return self._backend.stack(templates)

    def token_keys(self, template: TemplateFeatures) -> npt.NDArray[np.float32]:
        """See :class:`Backend`."""
        return self._backend.token_keys(template)

    def cut(self, image: Image, regions: Sequence[CropRegion], color_order: ColorOrder) -> Crops:
        """See :class:`Backend`."""
        return self._backend.cut(image, regions, color_order)

    def search(self, crops: Crops, templates: TemplateFeatures) -> Predictions:
        """See :class:`Backend`."""
        return self._backend.search(crops, templates)
