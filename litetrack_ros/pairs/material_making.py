"""Makes material for pairs: clips out of videos, and outlines of the objects in photos.

Out of a video from a fixed camera comes what moves: the background is each pixel's median, what
differs from it is an object, followed from frame to frame while it neither touches another object
nor the border; GrabCut then draws its outline, which takes off most shadows.

In a photo it is the main object, where that stands out clearly: GrabCut from a central ellipse.
Photos of single objects (one per ImageNet class, say) become cut-outs and true boxes that way. Two
fifths of such photos are turned down, since a wrong outline teaches wrong boxes.

Source: Rother et al., GrabCut, SIGGRAPH 2004.
"""

import itertools
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import DatasetError
from litetrack_ros.files import hidden_beside, make_folder
from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Uint8Image, to_bgr8
from litetrack_ros.media.sources import open_source
from litetrack_ros.media.writers import write_image
from litetrack_ros.opencv import cv2
from litetrack_ros.pairs.materials import Photo

MAX_FRAMES = 2000  # of a video, all held in memory
_GRAB_CUT_SEED = 0
_GRAB_CUT_MODEL = (1, 65)  # the size that it asks for
_HALF_LEVEL = 127

# What moves in a video.
_BACKGROUND_FRAMES = 48
_SMOOTHING_PX = 1.2  # before frames are compared
_MIN_DIFFERENCE = 24.0  # grey levels, and ...
_NOISE_FACTOR = 6.0  # ... this many times the usual difference
_SPECK_PX, _GAP_PX = 3, 9  # smaller specks are dropped, smaller gaps closed
_MOVING_PARTS = (0.004, 0.35)  # its area over the frame's
_SAME_OVERLAP = 0.2  # of boxes in consecutive frames
_MIN_FRAMES = 8
_MIN_WAY = 0.4  # object sizes, between the first place and the farthest
_RIM_PX, _CORE_PX = 7, 9  # GrabCut decides between so far outside and so far inside the mask
_MIN_KEPT = 0.6  # of the mask's area, where GrabCut agrees with it
_MOVING_ITERATIONS = 2

# The main object of a photo, and what a sound one looks like.
_WORK_SIDE_PX = 112  # short side of the photo that is segmented
_BORDER_PART = 0.03  # of the short side, surely background
_ELLIPSE_PART = 0.38  # half axes of what is object at first, over the photo's sides
_PHOTO_ITERATIONS = 4
_OUTLINE_SMOOTHING_PX = 1.0
_PHOTO_PARTS = (0.04, 0.55)  # its area over the photo's
_MIN_SOLIDITY = 0.6  # area over that of the convex hull
_MIN_EDGE = 1.5  # colour contrast along the outline over the photo's mean
_MAX_BORDERS_TOUCHED = 1


@dataclass
class MovingObject:
    """An object that was followed.

    Attributes:
        indices: of the frames that show it whole.
        masks: ``(H, W)`` uint8 0 or 255, one for each of them.
        boxes_xywh: the masks' tight boxes.
        is_several: whether it began where objects met.
    """

    indices: list[int] = field(default_factory=list)
    masks: list[Uint8Image] = field(default_factory=list)
    boxes_xywh: list[FloatArray] = field(default_factory=list)
    is_several: bool = False

    def way(self) -> float:
        """The farthest it gets from its first place, in units of its size."""
        boxes = np.stack(self.boxes_xywh)
        centers = boxes[:, :2] + boxes[:, 2:] / 2
        size = np.sqrt(boxes[:, 2] * boxes[:, 3]).mean()
        return float(np.linalg.norm(centers - centers[0], axis=1).max() / size)


