"""Cuts what moves out of videos from a fixed camera: clips with masks, to train on.

The background is each pixel's median over the video. What differs from it is an object, followed
from frame to frame while it neither touches another object nor the border; GrabCut then draws its
outline, which takes off most shadows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from litetrack_ros.geometry import FloatArray, overlap
from litetrack_ros.images import Uint8Image
from litetrack_ros.opencv import cv2

_BACKGROUND_FRAMES = 48
_MIN_DIFFERENCE = 24.0  # grey levels, and ...
_NOISE_FACTOR = 6.0  # ... this many times the usual difference
_AREA_PARTS = (0.004, 0.35)  # of the frame
_SAME_OVERLAP = 0.2  # of boxes in consecutive frames
_MIN_FRAMES = 8
_MIN_WAY = 0.4  # object sizes, between the first place and the farthest
_GRAB_CUT_ITERATIONS = 2


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
        cv2.GaussianBlur(image, (0, 0), 1.2).astype(np.float32) for image in (frame, background)
    )
    gain = np.median((seen + 1.0) / (empty + 1.0), axis=(0, 1))
    difference = np.abs(seen - empty * gain).max(axis=2)
    limit = max(_MIN_DIFFERENCE, _NOISE_FACTOR * float(np.median(difference)))
    changed = (difference > limit).astype(np.uint8) * 255
    changed = cv2.morphologyEx(changed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    changed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    height, width = changed.shape
    contours, _ = cv2.findContours(changed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    parts = []
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        if not _AREA_PARTS[0] < cv2.contourArea(contour) / (height * width) < _AREA_PARTS[1]:
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
        near = cv2.dilate(mask, np.ones((7, 7), np.uint8))
        labels[(near > 0) & (mask == 0)] = cv2.GC_PR_BGD
        labels[cv2.erode(mask, np.ones((9, 9), np.uint8)) > 0] = cv2.GC_FGD
        # Only the surroundings matter to the colours of the background.
        x, y, w, h = cv2.boundingRect(mask)
        part = np.s_[max(0, y - h) : y + 2 * h, max(0, x - w) : x + 2 * w]
        cut = np.ascontiguousarray(labels[part])
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(0)  # GrabCut's clusters start at random
        cv2.grabCut(
            np.ascontiguousarray(frames[index][part]),
            cut,
            (0, 0, 1, 1),
            *models,
            _GRAB_CUT_ITERATIONS,
            cv2.GC_INIT_WITH_MASK,
        )
        found = np.zeros_like(mask)
        found[part] = np.isin(cut, (cv2.GC_FGD, cv2.GC_PR_FGD)) * np.uint8(255)
        found = np.asarray(cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
        if (found > 0).sum() < 0.6 * (mask > 0).sum():
            continue
        sharp.indices.append(index)
        sharp.masks.append(found)
        sharp.boxes_xywh.append(np.array(cv2.boundingRect(found), dtype=np.float64))
    moving.indices, moving.masks = sharp.indices, sharp.masks
    moving.boxes_xywh = sharp.boxes_xywh
