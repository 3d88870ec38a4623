"""Runs a model with PyTorch, on a CPU or a CUDA device."""

import logging
import platform
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from litetrack_ros.backends.base import BackendInfo, Crops, Predictions, TemplateFeatures
from litetrack_ros.backends.torch_crop import Uploader, cut_there, device_is_faster
from litetrack_ros.backends.torch_static import SIZES, StaticSearch
from litetrack_ros.crop import CropRegion, extract_crops
from litetrack_ros.errors import BackendError
from litetrack_ros.images import ColorOrder, Image, Uint8Image
from litetrack_ros.model.checkpoint import LoadedWeights
from litetrack_ros.model.fused import FusedLiteTrack, TemplateCache
from litetrack_ros.model.head import HeadMaps

_log = logging.getLogger(__name__)

_DTYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


class TorchBackend:
    """The fused model in PyTorch.

    Args:
        weights: a loaded weights file.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``fp32``, ``fp16`` or ``bf16``; decode is float32 in each.
        is_static: search at fixed places in memory, on a GPU with CUDA graphs, which are captured
            here; by default on a GPU.
        cuts_there: cut search regions on the device, whatever is faster; by default on a GPU where
            that is faster. Only images of three channels and 8 bits are.

    Attributes:
        graph_memory_bytes: of the GPU, that CUDA graphs and their buffers take.

    Raises:
        BackendError: an unknown or absent device, or a precision it cannot do.
    """

    def __init__(
        self,
        weights: LoadedWeights,
        device: str = "cpu",
        precision: str = "fp32",
        is_static: bool | None = None,
        cuts_there: bool | None = None,
    ) -> None:
        self.device = check_device(device)
        if precision not in _DTYPES:
            known = ", ".join(_DTYPES)
            raise BackendError(f"the torch backend has no precision '{precision}'; use {known}")
        self.model_config = weights.model_config
        self.tracker_config = weights.tracker_config
        self.model = FusedLiteTrack(weights.model, _DTYPES[precision]).to(self.device)
        self.info = BackendInfo(
            backend="torch",
            provider=str(self.device),
            device_name=_device_name(self.device),
            precision=precision,
            model_name=weights.model_config.name,
            model_sha256=weights.sha256,
            is_verified=weights.is_verified,
        )
        self._uploader = Uploader(self.device)
        self._cuts_there = False if self.device.type == "cpu" and not cuts_there else cuts_there
        self._static: StaticSearch | None = None
        if self.device.type == "cuda" if is_static is None else is_static:
            self._static = self._make_static()
        self.graph_memory_bytes = 0 if self._static is None else self._static.memory_bytes

    @torch.inference_mode()
    def encode_template(
        self, crops: Uint8Image, boxes_xyxy_norm: npt.NDArray[np.float32]
    ) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        boxes = torch.from_numpy(np.asarray(boxes_xyxy_norm, dtype=np.float32)).to(self.device)
        cache = self.model.encode_template(self._upload(crops), boxes)
        return TemplateFeatures(cache.keys, cache.values)

    @torch.inference_mode()
    def with_recent(self, first: TemplateFeatures, recent: TemplateFeatures) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        return TemplateFeatures(*TemplateCache(*first).with_recent(TemplateCache(*recent)))

    @torch.inference_mode()
    def stack(self, templates: Sequence[TemplateFeatures]) -> TemplateFeatures:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        return TemplateFeatures(
            torch.cat([t.keys for t in templates]), torch.cat([t.values for t in templates])
        )

    def token_keys(self, template: TemplateFeatures) -> npt.NDArray[np.float32]:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        keys = template.keys.float().permute(0, 3, 1, 2, 4).flatten(2)
        return np.asarray(keys.cpu().numpy(), dtype=np.float32)

    @torch.inference_mode()
    def cut(self, image: Image, regions: Sequence[CropRegion], color_order: ColorOrder) -> Crops:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        can_be = image.dtype == np.uint8 and image.shape[2:] == (3,)
        there = device_is_faster(image, regions) if self._cuts_there is None else self._cuts_there
        if can_be and there:
            return cut_there(self._uploader, image, regions, color_order == "bgr")
        return extract_crops(image, regions, color_order)

    @torch.inference_mode()
    def search(self, crops: Crops, templates: TemplateFeatures) -> Predictions:
        """See :class:`litetrack_ros.backends.base.Backend`."""
        cache = TemplateCache(templates.keys, templates.values)
        if self._static is not None:
            answer = self._static.run(crops, cache)
            return Predictions.of(answer[:, :6], answer[:, 6:])
        # One array, so that a GPU is waited for once.
        answer = torch.cat(self.model(self._upload(crops), cache), dim=1).cpu().numpy()
        return Predictions.of(answer[:, :6], answer[:, 6:])

    @torch.inference_mode()
    def maps(self, crops: Crops, templates: TemplateFeatures) -> HeadMaps:
        """The head's whole maps on the CPU, for inspection and checks against other backends."""
        cache = TemplateCache(templates.keys, templates.values)
        return HeadMaps(*(m.cpu() for m in self.model.maps(self._upload(crops), cache)))

    @torch.inference_mode()
    def _make_static(self) -> StaticSearch:
        side = self.model_config.template_size
        template = self.encode_template(
            np.zeros((1, side, side, 3), np.uint8), np.array([[0.25, 0.25, 0.75, 0.75]], np.float32)
        )
        cache = TemplateCache(template.keys, template.values)
        static = StaticSearch(self.model, cache, self.device)
        if static.memory_bytes:
            _log.info("CUDA graphs for %s crops take %.0f MB", SIZES, static.memory_bytes / 1e6)
        return static

    def _upload(self, crops: Crops) -> Tensor:
        if isinstance(crops, Tensor):
            return crops
        return torch.from_numpy(np.ascontiguousarray(crops)).to(self.device)


def check_device(name: str) -> torch.device:
    """A device by its name.

    Raises:
        BackendError: unknown, or absent, with the reason.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BackendError(f"'{name}' is no device; use cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise BackendError(f"the torch backend runs on cpu or cuda, not on '{name}'")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BackendError(
            f"device '{name}' was asked for, but {_why_no_cuda()}; or use device cpu"
        )
    return device


def _why_no_cuda() -> str:
    """Why PyTorch cannot use a GPU, and what may be done about it."""
    version, count = torch.__version__, torch.cuda.device_count()
    if torch.version.cuda is None:
        return f"this PyTorch {version} was built without CUDA: install a build with it"
    if count:
        return f"the CUDA devices here are numbered from 0 to {count - 1}"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:  # of the driver: none, too old, no device
        return f"CUDA does not start: {' '.join(str(error).split())}"
    return f"PyTorch {version} sees no CUDA device (CUDA_VISIBLE_DEVICES, or the driver)"


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