def find_moving_objects(frames: Sequence[Uint8Image]) -> list[MovingObject]:
    """Follow what moves before a fixed camera.

    Args:
        frames: ``(H, W, 3)`` uint8 of one size, in order.

    Returns:
        The objects that were seen whole in eight frames or more and moved, with sharp masks.
    """
    step = max(1, len(frames) // _BACKGROUND_FRAMES)
    background = np.median(np.stack(frames[::step]), axis=0).astype(np.uint8)
    done: list[MovingObject] = []
    followed: list[MovingObject] = []
    for index, frame in enumerate(frames):
        parts = _whole_parts(frame, background)
        still_followed: list[MovingObject] = []
        for mask, box in parts:
            met = [o for o in followed if overlap(o.boxes_xywh[-1], box) > _SAME_OVERLAP]
            target = met[0] if len(met) == 1 else MovingObject(is_several=len(met) > 1)
            if any(target is other for other in still_followed):
                continue  # it fell apart: the larger part goes on
            target.indices.append(index)
            target.masks.append(mask)
            target.boxes_xywh.append(box)
            still_followed.append(target)
        done += [o for o in followed if all(o is not other for other in still_followed)]
        followed = still_followed
    kept = [
        moving
        for moving in done + followed
        if not moving.is_several and len(moving.indices) >= _MIN_FRAMES and moving.way() > _MIN_WAY
    ]
    for moving in kept:
        _sharpen(moving, frames)
    return [moving for moving in kept if len(moving.indices) >= _MIN_FRAMES]


def _whole_parts(frame: Uint8Image, background: Uint8Image) -> list[tuple[Uint8Image, FloatArray]]:
    """Masks and boxes of what differs and does not touch the border, the largest first."""
    # A camera that sets its exposure by what it sees changes all of the picture at once.
    seen, empty = (
        cv2.GaussianBlur(image, (0, 0), _SMOOTHING_PX).astype(np.float32)
        for image in (frame, background)
    )
    gain = np.median((seen + 1.0) / (empty + 1.0), axis=(0, 1))
    difference = np.abs(seen - empty * gain).max(axis=2)
    limit = max(_MIN_DIFFERENCE, _NOISE_FACTOR * float(np.median(difference)))
    changed = (difference > limit).astype(np.uint8) * 255
    changed = cv2.morphologyEx(changed, cv2.MORPH_OPEN, _square(_SPECK_PX))
    changed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, _square(_GAP_PX))
    height, width = changed.shape
    contours, _ = cv2.findContours(changed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    parts = []
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        if not _MOVING_PARTS[0] < cv2.contourArea(contour) / (height * width) < _MOVING_PARTS[1]:
            continue
        x, y, w, h = cv2.boundingRect(contour)
        if x <= 1 or y <= 1 or x + w >= width - 1 or y + h >= height - 1:
            continue
        mask = np.zeros((height, width), np.uint8)
        cv2.drawContours(mask, [contour], -1, 255, -1)
        parts.append((mask, np.array([x, y, w, h], dtype=np.float64)))
    return parts


def _sharpen(moving: MovingObject, frames: Sequence[Uint8Image]) -> None:
    """Replace the masks by GrabCut's; frames where it disagrees are left out."""
    sharp = MovingObject()
    for index, mask in zip(moving.indices, moving.masks, strict=True):
        labels = np.where(mask > 0, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
        near = cv2.dilate(mask, _square(_RIM_PX))
        labels[(near > 0) & (mask == 0)] = cv2.GC_PR_BGD
        labels[cv2.erode(mask, _square(_CORE_PX)) > 0] = cv2.GC_FGD
        # Only the surroundings matter to the colours of the background.
        x, y, w, h = cv2.boundingRect(mask)
        part = np.s_[max(0, y - h) : y + 2 * h, max(0, x - w) : x + 2 * w]
        found = np.zeros_like(mask)
        image, cut = (np.ascontiguousarray(whole[part]) for whole in (frames[index], labels))
        found[part] = _grab_cut(image, cut, _MOVING_ITERATIONS) * np.uint8(255)
        found = np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, _square(_SPECK_PX)))
        if (found > 0).sum() < _MIN_KEPT * (mask > 0).sum():
            continue
        sharp.indices.append(index)
        sharp.masks.append(found)
        sharp.boxes_xywh.append(np.array(cv2.boundingRect(found), dtype=np.float64))
    moving.indices, moving.masks = sharp.indices, sharp.masks
    moving.boxes_xywh = sharp.boxes_xywh


def find_object(rgb: Uint8Image) -> Uint8Image | None:
    """The mask of a photo's main object, ``(H, W)`` uint8 0 or 255, or None if it is not clear.

    The same photo always gives the same mask.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORK_SIDE_PX / min(height, width))
    size = (round(width * scale), round(height * scale))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    mask = _largest_part(_grab_cut_middle(small))
    if mask is None or not _is_sound(mask, small):
        return None
    soft = cv2.resize(mask * 255, (width, height), interpolation=cv2.INTER_CUBIC)
    smooth = cv2.GaussianBlur(soft, (0, 0), _OUTLINE_SMOOTHING_PX)
    return np.where(smooth > _HALF_LEVEL, 255, 0).astype(np.uint8)


def _grab_cut_middle(rgb: Uint8Image) -> Uint8Image:
    """What stands out around the middle of a photo, 0 or 1."""
    height, width = rgb.shape[:2]
    labels = np.full((height, width), cv2.GC_PR_BGD, dtype=np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    ellipse = ((x / width - 0.5) / _ELLIPSE_PART) ** 2 + ((y / height - 0.5) / _ELLIPSE_PART) ** 2
    labels[ellipse < 1.0] = cv2.GC_PR_FGD
    border = max(2, round(_BORDER_PART * min(height, width)))
    labels[:border] = labels[-border:] = cv2.GC_BGD
    labels[:, :border] = labels[:, -border:] = cv2.GC_BGD
    return _grab_cut(rgb, labels, _PHOTO_ITERATIONS)


def _largest_part(mask: Uint8Image) -> Uint8Image | None:
    """The largest connected part without its holes, 0 or 1."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _square(_SPECK_PX))
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    largest = max(contours, key=cv2.contourArea)
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, [largest], -1, 1, -1)
    return filled


