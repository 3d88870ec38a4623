"""What a camera does to a whole scene: light, blur, noise, compression.

Applied after everything is in place, so that the target and its surroundings share it.
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, NamedTuple

import numpy as np

from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2
from litetrack_ros.settings import (
    LimitedNumbers,
    Limits,
    PositiveSpan,
    Share,
    Span,
    Spread,
)

Rng = np.random.Generator

_LEVELS = np.linspace(0.0, 1.0, 256)
_NOISE_SIGMA = 32.0
_NOISE_SIDE_PX = 1024
_COMMON_NOISE, _CHANNEL_NOISE = 0.8, 0.6  # parts of the noise; their squares add up to 1
_NO_NOISE = 128  # of the bank's values
_LINE_BITS = 4  # a line's ends are given in sixteenths of a pixel

LEAST_MOTION_PX = 2.0  # a shorter motion blur does nothing
_LEAST_BLUR_PX = 0.25  # a weaker defocus does nothing
_LEAST_SIDE_PX = 4  # of a picture at its lowest resolution
_LEAST_LOW_RES = 1.15  # a weaker loss of resolution does nothing


@dataclass(frozen=True)
class LaterLookRecipe(LimitedNumbers):
    """How the look of another frame of the same video differs; what is not named stays.

    Attributes:
        cut: share of frames with a look of their own, as after a cut.
        grey_kept: share of those that have colour if the first frame has.
        strong_share, strong: share of frames whose light changes more; by this factor.
        exposure, tint: spread of the log of the gain's change, in all channels and in each.
        gamma: spread of the log of its change.
        gradient_share: share with another gradient.
        blur_share, blur_sigma_px: share with another defocus; its range.
        motion_share: share with a motion blur, of the first frames' range.
    """

    cut: Share = 0.12
    grey_kept: Share = 0.7
    strong_share: Share = 0.15
    strong: Spread = 3.0
    exposure: Spread = 0.08
    tint: Spread = 0.03
    gamma: Spread = 0.08
    gradient_share: Share = 0.2
    blur_share: Share = 0.15
    blur_sigma_px: Span = (0.3, 2.0)
    motion_share: Share = 0.22


@dataclass(frozen=True)
class LookRecipe(LimitedNumbers):
    """How cameras differ: shares of videos, and ranges or spreads.

    Attributes:
        exposure, tint: spread of the log of the gain, in all channels and in each.
        gamma: spread of its log.
        offset: spread, full scale is 1.
        gradient_share, gradient: light that changes across the picture; spread, in powers of e.
        blur_share, blur_sigma_px: defocus.
        motion_share, motion_px: motion blur; its length.
        low_res_share, low_res: pictures that were once smaller; by this factor.
        noise_share: noise, of which ...
        weak_noise_share, weak_noise, strong_noise: ... so much is weak; grey levels.
        jpeg_share, jpeg_quality: compression.
        grey: no colour.
        later: how a later frame differs.
    """

    exposure: Spread = 0.12
    tint: Spread = 0.05
    gamma: Spread = 0.15
    offset: Spread = 0.02
    gradient_share: Share = 0.2
    gradient: Spread = 0.35
    blur_share: Share = 0.15
    blur_sigma_px: Span = (0.4, 1.4)
    motion_share: Share = 0.1
    motion_px: Span = (2.0, 9.0)
    low_res_share: Share = 0.12
    low_res: Span = (1.3, 2.5)
    noise_share: Share = 0.5
    weak_noise_share: Share = 0.8
    weak_noise: Span = (1.0, 4.0)
    strong_noise: Span = (4.0, 14.0)
    jpeg_share: Share = 0.4
    jpeg_quality: Annotated[tuple[int, int], Limits(1, 100)] = (20, 79)
    grey: Share = 0.12
    later: LaterLookRecipe = field(default_factory=LaterLookRecipe)


@dataclass(frozen=True)
class DarkRecipe(LimitedNumbers):
    """One picture of a pair in little light.

    Attributes:
        share: of pairs.
        first: share of those whose template it is.
        gain: of the light, evenly spread over the logarithm.
        noise: the least that it brings, grey levels.
    """

    share: Share = 0.08
    first: Share = 0.5
    gain: PositiveSpan = (0.2, 0.6)
    noise: Span = (2.0, 6.0)


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


def draw_look(rng: Rng, recipe: LookRecipe) -> Look:
    """The look of a video: what is the same in all its frames, and of its first frame."""
    tint = np.exp(rng.normal(0.0, recipe.tint, 3) + rng.normal(0.0, recipe.exposure))
    u = rng.random(8)
    gamma = math.exp(rng.normal(0.0, recipe.gamma))
    offset = float(rng.normal(0.0, recipe.offset))
    gradient = _gradient(rng, recipe) if u[0] < recipe.gradient_share else (0.0, 0.0)
    blur = float(rng.uniform(*recipe.blur_sigma_px)) if u[1] < recipe.blur_share else 0.0
    motion = _motion(rng, recipe) if u[2] < recipe.motion_share else (0.0, 0.0)
    low_res = float(rng.uniform(*recipe.low_res)) if u[3] < recipe.low_res_share else 1.0
    strength = recipe.weak_noise if u[4] < recipe.weak_noise_share else recipe.strong_noise
    noise = float(rng.uniform(*strength)) if u[5] < recipe.noise_share else 0.0
    lowest, highest = recipe.jpeg_quality
    quality = int(rng.integers(lowest, highest + 1)) if u[6] < recipe.jpeg_share else 0
    return Look(
        gain=(float(tint[0]), float(tint[1]), float(tint[2])),
        gamma=gamma,
        offset=offset,
        gradient=gradient,
        blur_sigma_px=blur,
        motion_px=motion,
        low_res=low_res,
        noise=noise,
        jpeg_quality=quality,
        grey=bool(u[7] < recipe.grey),
    )


def draw_later_look(rng: Rng, look: Look, recipe: LookRecipe) -> Look:
    """The look of another frame of the same video: other light and motion, now and then more."""
    change = recipe.later
    if rng.random() < change.cut:
        later = draw_look(rng, recipe)
        return later._replace(grey=look.grey if rng.random() < change.grey_kept else later.grey)
    u = rng.random(4)
    strong = change.strong if u[0] < change.strong_share else 1.0
    tint = rng.normal(0.0, change.tint * strong, 3)
    gain = np.asarray(look.gain) * np.exp(tint + rng.normal(0.0, change.exposure * strong))
    gamma = look.gamma * math.exp(rng.normal(0.0, change.gamma * strong))
    gradient = _gradient(rng, recipe) if u[1] < change.gradient_share else look.gradient
    blur = look.blur_sigma_px
    if u[2] < change.blur_share:
        blur = float(rng.uniform(*change.blur_sigma_px))
    motion = _motion(rng, recipe) if u[3] < change.motion_share else (0.0, 0.0)
    return look._replace(
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        gamma=gamma,
        gradient=gradient,
        blur_sigma_px=blur,
        motion_px=motion,
    )


def darken(rng: Rng, recipe: DarkRecipe, first: Look, later: Look) -> tuple[Look, Look]:
    """Both looks of a pair, now and then one of them in little light."""
    if rng.random() >= recipe.share:
        return first, later
    gain = math.exp(rng.uniform(*np.log(recipe.gain)))
    noise = float(rng.uniform(*recipe.noise))
    dark_first = bool(rng.random() < recipe.first)
    look = first if dark_first else later
    red, green, blue = (gain * part for part in look.gain)
    dark = look._replace(gain=(red, green, blue), noise=max(noise, look.noise))
    return (dark, later) if dark_first else (first, dark)


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
    if look.blur_sigma_px > _LEAST_BLUR_PX:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), look.blur_sigma_px))
    if look.motion_px[0] >= LEAST_MOTION_PX:
        image = motion_blur(image, *look.motion_px)
    if look.low_res > _LEAST_LOW_RES:
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
    unit = 2**_LINE_BITS
    ends = [
        (round(unit * (half + sign * dx)), round(unit * (half + sign * dy))) for sign in (-1, 1)
    ]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, _LINE_BITS)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT))


def tone_table(gain: tuple[float, float, float], gamma: float, offset: float) -> Uint8Image:
    """``(256, 1, 3)`` uint8 for ``cv2.LUT``: gain * level^gamma + offset."""
    curve = np.power(_LEVELS, gamma)[:, None] * np.asarray(gain)[None, :] + offset
    return (np.clip(curve, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)[:, None, :]


def _tone_table(look: Look) -> Uint8Image:
    return tone_table(look.gain, look.gamma, look.offset)


def _gradient(rng: Rng, recipe: LookRecipe) -> tuple[float, float]:
    gx, gy = rng.normal(0.0, recipe.gradient, 2)
    return float(gx), float(gy)


def _motion(rng: Rng, recipe: LookRecipe) -> tuple[float, float]:
    return float(rng.uniform(*recipe.motion_px)), float(rng.uniform(0.0, math.pi))


def _light(image: Uint8Image, gradient: tuple[float, float]) -> Uint8Image:
    height, width = image.shape[:2]
    x = np.exp(gradient[0] * np.linspace(-1.0, 1.0, width, dtype=np.float32))
    y = np.exp(gradient[1] * np.linspace(-1.0, 1.0, height, dtype=np.float32))
    light = cv2.merge([y[:, None] * x[None, :]] * 3)
    return np.asarray(cv2.multiply(image, light, dtype=cv2.CV_8U))


def _lower_resolution(image: Uint8Image, factor: float) -> Uint8Image:
    height, width = image.shape[:2]
    small = (
        max(_LEAST_SIDE_PX, round(width / factor)),
        max(_LEAST_SIDE_PX, round(height / factor)),
    )
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR))


@lru_cache(maxsize=1)
def _noise_bank() -> Uint8Image:
    """Gaussian noise around :data:`_NO_NOISE`, a piece of which is scaled to any strength."""
    rng = np.random.default_rng(0)
    shape = (_NOISE_SIDE_PX, _NOISE_SIDE_PX, 3)
    noise = rng.normal(0.0, _COMMON_NOISE, (*shape[:2], 1)) + rng.normal(0.0, _CHANNEL_NOISE, shape)
    return np.clip(_NO_NOISE + 0.5 + _NOISE_SIGMA * noise, 0, 255).astype(np.uint8)


def _add_noise(image: Uint8Image, sigma: float, rng: Rng) -> Uint8Image:
    height, width = image.shape[:2]
    bank = _noise_bank()
    if height > _NOISE_SIDE_PX or width > _NOISE_SIDE_PX:
        bank = np.tile(bank, (-(-height // _NOISE_SIDE_PX), -(-width // _NOISE_SIDE_PX), 1))
    y = int(rng.integers(bank.shape[0] - height + 1))
    x = int(rng.integers(bank.shape[1] - width + 1))
    amount = sigma / _NOISE_SIGMA
    piece = bank[y : y + height, x : x + width]
    return np.asarray(cv2.addWeighted(image, 1.0, piece, amount, -_NO_NOISE * amount))
