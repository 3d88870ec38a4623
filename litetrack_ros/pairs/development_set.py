"""The sequences that models are chosen on: made ones, and real clips kept out of training.

In a made one an object moves through a scene, frame by frame. Unlike pairs these are tracked in
closed loop, so that drift, growth and lost targets show. Each is a function of a seed and an index;
the index also picks what happens in it.
"""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.sequences import GROUND_TRUTH, format_boxes
from litetrack_ros.files import make_folder, write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media.writers import write_image
from litetrack_ros.pairs.compose import Composition, Layer, draw_window
from litetrack_ros.pairs.degradation import Look, draw_look
from litetrack_ros.pairs.materials import Materials, Sprite
from litetrack_ros.pairs.poses import (
    Placement,
    Pose,
    clip_xyxy_to_xywh,
    covered_part,
    draw_pose,
    place,
    rotation,
    shift,
    zoom,
)
from litetrack_ros.pairs.sprites import draw_sprite, draw_twin, with_surroundings

Rng = np.random.Generator
PerFrame = npt.NDArray[np.float64]

EVENTS = ("plain", "grows", "leaves", "covered", "twin", "shaky", "acting", "surroundings")

_FRAME_SIZES = ((320, 240), (400, 300), (480, 270), (352, 288))
_VISIBLE_PART = 0.3  # of the target, below which it counts as absent
_COVERED_PART = 0.75  # of the target, above which it counts as absent
_BACKGROUND_SPARE = 1.3  # how much larger than the frame the photo is shown


class Actor(NamedTuple):
    """An object on its way through a video of N frames.

    Attributes:
        sprites: what it looks like, shown in turn.
        pose: in the first frame.
        center_xy: ``(N, 2)``, frame pixels.
        size_px: ``(N,)``, square root of its area.
        angle_rad: ``(N,)``, added to the pose's.
        log_stretch: ``(N,)``, added to the pose's.
    """

    sprites: list[Sprite]
    pose: Pose
    center_xy: PerFrame
    size_px: PerFrame
    angle_rad: PerFrame
    log_stretch: PerFrame

    def layer(self, index: int) -> Layer:
        """The object in one frame."""
        sprite = self.sprites[index % len(self.sprites)]
        pose = self.pose._replace(
            angle_rad=self.pose.angle_rad + float(self.angle_rad[index]),
            log_stretch=self.pose.log_stretch + float(self.log_stretch[index]),
        )
        x, y = self.center_xy[index]
        placement = place(sprite.outline_xy, pose, (float(x), float(y)), float(self.size_px[index]))
        return Layer(sprite, placement, feather_px=0.5)


