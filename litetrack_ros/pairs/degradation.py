"""What a camera does to a whole scene: light, blur, noise, compression.

Applied after everything is in place, so that the target and its surroundings share it.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2

Rng = np.random.Generator

_LEVELS = np.linspace(0.0, 1.0, 256)
_NOISE_SIGMA = 32.0
_NOISE_SIDE_PX = 1024


class Look(NamedTuple):
    """How a camera renders a scene.

    Attributes:
        gain, gamma, offset: of the tone curve, per channel for the gain.
        gradient: change of light across the picture along x and y, in powers of e.
        blur_sigma_px: defocus; 0 is none.
        motion_px: length and direction (radians) of a motion blur; length 0 is none.
        low_res: factor by which the picture was once smaller.
        noise: standard deviation, grey levels.
        jpeg_quality: 0 is uncompressed.
        grey: no colour.
    """

    gain: tuple[float, float, float]
    gamma: float
    offset: float
    gradient: tuple[float, float]
    blur_sigma_px: float
    motion_px: tuple[float, float]
    low_res: float
    noise: float
    jpeg_quality: int
    grey: bool


def draw_look(rng: Rng) -> Look:
    """The look of a video: what is the same in all its frames, and of its first frame."""
    tint = np.exp(rng.normal(0.0, 0.05, 3) + rng.normal(0.0, 0.12))
    u = rng.random(8)
    return Look(
        gain=(float(tint[0]), float(tint[1]), float(tint[2])),
        gamma=math.exp(rng.normal(0.0, 0.15)),
        offset=float(rng.normal(0.0, 0.02)),
        gradient=_gradient(rng) if u[0] < 0.2 else (0.0, 0.0),
        blur_sigma_px=float(rng.uniform(0.4, 1.4)) if u[1] < 0.15 else 0.0,
        motion_px=_motion(rng) if u[2] < 0.1 else (0.0, 0.0),
        low_res=float(rng.uniform(1.3, 2.5)) if u[3] < 0.12 else 1.0,
        noise=float(rng.uniform(1.0, 4.0) if u[4] < 0.8 else rng.uniform(4.0, 14.0))
        if u[5] < 0.5
        else 0.0,
        jpeg_quality=int(rng.integers(20, 80)) if u[6] < 0.4 else 0,
        grey=bool(u[7] < 0.12),
    )


def draw_later_look(rng: Rng, look: Look) -> Look:
    """The look of another frame of the same video: other light and motion, now and then more."""
    if rng.random() < 0.12:
        later = draw_look(rng)
        return later._replace(grey=look.grey if rng.random() < 0.7 else later.grey)
    u = rng.random(4)
    strong = 3.0 if u[0] < 0.15 else 1.0
    change = np.exp(rng.normal(0.0, 0.03 * strong, 3) + rng.normal(0.0, 0.08 * strong))
    gain = np.asarray(look.gain) * change
    return look._replace(
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        gamma=look.gamma * math.exp(rng.normal(0.0, 0.08 * strong)),
        gradient=_gradient(rng) if u[1] < 0.2 else look.gradient,
        blur_sigma_px=float(rng.uniform(0.3, 2.0)) if u[2] < 0.15 else look.blur_sigma_px,
        motion_px=_motion(rng) if u[3] < 0.22 else (0.0, 0.0),
    )


def soften(look: Look, factor: float) -> Look:
    """The same look with its blurs times a factor, for a smaller picture of the same scene."""
    return look._replace(
        blur_sigma_px=look.blur_sigma_px * factor,
        motion_px=(look.motion_px[0] * factor, look.motion_px[1]),
        low_res=1.0 + (look.low_res - 1.0) * factor,
    )


def apply_look(scene: Uint8Image, look: Look, rng: Rng) -> Uint8Image:
    """A frame, or a part of one, as this camera renders it; ``(H, W, 3)`` uint8 RGB."""
    image = scene
    if look.gradient != (0.0, 0.0):
        image = _light(image, look.gradient)
    image = np.asarray(cv2.LUT(image, _tone_table(look)))
    if look.blur_sigma_px > 0.25:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), look.blur_sigma_px))
    if look.motion_px[0] >= 2.0:
        image = motion_blur(image, *look.motion_px)
    if look.low_res > 1.15:
        image = _lower_resolution(image, look.low_res)
    if look.noise > 0.0:
        image = _add_noise(image, look.noise, rng)
    if look.grey:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB))
    if look.jpeg_quality > 0:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, look.jpeg_quality])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.asarray(image, dtype=np.uint8)


def motion_blur(image: Uint8Image, length_px: float, angle_rad: float) -> Uint8Image:
    """Average along a line; any number of channels."""
    half = max(1, math.ceil(length_px / 2))
    side = 2 * half + 1
    kernel = np.zeros((side, side), dtype=np.float32)
    dx, dy = (0.5 * length_px * f(angle_rad) for f in (math.cos, math.sin))
    ends = [(round(16 * (half + sign * dx)), round(16 * (half + sign * dy))) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT))


def tone_table(gain: tuple[float, float, float], gamma: float, offset: float) -> Uint8Image:
    """``(256, 1, 3)`` uint8 for ``cv2.LUT``: gain * level^gamma + offset."""
    curve = np.power(_LEVELS, gamma)[:, None] * np.asarray(gain)[None, :] + offset
    return (np.clip(curve, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)[:, None, :]


def _tone_table(look: Look) -> Uint8Image:
    return tone_table(look.gain, look.gamma, look.offset)


def _gradient(rng: Rng) -> tuple[float, float]:
    gx, gy = rng.normal(0.0, 0.35, 2)
    return float(gx), float(gy)


def _motion(rng: Rng) -> tuple[float, float]:
    return float(rng.uniform(2.0, 9.0)), float(rng.uniform(0.0, math.pi))


def _light(image: Uint8Image, gradient: tuple[float, float]) -> Uint8Image:
    height, width = image.shape[:2]
    x = np.exp(gradient[0] * np.linspace(-1.0, 1.0, width, dtype=np.float32))
    y = np.exp(gradient[1] * np.linspace(-1.0, 1.0, height, dtype=np.float32))
    light = cv2.merge([y[:, None] * x[None, :]] * 3)
    return np.asarray(cv2.multiply(image, light, dtype=cv2.CV_8U))


def _lower_resolution(image: Uint8Image, factor: float) -> Uint8Image:
    height, width = image.shape[:2]
    small = (max(4, round(width / factor)), max(4, round(height / factor)))
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR))


@lru_cache(maxsize=1)
def _noise_bank() -> Uint8Image:
    """Gaussian noise around 128, a piece of which is scaled to any strength."""
    rng = np.random.default_rng(0)
    shape = (_NOISE_SIDE_PX, _NOISE_SIDE_PX, 3)
    shared = rng.normal(0.0, 0.8, (*shape[:2], 1)) + rng.normal(0.0, 0.6, shape)
    return np.clip(128.5 + _NOISE_SIGMA * shared, 0, 255).astype(np.uint8)


def _add_noise(image: Uint8Image, sigma: float, rng: Rng) -> Uint8Image:
    height, width = image.shape[:2]
    bank = _noise_bank()
    if height > _NOISE_SIDE_PX or width > _NOISE_SIDE_PX:
        bank = np.tile(bank, (-(-height // _NOISE_SIDE_PX), -(-width // _NOISE_SIDE_PX), 1))
    y = int(rng.integers(bank.shape[0] - height + 1))
    x = int(rng.integers(bank.shape[1] - width + 1))
    amount = sigma / _NOISE_SIGMA
    piece = bank[y : y + height, x : x + width]
    return np.asarray(cv2.addWeighted(image, 1.0, piece, amount, -128.0 * amount))