def _is_sound(mask: Uint8Image, rgb: Uint8Image) -> bool:
    height, width = mask.shape
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    hull_area = cv2.contourArea(cv2.convexHull(points))
    x, y, w, h = cv2.boundingRect(mask)
    border = max(2, round(_BORDER_PART * min(height, width)))
    touched = (x <= border) + (y <= border)
    touched += (x + w >= width - border) + (y + h >= height - border)
    edges = _colour_contrast(rgb)
    rim = mask > cv2.erode(mask, _square(3))
    return bool(
        _PHOTO_PARTS[0] < mask.mean() < _PHOTO_PARTS[1]
        and mask.sum() > _MIN_SOLIDITY * hull_area
        and touched <= _MAX_BORDERS_TOUCHED
        and edges[rim].mean() > _MIN_EDGE * edges.mean()
    )


def _colour_contrast(rgb: Uint8Image) -> npt.NDArray[np.float32]:
    """Colour difference across four pixels, along x and y together, ``(H, W)``."""
    smooth = cv2.GaussianBlur(rgb, (0, 0), _OUTLINE_SMOOTHING_PX)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB).astype(np.float32)
    total = np.zeros(lab.shape[:2], dtype=np.float32)
    for axis in (0, 1):
        total += np.abs(np.roll(lab, -2, axis) - np.roll(lab, 2, axis)).sum(axis=2)
    return total


def write_object_masks(
    photos: Sequence[Photo], folder: Path, photo_done: Callable[[], None]
) -> int:
    """Write the mask of every photo's main object that is clear, named like the photo.

    Args:
        photos: to look at.
        folder: made if needed.
        photo_done: called after each photo.

    Returns:
        How many were written.

    Raises:
        MediaError: a mask cannot be written.
    """
    make_folder(folder)
    found = 0
    for photo in photos:
        mask = find_object(photo.rgb)
        if mask is not None:
            write_image(folder / f"{photo.name}.png", mask)
            found += 1
        photo_done()
    return found


def read_small(video: str, height_px: int, every: int = 1) -> tuple[list[Uint8Image], float]:
    """The first :data:`MAX_FRAMES` frames of a source.

    Args:
        video: a video file or a folder of images.
        height_px: of the frames returned.
        every: take every n-th frame.

    Returns:
        BGR frames, and the factor by which the last one was scaled.

    Raises:
        MediaError: the source cannot be read.
    """
    frames, scale = [], 1.0
    with open_source(video) as source:
        for frame in itertools.islice(source, 0, MAX_FRAMES * every, every):
            scale = height_px / frame.image.shape[0]
            small = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            frames.append(to_bgr8(small))
    return frames, scale


def evenly(indices: Sequence[int], longest: int) -> list[int]:
    """At most so many of the indices, evenly spread.

    Raises:
        DatasetError: ``longest`` is below 1.
    """
    if longest < 1:
        raise DatasetError(f"a clip has at least 1 frame, not {longest}")
    return list(indices[:: math.ceil(len(indices) / longest)])


def write_clip(
    folder: Path,
    frames: Sequence[Uint8Image],
    indices: Sequence[int],
    masks: Sequence[Uint8Image],
) -> None:
    """Write a clip's folder, whole or not at all.

    Args:
        folder: to make.
        frames: those that show the object, BGR, at least one.
        indices: of each in the video.
        masks: of each, ``(H, W)`` uint8 0 or 255.

    Raises:
        DatasetError: the folder exists.
        MediaError: it cannot be written.
    """
    if folder.exists():
        raise DatasetError(f"{folder} exists: give another name, or take it away first")
    parts = hidden_beside(folder)
    try:
        for part in ("frames", "masks"):
            make_folder(parts / part)
        for index, frame, mask in zip(indices, frames, masks, strict=True):
            write_image(parts / "frames" / f"{index:05d}.png", frame)
            write_image(parts / "masks" / f"{index:05d}.png", mask)
        parts.rename(folder)
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _grab_cut(image: Uint8Image, labels: Uint8Image, iterations: int) -> Uint8Image:
    """What GrabCut takes for the object, 0 or 1; the labels are changed."""
    background, foreground = np.zeros(_GRAB_CUT_MODEL), np.zeros(_GRAB_CUT_MODEL)
    cv2.setRNGSeed(_GRAB_CUT_SEED)  # its clusters start at random
    cv2.grabCut(
        image, labels, (0, 0, 1, 1), background, foreground, iterations, cv2.GC_INIT_WITH_MASK
    )
    return ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)


def _square(side_px: int) -> Uint8Image:
    return np.ones((side_px, side_px), np.uint8)
