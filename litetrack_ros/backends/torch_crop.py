"""Crops cut on the device from an image that was uploaded once, as OpenCV cuts them on the host."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from litetrack_ros.crop import CropRegion
from litetrack_ros.images import Uint8Image


def upload(image: Uint8Image, device: torch.device) -> Tensor:
    """An image ``(H, W, 3)`` uint8 on a device, in its own colour order."""
    return torch.from_numpy(np.ascontiguousarray(image)).to(device, non_blocking=True)


def device_crops(image: Tensor, regions: Sequence[CropRegion], is_bgr: bool) -> Tensor:
    """What :func:`litetrack_ros.crop.extract_crop` gives, in RGB, to one grey level.

    OpenCV weighs the four neighbours in 11 bits, this in float32.

    Args:
        image: uint8 ``(H, W, 3)``, on the device.
        regions: of one crop size; at least one.
        is_bgr: the image's order.

    Returns:
        uint8 ``(N, S, S, 3)`` on the image's device.
    """
    size = regions[0].size_px
    corners = torch.tensor([[r.x0_px, r.y0_px] for r in regions], device=image.device)
    sides = torch.tensor([r.side_px for r in regions], device=image.device)
    # As OpenCV: pixel centres, and no neighbour beyond the square's own border.
    steps = torch.arange(size, device=image.device, dtype=torch.float64) + 0.5
    places = steps * (sides[:, None] / size) - 0.5  # (N, S), in the square
    places = places.clamp(min=0).minimum(sides[:, None] - 1.0)
    low = places.floor().long()
    high = torch.minimum(low + 1, sides[:, None] - 1)
    part = (places - low).float()

    def line(axis: int, index: Tensor) -> tuple[Tensor, Tensor]:
        """Where samples are in the image, and 1 or 0 where there is an image."""
        # The last column and row belong to the padding, as in the authors' code.
        most = image.shape[1 - axis] - 1
        place = corners[:, axis, None] + index
        is_in = (place >= 0) & (place < most)
        return place.clamp(0, max(most - 1, 0)), is_in.float()

    ((x0, in_x0), (x1, in_x1)), ((y0, in_y0), (y1, in_y1)) = (
        (line(axis, low), line(axis, high)) for axis in (0, 1)
    )
    across = ((x0, in_x0 * (1 - part)), (x1, in_x1 * part))
    down = ((y0, in_y0 * (1 - part)), (y1, in_y1 * part))
    total = torch.zeros((len(regions), size, size, 3), device=image.device)
    for y, weight_y in down:
        for x, weight_x in across:
            pixels = image[y[:, :, None], x[:, None, :]].float()
            total += pixels * (weight_y[:, :, None] * weight_x[:, None, :])[..., None]
    crops = (total + 0.5).to(torch.uint8)
    return crops.flip(-1) if is_bgr else crops
