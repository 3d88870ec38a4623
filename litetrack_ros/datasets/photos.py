"""Photos with boxes and masks in one ``annotations.json`` of COCO's format, split by file name.

What picks boxes from points is trained on one part of such photos and judged on the other. The
split is a rule on the file's name, so that no tuning can move a photo from one part to the other.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image, decode_bgr
from litetrack_ros.opencv import cv2

ANNOTATIONS = "annotations.json"
HELD_OUT_ONE_IN = 5


@dataclass(frozen=True)
class PhotoObject:
    """One annotated object.

    Attributes:
        box_xywh: float64 ``(4,)``, photo pixels.
        polygons: outlines, each ``(N, 2)`` photo pixels; empty where only the box is known.
        is_crowd: many objects in one box.
    """

    box_xywh: FloatArray
    polygons: tuple[FloatArray, ...]
    is_crowd: bool

    def mask(self, width_px: int, height_px: int) -> npt.NDArray[np.uint8]:
        """1 on the object, ``(height_px, width_px)``; empty where there are no polygons."""
        mask = np.zeros((height_px, width_px), dtype=np.uint8)
        for polygon in self.polygons:
            cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], 1)
        return mask


@dataclass(frozen=True)
class Photo:
    """One photo and its objects."""

    path: Path
    objects: tuple[PhotoObject, ...]

    @property
    def source(self) -> str:
        """The set it comes from: what stands before the underscore of its name."""
        return self.path.name.partition("_")[0]

    @property
    def is_held_out(self) -> bool:
        """Whether it is for judging only: one in five, by the SHA-256 of its file's name."""
        digest = hashlib.sha256(self.path.name.encode()).hexdigest()
        return int(digest, 16) % HELD_OUT_ONE_IN == 0

    def read(self) -> Uint8Image:
        """The picture, ``(H, W, 3)`` BGR."""
        return decode_bgr(self.path.read_bytes())


def read_photos(folder: Path) -> list[Photo]:
    """All photos of a folder, in the order of their names.

    Raises:
        DatasetError: no annotations of COCO's format.
    """
    path = folder / ANNOTATIONS
    try:
        content = json.loads(path.read_text())
        objects: dict[int, list[PhotoObject]] = {image["id"]: [] for image in content["images"]}
        for item in content["annotations"]:
            polygons = item.get("segmentation") or []
            outlines = [np.array(p, dtype=np.float64).reshape(-1, 2) for p in polygons]
            box = np.array(item["bbox"], dtype=np.float64).reshape(4)
            found = PhotoObject(box, tuple(outlines), bool(item["iscrowd"]))
            objects[item["image_id"]].append(found)
        photos = [
            Photo(folder / str(image["file_name"]), tuple(objects[image["id"]]))
            for image in content["images"]
        ]
    except OSError as error:
        raise DatasetError(f"{folder} has no {ANNOTATIONS} that can be read: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is not a COCO annotation file: {error!r}") from error
    return sorted(photos, key=lambda photo: photo.path.name)
