"""The pictures that synthetic pairs are made of: photos, cut-outs and clips with masks.

Any folder will do: a picture with an alpha channel is a cut-out, one without is a photo, a
two-valued grey one is the mask of the object in the photo of the same name, and a folder that holds
``frames/`` and ``masks/`` is a clip; sequences with boxes (``groundtruth.txt``) are passed over.
All are decoded once and stay in memory, so that worker processes made by fork share them.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.sequences import GROUND_TRUTH
from litetrack_ros.errors import DatasetError
from litetrack_ros.images import Uint8Image, to_rgb8
from litetrack_ros.opencv import cv2

Split = Literal["train", "validation", "all"]
Points = npt.NDArray[np.float32]

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})

# Clips that no training pair is made of, unless the caller names others.
HELD_OUT_CLIPS = ("davis_car-roundabout", "davis_goat", "davis_parkour")

_HELD_OUT_ONE_IN = 16  # photos and cut-outs
_PAD_PX = 2
_HALF_LEVEL = 127  # of alpha and masks; what is above it belongs to the object
_OWN_COLOUR_LEVEL = 32  # of alpha, above which a pixel's colour is kept
_BLEED_CELLS_PX = (1 << 16, 12, 3)  # from the mean colour of the object to the nearest ones
_LEAST_WEIGHT = 1e-3  # of known colours in a cell
_LEAST_BOX_PX = 4  # sides of a mask's box in a clip


class Sprite(NamedTuple):
    """A picture of one object.

    Attributes:
        rgba: ``(H, W, 4)`` uint8, straight alpha, transparent along its border.
        outline_xy: ``(K, 2)`` float32, points around the object; pixel i covers [i, i + 1].
        has_surroundings: whether the picture shows more than the outline holds.
    """

    rgba: Uint8Image
    outline_xy: Points
    has_surroundings: bool = False


class Photo(NamedTuple):
    """A photo.

    Attributes:
        name: its file's stem.
        rgb: ``(H, W, 3)`` uint8.
        object_mask: ``(H, W)`` uint8 0 or 255, of its main object, or None.
        object_outline_xy: ``(K, 2)`` float32, points around it, or None.
    """

    name: str
    rgb: Uint8Image
    object_mask: Uint8Image | None = None
    object_outline_xy: Points | None = None


class Cutout(NamedTuple):
    """An object with alpha and its file's stem."""

    name: str
    sprite: Sprite


@dataclass(frozen=True)
class Clip:
    """A real video with the target's mask in every frame.

    Attributes:
        name: the folder's name.
        frames: ``(H, W, 3)`` uint8 RGB.
        masks: ``(H, W)`` uint8, 0 or 255.
        boxes_xywh: ``(N, 4)`` float64, the masks' tight boxes, NaN where a mask is empty.
    """

    name: str
    frames: list[Uint8Image]
    masks: list[Uint8Image]
    boxes_xywh: npt.NDArray[np.float64]

    @property
    def shown(self) -> npt.NDArray[np.intp]:
        """Indices of the frames that hold the target."""
        return np.flatnonzero(np.isfinite(self.boxes_xywh[:, 0]))

    def sprite(self, index: int) -> Sprite:
        """The target, cut out of a frame along its mask."""
        return cut_out(self.frames[index], self.masks[index])


@dataclass(frozen=True)
class Materials:
    """Everything that pairs are made of."""

    photos: list[Photo]
    cutouts: list[Cutout]
    clips: list[Clip]

    @cached_property
    def outlined_photos(self) -> list[Photo]:
        """The photos whose main object is known."""
        return [photo for photo in self.photos if photo.object_outline_xy is not None]

    def split(self, split: Split, held_out_clips: Sequence[str] = HELD_OUT_CLIPS) -> "Materials":
        """The part for training or for validation; they share no picture.

        Photos and cut-outs are parted by a hash of their name up to its first number, so that
        the pieces of one picture stay together.
        """
        if split == "all":
            return self
        wanted = split == "validation"
        return Materials(
            [photo for photo in self.photos if held_out(photo.name) == wanted],
            [cutout for cutout in self.cutouts if held_out(cutout.name) == wanted],
            [clip for clip in self.clips if (clip.name in held_out_clips) == wanted],
        )


def read_materials(folders: Iterable[Path]) -> Materials:
    """Decode every picture and clip below some folders; a second call returns the same object.

    Raises:
        DatasetError: a folder is missing, there is no photo, or a file cannot be decoded.
    """
    return _read_materials(tuple(Path(folder).absolute() for folder in folders))


@lru_cache(maxsize=2)
def _read_materials(folders: tuple[Path, ...]) -> Materials:
    photos: list[Photo] = []
    cutouts: list[Cutout] = []
    clips: list[Clip] = []
    masks: dict[str, Uint8Image] = {}
    for root in folders:
        if not root.is_dir():
            raise DatasetError(f"there is no folder {root} to take pictures from")
        picture_paths, clip_folders = _find(root)
        clips.extend(_read_clip(folder) for folder in clip_folders)
        for path in picture_paths:
            picture = _read_picture(path)
            if picture.ndim == 3 and picture.shape[2] == 4:
                rgba = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA), dtype=np.uint8)
                if (rgba[..., 3] > _HALF_LEVEL).any():
                    cutouts.append(Cutout(path.stem, make_sprite(bleed_colours(rgba))))
            elif picture.ndim == 2 and ((picture == 0) | (picture == 255)).all():
                masks[path.stem] = picture
            else:
                photos.append(Photo(path.stem, to_rgb8(picture)))
    if not photos:
        raise DatasetError(f"no photo lies below {', '.join(map(str, folders))}")
    for k, photo in enumerate(photos):
        mask = masks.get(photo.name)
        if mask is not None:
            photos[k] = photo._replace(object_mask=mask, object_outline_xy=outline_of(mask))
            cutouts.append(Cutout(photo.name, cut_out(photo.rgb, mask)))
    return Materials(photos, cutouts, clips)


