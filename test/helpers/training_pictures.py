"""A small folder of photos, cut-outs, masks and clips, drawn here, and scenes without effects."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from litetrack_ros.pairs.degradation import Look
from litetrack_ros.pairs.poses import Pose

PLAIN_LOOK = Look((1.0, 1.0, 1.0), 1.0, 0.0, (0.0, 0.0), 0.0, (0.0, 0.0), 1.0, 0.0, 0, False)
STRAIGHT_POSE = Pose(0.0, 0.0, False, (0.0, 0.0), (0.0,) * 8)
PHOTOS, CUTOUTS, MASKS = 40, 30, 10
CLIPS = {"walk": 5, "run": 4, "davis_goat": 4}  # frames; the last one is held out by its name


def textured(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A picture with detail of every size, BGR."""
    picture = np.zeros((height, width, 3), np.float32)
    for cells in (4, 12, 40):
        noise = rng.normal(128, 40, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / 3
    return picture.clip(0, 255).astype(np.uint8)


def ellipse_mask(width: int, height: int, center: tuple[int, int], axes: tuple[int, int]):
    """255 inside an ellipse, 0 elsewhere."""
    mask = np.zeros((height, width), np.uint8)
    return cv2.ellipse(mask, center, axes, 0, 0, 360, 255, -1)


def write_pictures(folder: Path) -> Path:
    """Fill a folder with everything that pairs can be made of; returns it."""
    rng = np.random.default_rng(0)
    for name in ("photos", "cutouts", "objects"):
        (folder / name).mkdir(parents=True)
    for k in range(PHOTOS):
        width, height = (150, 112) if k % 3 else (112, 150)
        cv2.imwrite(str(folder / f"photos/photo_{k}_x.png"), textured(rng, width, height))
        if k < MASKS:
            mask = ellipse_mask(width, height, (60, 56), (26, 18))
            cv2.imwrite(str(folder / f"objects/photo_{k}_x.png"), mask)
    for k in range(CUTOUTS):
        mask = ellipse_mask(64, 48, (32, 24), (28, 10 + k % 10))
        cutout = np.dstack([textured(rng, 64, 48), mask])
        cv2.imwrite(str(folder / f"cutouts/cut_{k}.png"), cutout)
    for name, frames in CLIPS.items():
        for part in ("frames", "masks"):
            (folder / "clips" / name / part).mkdir(parents=True)
        ground = textured(rng, 160, 96)
        for k in range(frames):
            mask = ellipse_mask(160, 96, (50 + 6 * k, 48), (14, 20))
            frame = np.where(mask[..., None] > 0, 255 - ground, ground)
            cv2.imwrite(str(folder / f"clips/{name}/frames/{k:03d}.png"), frame)
            cv2.imwrite(str(folder / f"clips/{name}/masks/{k:03d}.png"), mask)
    return folder


def write_boxed(folder: Path) -> Path:
    """Fill a folder with clips with boxes and with photos in COCO's format; returns it.

    The clips ``park_00``, ``park_01``, ``road_00`` and ``held_00`` have a bright target of 20x30
    px that moves by 5 px a frame; ``road_00`` is without it in its last frames. Of the photos,
    those of the class ``cat`` show two small objects, those of ``dog`` a large one.
    """
    rng = np.random.default_rng(3)
    for name in ("park_00", "park_01", "road_00", "held_00"):
        (folder / "boxed_clips" / name / "frames").mkdir(parents=True)
        ground = textured(rng, 200, 150) // 2
        lines = []
        for k in range(12):
            frame = ground.copy()
            gone = name == "road_00" and k >= 9
            if not gone:
                frame[60:90, 20 + 5 * k : 40 + 5 * k] = 250
            lines.append("nan,nan,nan,nan" if gone else f"{20 + 5 * k},60,20,30")
            cv2.imwrite(str(folder / f"boxed_clips/{name}/frames/{k}.webp"), frame)
        text = "\n".join(lines) + "\n"
        (folder / "boxed_clips" / name / "groundtruth.txt").write_text(text)
    (folder / "boxed_photos").mkdir()
    images: list[dict[str, object]] = []
    objects: list[dict[str, object]] = []
    for k in range(40):
        name = f"boxed_{k}_x.webp"
        cv2.imwrite(str(folder / "boxed_photos" / name), textured(rng, 160, 120))
        images.append({"id": k, "file_name": name})
        boxes = [(10, 10, 24, 30), (110, 70, 28, 24)] if k % 2 else [(20, 10, 120, 100)]
        for x, y, w, h in boxes:
            corners = [x + w / 2, y, x + w, y + h / 2, x + w / 2, y + h, x, y + h / 2]
            objects.append(
                {
                    "id": len(objects),
                    "image_id": k,
                    "category_id": k % 2,
                    "iscrowd": 0,
                    "bbox": [x, y, w, h],
                    "segmentation": [corners],
                }
            )
    categories = [{"id": 0, "name": "dog"}, {"id": 1, "name": "cat"}]
    content = {"images": images, "annotations": objects, "categories": categories}
    (folder / "boxed_photos" / "annotations.json").write_text(json.dumps(content))
    return folder