class SyntheticVideo:
    """A made sequence.

    Args:
        materials: pictures to make it of; for choosing models, the validation part.
        seed: another seed gives other videos.
        index: of the video; ``EVENTS[index % len(EVENTS)]`` happens in it. ``acting`` shows a
            clip's target in its real movements and falls back to ``plain`` where there is no clip.

    Attributes:
        name: ``made_<index>_<event>``.
        boxes_xywh: the target's box in each frame, ``(N, 4)`` float64, NaN where it is absent;
            never in the first frame.
    """

    def __init__(self, materials: Materials, seed: int, index: int) -> None:
        event = EVENTS[index % len(EVENTS)]
        self.name = f"made_{index:02d}_{event}"
        rng = np.random.default_rng([seed, index])
        self._noise_seed = (seed, index, 1)
        self._frames = int(rng.integers(60, 101))
        self.width, self.height = _FRAME_SIZES[int(rng.integers(len(_FRAME_SIZES)))]
        self._shaking = 4.0 if event == "shaky" else 1.0
        self._background = materials.photos[int(rng.integers(len(materials.photos)))].rgb
        self._camera = self._draw_camera(rng)
        self._look = draw_look(rng)._replace(motion_px=(0.0, 0.0))
        self._light = 0.1 * _wave(rng, self._frames, 60.0)
        self._target = self._draw_target(rng, materials, event)
        self._others = self._draw_others(rng, materials, event)
        self._cover = self._draw_cover(rng, materials) if event == "covered" else None
        self.boxes_xywh = np.stack([self._box(k) for k in range(self._frames)])

    def __len__(self) -> int:
        return self._frames

    def frames(self) -> Iterator[Uint8Image]:
        """Frames in order, ``(H, W, 3)`` uint8 RGB."""
        rng = np.random.default_rng(self._noise_seed)
        for index in range(self._frames):
            layers = [actor.layer(index) for actor in self._others]
            layers.append(self._target.layer(index))
            layers += [] if self._cover is None else [self._cover.layer(index)]
            frame = Composition(
                self.width,
                self.height,
                self._background,
                Placement(self._camera[index]),
                layers,
                self._look_at(index),
            )
            yield draw_window(frame, 0, 0, self.width, self.height, rng)

    def _look_at(self, index: int) -> Look:
        light = math.exp(float(self._light[index]))
        red, green, blue = self._look.gain
        motion = self._camera[index][:2, 2] - self._camera[max(0, index - 1)][:2, 2]
        blur = (0.4 * float(np.hypot(*motion)), math.atan2(motion[1], motion[0]))
        return self._look._replace(gain=(red * light, green * light, blue * light), motion_px=blur)

    def _draw_camera(self, rng: Rng) -> list[PerFrame]:
        """The photo's way through the frame, a matrix a frame."""
        height, width = self._background.shape[:2]
        scale = _BACKGROUND_SPARE * max(self.width / width, self.height / height)
        n, spare = self._frames, 0.5 * (_BACKGROUND_SPARE - 1.0)
        x, y = (self._shaking * _wave(rng, n, 35.0) for _ in range(2))
        turn, zoom_log = 0.03 * _wave(rng, n, 50.0), 0.08 * _wave(rng, n, 50.0)
        x, y = (np.clip(v, -1.0, 1.0) for v in (0.5 * x, 0.5 * y))
        return [
            shift(self.width * (0.5 + spare * x[k]), self.height * (0.5 + spare * y[k]))
            @ rotation(turn[k])
            @ zoom(scale * math.exp(zoom_log[k]), scale * math.exp(zoom_log[k]))
            @ shift(-0.5 * width, -0.5 * height)
            for k in range(n)
        ]

    def _draw_target(self, rng: Rng, materials: Materials, event: str) -> Actor:
        n = self._frames
        sprites = [draw_sprite(rng, materials)]
        if event == "acting" and materials.clips:
            clip = materials.clips[int(rng.integers(len(materials.clips)))]
            sprites = [clip.sprite(int(k)) for k in clip.shown]
            sprites += sprites[-2:0:-1]  # and back again, without a jump
        elif event == "surroundings" and materials.outlined_photos:
            pool = materials.outlined_photos
            photo = pool[int(rng.integers(len(pool)))]
            assert photo.object_mask is not None
            sprites = [with_surroundings(rng, photo.rgb, photo.object_mask)]
        actor = self._draw_actor(rng, sprites)
        if event == "grows":
            growth = rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 1.1)
            actor = actor._replace(
                size_px=self._limit_size(actor.size_px * np.exp(growth * np.linspace(-0.5, 0.5, n)))
            )
        if event == "leaves":
            actor = actor._replace(center_xy=self._lead_out(rng, actor))
        return actor

    def _draw_actor(self, rng: Rng, sprites: list[Sprite]) -> Actor:
        n, short = self._frames, min(self.width, self.height)
        size = short * math.exp(rng.uniform(math.log(0.11), math.log(0.3)))
        sizes = self._limit_size(size * np.exp(0.18 * _wave(rng, n, 45.0)))
        room = 0.5 - 0.6 * sizes.max() / np.array([self.width, self.height])
        period = math.exp(rng.uniform(math.log(35.0), math.log(120.0)))
        ways = [np.clip(0.7 * _wave(rng, n, stretch * period), -1.0, 1.0) for stretch in (1, 1.2)]
        jerks = 0.02 * self._shaking * rng.normal(0.0, 1.0, (n, 2)) * sizes[:, None]
        center = (0.5 + room * np.stack(ways, axis=1)) * (self.width, self.height) + jerks
        return Actor(
            sprites,
            draw_pose(rng, any_angle=False),
            center,
            sizes,
            0.12 * _wave(rng, n, 35.0),
            0.12 * _wave(rng, n, 35.0),
        )

    def _limit_size(self, size_px: PerFrame) -> PerFrame:
        return np.clip(size_px, 14.0, 0.5 * min(self.width, self.height))

    def _lead_out(self, rng: Rng, actor: Actor) -> PerFrame:
        """The actor's way with a walk over the nearest border and back in the middle of it."""
        n = self._frames
        start, length = int(0.35 * n), int(0.4 * n)
        away = np.zeros(n)
        # Out, a stay outside, and back: the flat top is where the target is absent.
        away[start : start + length] = np.clip(
            2.2 * np.sin(np.linspace(0.0, math.pi, length)), 0.0, 1.0
        )
        axis = int(rng.integers(2))
        middle = actor.center_xy[start + length // 2, axis]
        limit = (self.width, self.height)[axis]
        reach = 1.2 * float(actor.size_px.max()) * 2.0
        outside = -reach if middle < limit / 2 else limit + reach
        center = actor.center_xy.copy()
        center[:, axis] += away * (outside - center[:, axis])
        return center

    def _draw_others(self, rng: Rng, materials: Materials, event: str) -> list[Actor]:
        """Distractors; the last one of ``twin`` crosses the target's way in the middle."""
        actors = []
        for _ in range(int(rng.integers(1, 5))):
            size = self._target.size_px * math.exp(rng.normal(0.0, 0.2))
            sprite = draw_sprite(rng, materials)
            if sprite is not self._target.sprites[0]:  # two of the same could not be told apart
                actors.append(self._draw_actor(rng, [sprite])._replace(size_px=size))
        if event == "twin":
            twin = draw_twin(rng, self._target.sprites[0], materials, not self._look.grey)
            mirrored = np.array([self.width, 0.0]) + self._target.center_xy * (-1.0, 1.0)
            actor = self._draw_actor(rng, [twin])
            actors.append(
                actor._replace(
                    pose=self._target.pose, center_xy=mirrored, size_px=self._target.size_px
                )
            )
        return actors

    def _draw_cover(self, rng: Rng, materials: Materials) -> Actor:
        """Something large that passes before the target in the middle of the video."""
        n, size = self._frames, self._target.size_px
        angle = rng.uniform(0.0, 2.0 * math.pi)
        away = rng.uniform(0.12, 0.25) * (np.arange(n) - n // 2) * size  # target sizes a frame
        direction = np.array([math.cos(angle), math.sin(angle)])
        center = self._target.center_xy + away[:, None] * direction
        actor = self._draw_actor(rng, [draw_sprite(rng, materials)])
        return actor._replace(center_xy=center, size_px=2.2 * size)

    def _box(self, index: int) -> FloatArray:
        bounds = self._target.layer(index).bounds()
        frame = np.array([0.0, 0.0, self.width, self.height])
        hidden = 0.0
        if self._cover is not None:
            hidden = covered_part(bounds, self._cover.layer(index).bounds())
        if index > 0 and (covered_part(bounds, frame) < _VISIBLE_PART or hidden > _COVERED_PART):
            return np.full(4, np.nan)
        return clip_xyxy_to_xywh(bounds, self.width, self.height)


def _wave(rng: Rng, frames: int, period: float) -> PerFrame:
    """A smooth random way around 0, of about unit strength: three sines of random phase."""
    time = np.arange(frames)[:, None]
    periods = period * np.array([1.0, 1.7, 3.1]) * rng.uniform(0.8, 1.3, 3)
    phases = rng.uniform(0.0, 2.0 * math.pi, 3)
    strengths = np.array([0.5, 0.7, 0.9])
    return np.asarray((strengths * np.sin(2.0 * math.pi * time / periods + phases)).sum(axis=1))


def write_development_set(materials: Materials, seed: int, made: int, folder: Path) -> list[str]:
    """Write sequences as folders that `litetrack evaluate` reads.

    Args:
        materials: the validation part.
        seed: of the made sequences.
        made: how many of them; every clip of the materials is written too.
        folder: made if needed; files of the same names are overwritten.

    Returns:
        The sequences' names.

    Raises:
        MediaError: a file cannot be written.
    """
    names = []
    for index in range(made):
        video = SyntheticVideo(materials, seed, index)
        _write_sequence(folder / video.name, video.frames(), video.boxes_xywh)
        names.append(video.name)
    for clip in materials.clips:
        start = int(clip.shown[0])  # a track starts where the target is seen
        frames = clip.frames[start:]
        _write_sequence(folder / clip.name, frames, clip.boxes_xywh[start:])
        names.append(clip.name)
    return names


def _write_sequence(folder: Path, frames: Iterable[Uint8Image], boxes_xywh: FloatArray) -> None:
    make_folder(folder / "frames")
    for number, frame in enumerate(frames):
        write_image(folder / "frames" / f"{number:05d}.jpg", to_bgr8(frame, "rgb"))
    # Last, so that an interrupted sequence is not taken for a whole one.
    write_text(folder / GROUND_TRUTH, format_boxes(boxes_xywh))