def cut_out(rgb: Uint8Image, mask: Uint8Image) -> Sprite:
    """The part of a picture under a mask ``(H, W)`` uint8, not empty."""
    x, y, w, h = cv2.boundingRect(mask)
    return make_sprite(np.dstack([rgb, mask])[y : y + h, x : x + w])


def make_sprite(rgba: Uint8Image) -> Sprite:
    """A sprite from ``(H, W, 4)`` uint8 straight alpha, some of it above one half."""
    padded = cv2.copyMakeBorder(rgba, _PAD_PX, _PAD_PX, _PAD_PX, _PAD_PX, cv2.BORDER_REPLICATE)
    for border in (np.s_[:_PAD_PX], np.s_[-_PAD_PX:]):
        padded[border, :, 3] = 0
        padded[:, border, 3] = 0
    sprite = np.asarray(padded, dtype=np.uint8)
    return Sprite(sprite, outline_of(sprite[..., 3]))


def outline_of(alpha: Uint8Image) -> Points:
    """Points on the convex hull of the pixels above one half, ``(K, 2)`` float32."""
    mask = alpha > _HALF_LEVEL
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    corners = [np.stack([x, rows + dy], axis=1) for x in (first, last) for dy in (0, 1)]
    hull = cv2.convexHull(np.concatenate(corners).astype(np.float32)).reshape(-1, 2)
    # Points along the edges too, for shapes that are bent later.
    ends = np.roll(hull, -1, axis=0)
    return np.concatenate([hull + t * (ends - hull) for t in (0.0, 0.5)]).astype(np.float32)


def bleed_colours(rgba: Uint8Image) -> Uint8Image:
    """Continue an object's colours into its transparent pixels, so that no fringe shows."""
    height, width = rgba.shape[:2]
    weight = rgba[..., 3:].astype(np.float32) / 255.0
    known = np.dstack([rgba[..., :3] * weight, weight])
    spread = np.zeros_like(known[..., :3])
    for cell_px in _BLEED_CELLS_PX:
        cells = (max(1, width // cell_px), max(1, height // cell_px))
        coarse = cv2.resize(known, cells, interpolation=cv2.INTER_AREA)
        mean = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
        near = mean[..., 3:]
        mean_colour = mean[..., :3] / np.maximum(near, _LEAST_WEIGHT)
        spread = np.where(near > _LEAST_WEIGHT, mean_colour, spread)
    out = rgba.copy()
    own = rgba[..., 3:] > _OWN_COLOUR_LEVEL
    out[..., :3] = np.where(own, rgba[..., :3], spread.clip(0, 255))
    return out


def _find(folder: Path) -> tuple[list[Path], list[Path]]:
    """Pictures and clip folders below a folder, in the order of their names."""
    if (folder / "frames").is_dir() and (folder / "masks").is_dir():
        return [], [folder]
    if (folder / GROUND_TRUTH).is_file():  # a sequence with boxes: its frames are not photos
        return [], []
    pictures: list[Path] = []
    clip_folders: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            pictures.append(path)
        elif path.is_dir():
            more_pictures, more_clips = _find(path)
            pictures += more_pictures
            clip_folders += more_clips
    return pictures, clip_folders


def _read_clip(folder: Path) -> Clip:
    frame_paths, mask_paths = (
        sorted(p for p in (folder / part).glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
        for part in ("frames", "masks")
    )
    if [p.stem for p in frame_paths] != [p.stem for p in mask_paths] or not frame_paths:
        raise DatasetError(f"the clip {folder} needs one mask of the same name for every frame")
    frames = [to_rgb8(_read_picture(path)) for path in frame_paths]
    masks, boxes = [], []
    for path in mask_paths:
        picture = _read_picture(path)
        mask = (picture if picture.ndim == 2 else picture[..., :3].max(axis=2)) > 0
        masks.append(mask.astype(np.uint8) * 255)
        x, y, w, h = cv2.boundingRect(masks[-1])
        boxes.append((x, y, w, h) if min(w, h) >= _LEAST_BOX_PX else (np.nan,) * 4)
    return Clip(folder.name, frames, masks, np.array(boxes, dtype=np.float64))


def _read_picture(path: Path) -> Uint8Image:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise DatasetError(f"the picture {path} cannot be decoded")
    if picture.dtype != np.uint8:
        picture = (picture.astype(np.uint16) >> 8).astype(np.uint8)
    return np.asarray(picture, dtype=np.uint8)


def held_out(name: str) -> bool:
    """Whether a photo is for validation, by its name up to the first number."""
    numbered = re.match(r"\D*\d+", name)
    group = numbered.group() if numbered else name
    return zlib.crc32(group.encode()) % _HELD_OUT_ONE_IN == 0
