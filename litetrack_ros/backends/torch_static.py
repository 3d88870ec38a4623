"""Search steps at fixed places in memory, for 1, 2, 4 or 8 crops: on a GPU a CUDA graph each.

A network this small spends more time in launching its kernels than in running them. A graph
launches all of them at once, but its shapes and places are those of its capture: the number of
crops is padded to the next size, and crops, keys and values are copied into buffers that stay.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from litetrack_ros.backends.base import Crops
from litetrack_ros.model.fused import FusedLiteTrack, TemplateCache

SIZES = (1, 2, 4, 8)
_WARM_UPS = 3  # the libraries choose their kernels and take their memory before a capture


class StaticSearch:
    """A model's search step, ready for up to any number of targets when built.

    Args:
        model: on its device.
        template: of one target, for the shapes of its keys and values.
        device: on ``cuda`` the steps are captured; elsewhere they run as they are, at the same
            fixed places.

    Attributes:
        memory_bytes: of the device, that buffers and graphs take; 0 on the CPU.
    """

    def __init__(
        self, model: FusedLiteTrack, template: TemplateCache, device: torch.device
    ) -> None:
        is_gpu = device.type == "cuda"
        before = torch.cuda.memory_reserved(device) if is_gpu else 0
        pool = torch.cuda.graph_pool_handle() if is_gpu else None
        # The largest first: the smaller ones' memory is then taken from what it left.
        self._steps = {size: _Step(model, template, device, size, pool) for size in reversed(SIZES)}
        self.memory_bytes = torch.cuda.memory_reserved(device) - before if is_gpu else 0

    def run(self, crops: Crops, template: TemplateCache) -> npt.NDArray[np.float32]:
        """Six numbers and the scores of all cells for each crop ``(N, 6 + G * G)``.

        Args:
            crops: uint8 RGB ``(N, S, S, 3)``, here or on the device.
            template: of N targets. It is copied where it is another object than the last time.
        """
        parts = []
        for first in range(0, len(crops), SIZES[-1]):
            rows = slice(first, min(first + SIZES[-1], len(crops)))
            count = rows.stop - rows.start
            step = self._steps[next(size for size in SIZES if size >= count)]
            parts.append(step.run(crops[rows], template, rows))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class _Step:
    """The step for one number of crops."""

    def __init__(
        self,
        model: FusedLiteTrack,
        template: TemplateCache,
        device: torch.device,
        size: int,
        pool: Any,
    ) -> None:
        self._model, self._device = model, device
        side = model.config.search_size
        is_gpu = device.type == "cuda"
        self._crops = torch.zeros((size, side, side, 3), dtype=torch.uint8, device=device)
        self._cache = TemplateCache(*(t.new_zeros((size, *t.shape[1:])) for t in template))
        self._source: tuple[Tensor, Tensor, slice] | None = None
        # Only from pinned memory does a copy go on beside the program.
        self._sent = torch.zeros(self._crops.shape, dtype=torch.uint8, pin_memory=is_gpu)
        self._graph: torch.cuda.CUDAGraph | None = None
        if is_gpu:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.device(device):  # a capture is of the current one
                with _side_stream(device):
                    for _ in range(_WARM_UPS):
                        self._answer = self._forward()
                with torch.cuda.graph(self._graph, pool=pool):
                    self._answer = self._forward()
        else:
            self._answer = self._forward()
        self._received = torch.zeros(self._answer.shape, pin_memory=is_gpu)

    def run(self, crops: Crops, template: TemplateCache, rows: slice) -> npt.NDArray[np.float32]:
        """Copy in, run, copy out; the device is waited for once."""
        count = len(crops)
        # The arrays themselves are remembered: an id may be another array's later.
        known = self._source
        if (
            known is None
            or known[0] is not template.keys
            or known[1] is not template.values
            or known[2] != rows
        ):
            for own, given in zip(self._cache, template, strict=True):
                own[:count].copy_(given[rows])
            self._source = (template.keys, template.values, rows)
        if not isinstance(crops, Tensor):
            self._sent.numpy()[:count] = crops
            crops = self._sent[:count]
        self._crops[:count].copy_(crops, non_blocking=True)
        if self._graph is None:
            self._answer.copy_(self._forward())
        else:
            self._graph.replay()
        self._received.copy_(self._answer, non_blocking=True)
        if self._graph is not None:
            torch.cuda.current_stream(self._device).synchronize()
        return np.array(self._received.numpy()[:count])

    def _forward(self) -> Tensor:
        return torch.cat(self._model(self._crops, self._cache), dim=1)


@contextlib.contextmanager
def _side_stream(device: torch.device) -> Iterator[None]:
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)
