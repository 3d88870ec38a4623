"""The sequences that models are chosen on: made ones, and real clips kept out of training.

In a made one an object moves through a scene, frame by frame. Unlike pairs these are tracked in
closed loop, so that drift, growth and lost targets show. Each is a function of a seed and an index;
the index also picks what happens in it.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.sequences import GROUND_TRUTH, format_boxes
from litetrack_ros.files import make_folder, write_bytes, write_text
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media.writers import encode_jpeg
from litetrack_ros.pairs.compose import Composition, Layer, draw_window
from litetrack_ros.pairs.degradation import Look, draw_look
from litetrack_ros.pairs.materials import Materials, Sprite
from litetrack_ros.pairs.pair_recipe import PairRecipe
from litetrack_ros.pairs.poses import (
    Placement,
    Pose,
    clip_xyxy_to_xywh,
    covered_part,
    draw_log,
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

# Looks, poses and sprites are those of the pairs, by the default recipe: models of every recipe are
# to be compared on the same sequences.
_RECIPE = PairRecipe()
_FRAME_SIZES = ((320, 240), (400, 300), (480, 270), (352, 288))
_FRAMES = (60, 100)  # both included
_VISIBLE_PART = 0.3  # of the target, below which it counts as absent
_COVERED_PART = 0.75  # of the target, above which it counts as absent

# A smooth way: three sines of these periods, over the way's own, each varied by a factor.
_WAVE_PERIODS, _WAVE_STRENGTHS = (1.0, 1.7, 3.1), (0.5, 0.7, 0.9)
_WAVE_VARIATION = (0.8, 1.3)

# The camera; periods are in frames.
_BACKGROUND_SPARE = 1.3  # how much larger than the frame the photo is shown
_SHAKY = 4.0  # times as much, in the event of that name
_CAMERA_WAY, _CAMERA_PERIOD = 0.5, 35.0  # of what the photo is larger
_CAMERA_TURN, _CAMERA_ZOOM, _CAMERA_TURN_PERIOD = 0.03, 0.08, 50.0  # radians; log
_LIGHT, _LIGHT_PERIOD = 0.1, 60.0  # log of the gain
_SHUTTER = 0.4  # of the way from frame to frame that is blurred

# Objects.
_SIZES = (0.11, 0.3)  # of the frame's short side
_LEAST_SIZE_PX, _LARGEST_SIZE = 14.0, 0.5  # px; of the frame's short side
_BREATH, _BREATH_PERIOD = 0.18, 45.0  # log of the size
_ROOM = 0.6  # of its size, that an object stays away from the border
_WAY, _WAY_PERIODS, _WAY_STRETCH = 0.7, (35.0, 120.0), (1, 1.2)  # of the room; along x and y
_JERKS = 0.02  # of the size, from frame to frame
_SWAY, _SWAY_PERIOD = 0.12, 35.0  # radians, and log stretch
_FEATHER_PX = 0.5

# Events.
_GROWTH = (0.7, 1.1)  # log of the size from the first frame to the last
_LEAVES_AT, _LEAVES_FOR = 0.35, 0.4  # of the frames
_STAY = 2.2  # the way out and back is a sine of this height, cut off at 1: a stay outside
_OUTSIDE = 2.4  # largest sizes beyond the border
_OTHERS = (1, 4)  # distractors, both included
_OTHERS_SIZE = 0.2  # spread of the log of their size over the target's
_COVER_SIZE, _COVER_SPEED = 2.2, (0.12, 0.25)  # target sizes; target sizes a frame


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
        return Layer(sprite, placement, feather_px=_FEATHER_PX)


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
        self._frames = int(rng.integers(_FRAMES[0], _FRAMES[1] + 1))
        self.width, self.height = _FRAME_SIZES[int(rng.integers(len(_FRAME_SIZES)))]
        self._shaking = _SHAKY if event == "shaky" else 1.0
        self._background = materials.photos[int(rng.integers(len(materials.photos)))].rgb
        self._camera = self._draw_camera(rng)
        self._look = draw_look(rng, _RECIPE.look)._replace(motion_px=(0.0, 0.0))
        self._light = _LIGHT * _wave(rng, self._frames, _LIGHT_PERIOD)
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
        blur = (_SHUTTER * float(np.hypot(*motion)), math.atan2(motion[1], motion[0]))
        return self._look._replace(gain=(red * light, green * light, blue * light), motion_px=blur)

    def _draw_camera(self, rng: Rng) -> list[PerFrame]:
        """The photo's way through the frame, a matrix a frame."""
        height, width = self._background.shape[:2]
        scale = _BACKGROUND_SPARE * max(self.width / width, self.height / height)
        n, spare = self._frames, 0.5 * (_BACKGROUND_SPARE - 1.0)
        x, y = (self._shaking * _wave(rng, n, _CAMERA_PERIOD) for _ in range(2))
        turn = _CAMERA_TURN * _wave(rng, n, _CAMERA_TURN_PERIOD)
        zoom_log = _CAMERA_ZOOM * _wave(rng, n, _CAMERA_TURN_PERIOD)
        x, y = (np.clip(_CAMERA_WAY * v, -1.0, 1.0) for v in (x, y))
        return [
            shift(self.width * (0.5 + spare * x[k]), self.height * (0.5 + spare * y[k]))
            @ rotation(turn[k])
            @ zoom(scale * math.exp(zoom_log[k]), scale * math.exp(zoom_log[k]))
            @ shift(-0.5 * width, -0.5 * height)
            for k in range(n)
        ]

    def _draw_target(self, rng: Rng, materials: Materials, event: str) -> Actor:
        n = self._frames
        sprites = [draw_sprite(rng, _RECIPE.sprite, materials)]
        if event == "acting" and materials.clips:
            clip = materials.clips[int(rng.integers(len(materials.clips)))]
            sprites = [clip.sprite(int(k)) for k in clip.shown]
            sprites += sprites[-2:0:-1]  # and back again, without a jump
        elif event == "surroundings" and materials.outlined_photos:
            pool = materials.outlined_photos
            photo = pool[int(rng.integers(len(pool)))]
            assert photo.object_mask is not None
            sprites = [with_surroundings(rng, _RECIPE.sprite, photo.rgb, photo.object_mask)]
        actor = self._draw_actor(rng, sprites)
        if event == "grows":
            growth = rng.choice([-1.0, 1.0]) * rng.uniform(*_GROWTH)
            actor = actor._replace(
                size_px=self._limit_size(actor.size_px * np.exp(growth * np.linspace(-0.5, 0.5, n)))
            )
        if event == "leaves":
            actor = actor._replace(center_xy=self._lead_out(rng, actor))
        return actor

    def _draw_actor(self, rng: Rng, sprites: list[Sprite]) -> Actor:
        n, short = self._frames, min(self.width, self.height)
        size = short * draw_log(rng, _SIZES)
        sizes = self._limit_size(size * np.exp(_BREATH * _wave(rng, n, _BREATH_PERIOD)))
        room = 0.5 - _ROOM * sizes.max() / np.array([self.width, self.height])
        period = draw_log(rng, _WAY_PERIODS)
        ways = [
            np.clip(_WAY * _wave(rng, n, stretch * period), -1.0, 1.0) for stretch in _WAY_STRETCH
        ]
        jerks = _JERKS * self._shaking * rng.normal(0.0, 1.0, (n, 2)) * sizes[:, None]
        center = (0.5 + room * np.stack(ways, axis=1)) * (self.width, self.height) + jerks
        return Actor(
            sprites,
            draw_pose(rng, _RECIPE.pose, any_angle=False),
            center,
            sizes,
            _SWAY * _wave(rng, n, _SWAY_PERIOD),
            _SWAY * _wave(rng, n, _SWAY_PERIOD),
        )

    def _limit_size(self, size_px: PerFrame) -> PerFrame:
        return np.clip(size_px, _LEAST_SIZE_PX, _LARGEST_SIZE * min(self.width, self.height))

    def _lead_out(self, rng: Rng, actor: Actor) -> PerFrame:
        """The actor's way with a walk over the nearest border and back in the middle of it."""
        n = self._frames
        start, length = int(_LEAVES_AT * n), int(_LEAVES_FOR * n)
        away = np.zeros(n)
        # Out, a stay outside, and back: the flat top is where the target is absent.
        away[start : start + length] = np.clip(
            _STAY * np.sin(np.linspace(0.0, math.pi, length)), 0.0, 1.0
        )
        axis = int(rng.integers(2))
        middle = actor.center_xy[start + length // 2, axis]
        limit = (self.width, self.height)[axis]
        reach = _OUTSIDE * float(actor.size_px.max())
        outside = -reach if middle < limit / 2 else limit + reach
        center = actor.center_xy.copy()
        center[:, axis] += away * (outside - center[:, axis])
        return center

    def _draw_others(self, rng: Rng, materials: Materials, event: str) -> list[Actor]:
        """Distractors; the last one of ``twin`` crosses the target's way in the middle."""
        actors = []
        for _ in range(int(rng.integers(_OTHERS[0], _OTHERS[1] + 1))):
            size = self._target.size_px * math.exp(rng.normal(0.0, _OTHERS_SIZE))
            sprite = draw_sprite(rng, _RECIPE.sprite, materials)
            if sprite is not self._target.sprites[0]:  # two of the same could not be told apart
                actors.append(self._draw_actor(rng, [sprite])._replace(size_px=size))
        if event == "twin":
            first = self._target.sprites[0]
            twin = draw_twin(rng, _RECIPE.sprite, first, materials, not self._look.grey)
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
        away = rng.uniform(*_COVER_SPEED) * (np.arange(n) - n // 2) * size
        direction = np.array([math.cos(angle), math.sin(angle)])
        center = self._target.center_xy + away[:, None] * direction
        actor = self._draw_actor(rng, [draw_sprite(rng, _RECIPE.sprite, materials)])
        return actor._replace(center_xy=center, size_px=_COVER_SIZE * size)

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
    periods = period * np.array(_WAVE_PERIODS) * rng.uniform(*_WAVE_VARIATION, 3)
    phases = rng.uniform(0.0, 2.0 * math.pi, 3)
    strengths = np.array(_WAVE_STRENGTHS)
    return np.asarray((strengths * np.sin(2.0 * math.pi * time / periods + phases)).sum(axis=1))


class MadeSequence(NamedTuple):
    """A made sequence as it is written.

    Attributes:
        name: its folder's.
        frames: JPEG files.
        boxes_xywh: ``(N, 4)`` float64, NaN where the target is absent.
    """

    name: str
    frames: list[bytes]
    boxes_xywh: FloatArray


@dataclass(frozen=True)
class VideoJob:
    """A sequence to make; a :class:`litetrack_ros.evaluation.executors.Job` that needs materials.

    Attributes:
        seed, index: of the :class:`SyntheticVideo`.
    """

    seed: int
    index: int

    @property
    def name(self) -> str:
        """For messages."""
        return f"made sequence {self.index}"

    @property
    def frames(self) -> int:
        """The most that there may be."""
        return _FRAMES[1]

    def files(self) -> dict[str, bytes]:
        """None beside the materials."""
        return {}

    def in_folder(self, folder: Path) -> "VideoJob":
        """The same job, which reads no files."""
        return self

    def do(self, materials: Materials, on_frame: Callable[[], None]) -> MadeSequence:
        """Make the sequence."""
        video = SyntheticVideo(materials, self.seed, self.index)
        encoded = []
        for frame in video.frames():
            encoded.append(encode_jpeg(to_bgr8(frame, "rgb")))
            on_frame()
        return MadeSequence(video.name, encoded, video.boxes_xywh)


def write_made(folder: Path, made: MadeSequence) -> None:
    """Write a made sequence as a folder that `litetrack evaluate` reads.

    Args:
        folder: that holds the sequences.
        made: the sequence.

    Raises:
        MediaError: a file cannot be written.
    """
    _write_sequence(folder / made.name, made.frames, made.boxes_xywh)


def write_clips(materials: Materials, folder: Path) -> list[str]:
    """Write every clip of the materials in the same form; the sequences' names.

    Raises:
        MediaError: a file cannot be written.
    """
    for clip in materials.clips:
        start = int(clip.shown[0])  # a track starts where the target is seen
        frames = (encode_jpeg(to_bgr8(f, "rgb")) for f in clip.frames[start:])
        _write_sequence(folder / clip.name, frames, clip.boxes_xywh[start:])
    return [clip.name for clip in materials.clips]


def _write_sequence(folder: Path, frames: Iterable[bytes], boxes_xywh: FloatArray) -> None:
    make_folder(folder / "frames")
    for number, frame in enumerate(frames):
        write_bytes(folder / "frames" / f"{number:05d}.jpg", frame)
    # Last, so that an interrupted sequence is not taken for a whole one.
    write_text(folder / GROUND_TRUTH, format_boxes(boxes_xywh))
