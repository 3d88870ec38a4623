"""What is done when a GPU fails while a model runs on it: it is named, and the CPU takes over.

An assertion that failed on the device leaves it unusable for the whole process, and what lay in its
memory is lost. Therefore what templates were made from is kept here, and they are encoded anew.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.base import Backend, Crops, Predictions, TemplateFeatures
from litetrack_ros.crop import CropRegion
from litetrack_ros.errors import DeviceFaultError, LiteTrackError, shown
from litetrack_ros.images import ColorOrder, Image, Uint8Image

_log = logging.getLogger(__name__)
Result = TypeVar("Result")

# As PyTorch, onnxruntime and its TensorRT provider say it; they have no exception types in common.
_FULL = ("out of memory", "failed to allocate memory", "alloc_failed")
_FAILED = ("cuda error", "cuda failure", "cudnn", "cublas", "device-side assert", "enqueue failed")
_SHOWN = 300  # characters of what the library says


def fault_of(error: Exception) -> str:
    """What is wrong with the device, by what a library raised; empty where it is nothing of that.

    Args:
        error: of PyTorch or onnxruntime, which worked on a GPU.
    """
    text = " ".join(str(error).split())
    if isinstance(error, LiteTrackError):
        return ""
    for words, name in ((_FULL, "the device's memory is full"), (_FAILED, "the device failed")):
        if any(word in text.lower() for word in words):
            return f"{name}: {shown(text, _SHOWN)}"
    return ""


class _Origin(NamedTuple):
    """What a target's template was made from: crops ``(S, S, 3)`` and boxes ``(4,)``."""

    first: tuple[Uint8Image, npt.NDArray[np.float32]]
    recent: tuple[Uint8Image, npt.NDArray[np.float32]] | None = None


@dataclass
class _Kept:
    """Features of some targets, the backend that made them, and of what."""

    origins: tuple[_Origin, ...]
    features: TemplateFeatures
    made_by: Backend


class _Array:
    """One of the arrays of features that were kept."""

    def __init__(self, guard: "GuardedBackend", kept: _Kept, part: int) -> None:
        self._guard, self.kept, self._part = guard, kept, part

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.kept.features[self._part].shape)

    def max(self) -> float:
        return self._guard.number_of(self.kept, lambda features: features[self._part].max())

    def min(self) -> float:
        return self._guard.number_of(self.kept, lambda features: features[self._part].min())


@dataclass
class _Cut:
    """Crops on a device, and what they were cut from."""

    crops: Crops
    image: Image
    regions: Sequence[CropRegion]
    color_order: ColorOrder
    made_by: Backend


class GuardedBackend:
    """A backend on a GPU whose faults are named, and which goes on elsewhere where it may.

    Args:
        backend: does the work until its device fails.
        open_other: opens what goes on then, with all targets; None where nothing may.

    Attributes:
        info: of what does the work now.

    Raises:
        DeviceFaultError: of every method, where the device fails and nothing may go on.
    """

    def __init__(self, backend: Backend, open_other: Callable[[], Backend] | None) -> None:
        self._backend, self._open_other = backend, open_other
        self.model_config, self.tracker_config = backend.model_config, backend.tracker_config
        self.info = backend.info

    def encode_template(
        self, crops: Uint8Image, boxes_xyxy_norm: npt.NDArray[np.float32]
    ) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        origins = tuple(_Origin(pair) for pair in zip(crops, boxes_xyxy_norm, strict=True))
        features = self._try(lambda: self._backend.encode_template(crops, boxes_xyxy_norm))
        return self._keep(origins, features)

    def with_recent(self, first: TemplateFeatures, recent: TemplateFeatures) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        pairs = zip(first.keys.kept.origins, recent.keys.kept.origins, strict=True)
        origins = tuple(_Origin(one.first, other.first) for one, other in pairs)
        features = self._try(
            lambda: self._backend.with_recent(self._usable(first), self._usable(recent))
        )
        return self._keep(origins, features)

    def stack(self, templates: Sequence[TemplateFeatures]) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        origins = tuple(origin for one in templates for origin in one.keys.kept.origins)
        features = self._try(
            lambda: self._backend.stack([self._usable(template) for template in templates])
        )
        return self._keep(origins, features)

    def token_keys(self, template: TemplateFeatures) -> npt.NDArray[np.float32]:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        return self._try(lambda: self._backend.token_keys(self._usable(template)))

    def cut(self, image: Image, regions: Sequence[CropRegion], color_order: ColorOrder) -> Crops:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        crops = self._try(lambda: self._backend.cut(image, regions, color_order))
        if isinstance(crops, np.ndarray):
            return crops
        return _Cut(crops, image, regions, color_order, self._backend)

    def search(self, crops: Crops, templates: TemplateFeatures) -> Predictions:
        """See :class:`litetrack_ros.backends.base.Backend`."""

        def usable() -> Crops:
            if not isinstance(crops, _Cut):
                return crops
            if crops.made_by is self._backend:
                return crops.crops
            return self._backend.cut(crops.image, crops.regions, crops.color_order)

        return self._try(lambda: self._backend.search(usable(), self._usable(templates)))

    def number_of(self, kept: _Kept, ask: Callable[[TemplateFeatures], Any]) -> float:
        """A number of features: asking for it may be what tells that the device has failed."""
        return self._try(lambda: float(ask(self._made_here(kept))))

    def _try(self, call: Callable[[], Result]) -> Result:
        try:
            return call()
        except Exception as error:
            fault = fault_of(error)
            if not fault:
                raise
            self._go_on_elsewhere(fault, error)
        return call()

    def _go_on_elsewhere(self, fault: str, error: Exception) -> None:
        opener, self._open_other = self._open_other, None
        if opener is None:
            raise DeviceFaultError(
                f"{fault} ({self.info.device_name}): start anew, give it less to do, or allow the "
                "fallback (allow_fallback) to go on with the CPU"
            ) from error
        failed, self._backend = self.info, opener()
        self.info = self._backend.info
        _log.warning("%s (%s); going on with %s", fault, failed.device_name, self.info.provider)

    def _keep(self, origins: tuple[_Origin, ...], features: TemplateFeatures) -> TemplateFeatures:
        kept = _Kept(origins, features, self._backend)
        keys, values = (
            None if array is None else _Array(self, kept, part)
            for part, array in enumerate(features)
        )
        return TemplateFeatures(keys, values)

    def _usable(self, template: TemplateFeatures) -> TemplateFeatures:
        return self._made_here(template.keys.kept)

    def _made_here(self, kept: _Kept) -> TemplateFeatures:
        """Features of the backend that works now: made anew where they are another's."""
        backend = self._backend
        if kept.made_by is not backend:
            rows = []
            for origin in kept.origins:
                row = _encode(backend, origin.first)
                if origin.recent is not None:
                    row = backend.with_recent(row, _encode(backend, origin.recent))
                rows.append(row)
            kept.features, kept.made_by = backend.stack(rows), backend
        return kept.features


def _encode(
    backend: Backend, made_from: tuple[Uint8Image, npt.NDArray[np.float32]]
) -> TemplateFeatures:
    crop, box = made_from
    return backend.encode_template(crop[None], box[None])
