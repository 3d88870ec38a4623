"""Crops cut on the device from an image that was uploaded once, as OpenCV cuts them on the host."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from litetrack_ros.crop import CropRegion
from litetrack_ros.images import Image, Uint8Image

# What cutting costs, ms: OpenCV for each crop and for each MB of its square, the device once and
# for each MB that it is sent. OpenCV's are measured (a server's core: 0.10 for a side of 215 px,
# 0.44 for one of 1960), the device's are guessed: `litetrack model bench` measures both.
_HOST_CROP_MS, _HOST_MB_MS = 0.1, 0.03
_DEVICE_MS, _DEVICE_MB_MS = 0.3, 0.15


class Piece(NamedTuple):
    """A part of an image that holds all that some regions need of it.

    Attributes:
        x0_px, y0_px: its corner in the image.
        width_px, height_px: at least 1.
    """

    x0_px: int
    y0_px: int
    width_px: int
    height_px: int

    @staticmethod
    def around(regions: Sequence[CropRegion], width_px: int, height_px: int) -> "Piece":
        """The smallest piece of an image of this size for some regions."""

        def span(starts: list[int], ends: list[int], most: int) -> tuple[int, int]:
            low = min(max(min(starts), 0), most - 1)
            return low, max(min(max(ends), most) - low, 1)

        x0, width = span([r.x0_px for r in regions], [r.x0_px + r.side_px for r in regions],
                         width_px)  # fmt: skip
        y0, height = span([r.y0_px for r in regions], [r.y0_px + r.side_px for r in regions],
                          height_px)  # fmt: skip
        return Piece(x0, y0, width, height)


def device_is_faster(image: Image, regions: Sequence[CropRegion]) -> bool:
    """Whether to upload an image and cut there, rather than to cut here and upload the crops.

    Decided by sizes alone, never by the clock, so that the same video gives the same result.

    Args:
        image: as for :meth:`litetrack_ros.backends.base.Backend.cut`.
        regions: at least one.
    """
    piece = Piece.around(regions, image.shape[1], image.shape[0])
    sent_mb = 3e-6 * piece.width_px * piece.height_px
    squares_mb = 3e-6 * sum(region.side_px**2 for region in regions)
    here_ms = _HOST_CROP_MS * len(regions) + _HOST_MB_MS * squares_mb
    return here_ms > _DEVICE_MS + _DEVICE_MB_MS * sent_mb


class Uploader:
    """Sends images to a device, from pinned memory where that is a GPU, without waiting for it.

    Args:
        device: ``cuda`` or ``cpu``.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._is_gpu = device.type == "cuda"
        self._memory = torch.zeros(0, dtype=torch.uint8)
        self._sent: torch.cuda.Event | None = None

    def send(self, *arrays: npt.NDArray[np.generic]) -> list[Tensor]:
        """Arrays on the device, in one copy from memory that is used again.

        Returns:
            Views of one piece of memory on the device, of the arrays' shapes and types.
        """
        if self._sent is not None:
            self._sent.synchronize()  # the last copy is long done, unless nobody asked for answers
        starts, size = [], 0
        for array in arrays:
            starts.append(size)
            size += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
        if len(self._memory) < size:
            self._memory = torch.zeros(size, dtype=torch.uint8, pin_memory=self._is_gpu)
        for start, array in zip(starts, arrays, strict=True):
            place = self._memory.numpy()[start : start + array.nbytes]
            np.copyto(place.view(array.dtype).reshape(array.shape), array)
        there = torch.empty(size, dtype=torch.uint8, device=self._device)
        there.copy_(self._memory[:size], non_blocking=True)
        if self._is_gpu:
            self._sent = torch.cuda.Event()
            self._sent.record(torch.cuda.current_stream(self._device))
        return [
            there[start : start + array.nbytes].view(_TYPES[array.dtype.name]).view(array.shape)
            for start, array in zip(starts, arrays, strict=True)
        ]


_ALIGNMENT = 256
_TYPES = {"uint8": torch.uint8, "int64": torch.int64}


def cut_there(
    uploader: Uploader, image: Uint8Image, regions: Sequence[CropRegion], is_bgr: bool
) -> Tensor:
    """What :func:`litetrack_ros.crop.extract_crops` gives, to one grey level, on the device.

    Only the piece of the image that the regions need is uploaded. OpenCV weighs the four
    neighbours in 11 bits, this in float32. Nothing here waits for the device.

    Args:
        uploader: of the device.
        image: uint8 ``(H, W, 3)``.
        regions: of one crop size; at least one.
        is_bgr: the image's order.

    Returns:
        uint8 ``(N, S, S, 3)``.
    """
    height, width = image.shape[:2]
    piece = Piece.around(regions, width, height)
    places = np.array([[r.x0_px, r.y0_px, r.side_px] for r in regions], dtype=np.int64)
    part = image[piece.y0_px : piece.y0_px + piece.height_px]
    part = part[:, piece.x0_px : piece.x0_px + piece.width_px]
    pixels, geometry = uploader.send(part, places)
    crops = _sample(pixels, piece, (width, height), geometry, regions[0].size_px)
    return crops.flip(-1) if is_bgr else crops


def _sample(
    pixels: Tensor, piece: Piece, image_size: tuple[int, int], geometry: Tensor, size: int
) -> Tensor:
    sides = geometry[:, 2]
    # As OpenCV: pixel centres, and no neighbour beyond the square's own border.
    steps = torch.arange(size, device=pixels.device, dtype=torch.float64) + 0.5
    places = steps * (sides[:, None] / size) - 0.5  # (N, S), in the square
    places = places.clamp(min=0).minimum(sides[:, None] - 1.0)
    low = places.floor().long()
    high = torch.minimum(low + 1, sides[:, None] - 1)
    part = (places - low).float()

    def line(axis: int, index: Tensor) -> tuple[Tensor, Tensor]:
        """Where samples are in the piece, and 1 or 0 where there is an image."""
        # The last column and row belong to the padding, as in the authors' code.
        place = geometry[:, axis, None] + index
        is_in = (place >= 0) & (place < image_size[axis] - 1)
        return (place - piece[axis]).clamp(0, piece[2 + axis] - 1), is_in.float()

    ((x0, in_x0), (x1, in_x1)), ((y0, in_y0), (y1, in_y1)) = (
        (line(axis, low), line(axis, high)) for axis in (0, 1)
    )
    across = ((x0, in_x0 * (1 - part)), (x1, in_x1 * part))
    down = ((y0, in_y0 * (1 - part)), (y1, in_y1 * part))
    total = torch.zeros((len(geometry), size, size, 3), device=pixels.device)
    for y, weight_y in down:
        for x, weight_x in across:
            neighbours = pixels[y[:, :, None], x[:, None, :]].float()
            total += neighbours * (weight_y[:, :, None] * weight_x[:, None, :])[..., None]
    return (total + 0.5).to(torch.uint8)
