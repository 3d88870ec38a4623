"""Photos whose objects have boxes and outlines, in COCO's format.

As published there are ``annotations/instances_train2017.json`` and the pictures in ``train2017/``
or ``images/train2017/``, or in ``train2017.zip``. Any other folder may hold an
``annotations.json`` beside its pictures. To train on by sampling, every object that is not a crowd
is a sequence of one frame.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import SequenceFolder
from litetrack_ros.datasets.training_set import SequenceEntry, SetIndex
from litetrack_ros.errors import DatasetError

ANNOTATIONS_ARCHIVE = "annotations_trainval2017.zip"
ANNOTATIONS = "annotations.json"  # beside the pictures
_LEAST_CORNERS = 3  # of a polygon


class _Source(NamedTuple):
    """A set's annotations, what is called by its name, and where its pictures are."""

    content: dict[str, Any]
    name: str
    archive: str
    folder: str


class PhotoObject(NamedTuple):
    """An object in a photo.

    Attributes:
        photo: the file that shows it, in the set's folder or its archive.
        archive: which archive, relative to the set's folder; ``""`` is the folder.
        category: the name of its class.
        box_xywh: ``(4,)`` float64, image pixels.
        polygons: its outline in one or more parts, each ``(K, 2)`` float32 image pixels; empty
            where nobody drew it.
    """

    photo: str
    archive: str
    category: str
    box_xywh: npt.NDArray[np.float64]
    polygons: tuple[npt.NDArray[np.float32], ...]


def index_coco(containers: Containers, part: str) -> SetIndex:
    """Index the objects of ``train2017`` or ``val2017``, or (``""``) of :data:`ANNOTATIONS`.

    Raises:
        DatasetError: the annotations or the pictures are missing.
    """
    source = _open(containers, part)
    index = SetIndex()
    lost = 0
    try:
        files = {image["id"]: str(image["file_name"]) for image in source.content["images"]}
        objects = [a for a in source.content["annotations"] if not a["iscrowd"]]
        for item in objects:
            place = SequenceFolder(
                containers, source.archive, source.folder, f"{source.name}-{item['id']}"
            )
            boxes = np.array([item["bbox"]], dtype=np.float64)
            file = files.get(item["image_id"], "")
            frames = place.numbered(file.replace("{", "{{").replace("}", "}}"))
            entry = SequenceEntry.at(place, frames, boxes, video=False)
            if file and entry.visible[0]:
                index.entries.append(entry)
            else:
                lost += 1
    except (KeyError, TypeError, ValueError) as error:
        raise _not_cocos(source, error) from error
    if lost:
        index.problems.append(
            f"{lost} objects of {source.name} have no picture or a box without size"
        )
    return index


def find_coco(folder: Path) -> list[tuple[Path, str]]:
    """Folders in COCO's format among a folder and those in it, each with its part."""
    found = []
    for place in (folder, *sorted(p for p in folder.iterdir() if p.is_dir())):
        if (place / ANNOTATIONS).is_file():
            found.append((place, ""))
        elif (place / _annotations_file("train2017")).is_file() or (
            place / ANNOTATIONS_ARCHIVE
        ).is_file():
            found.append((place, "train2017"))
    return found


def read_objects(containers: Containers, part: str) -> list[PhotoObject]:
    """The objects of a set with their classes and outlines; crowds are left out.

    Args:
        containers: the set's folder.
        part: as for :func:`index_coco`.

    Raises:
        DatasetError: as :func:`index_coco`.
    """
    source = _open(containers, part)
    prefix = f"{source.folder}/" if source.folder else ""
    objects = []
    try:
        files = {
            image["id"]: prefix + str(image["file_name"]) for image in source.content["images"]
        }
        classes = {c["id"]: str(c["name"]) for c in source.content["categories"]}
        for item in source.content["annotations"]:
            box = np.array(item["bbox"], dtype=np.float64)
            if item["iscrowd"] or item["image_id"] not in files or not (box[2:] > 0).all():
                continue
            objects.append(
                PhotoObject(
                    files[item["image_id"]],
                    source.archive,
                    classes[item["category_id"]],
                    box,
                    _polygons(item.get("segmentation")),
                )
            )
    except (KeyError, TypeError, ValueError) as error:
        raise _not_cocos(source, error) from error
    return objects


def _polygons(segmentation: Any) -> tuple[npt.NDArray[np.float32], ...]:
    """The outlines that are given as points; run lengths (a mapping) are left out."""
    if not isinstance(segmentation, list):
        return ()
    parts = (np.array(part, dtype=np.float32).reshape(-1, 2) for part in segmentation)
    return tuple(part for part in parts if len(part) >= _LEAST_CORNERS)


def _open(containers: Containers, part: str) -> _Source:
    archive, folder = _pictures(containers, part) if part else ("", "")
    return _Source(_annotations(containers, part), part or "object", archive, folder)


def _not_cocos(source: _Source, error: Exception) -> DatasetError:
    return DatasetError(f"the annotations of {source.name} are not COCO's: {error!r}")


def _annotations_file(part: str) -> str:
    return f"annotations/instances_{part}.json" if part else ANNOTATIONS


def _annotations(containers: Containers, part: str) -> dict[str, Any]:
    name = _annotations_file(part)
    if (containers.root / name).is_file():
        text = containers.get("").read(name)
    elif part and (containers.root / ANNOTATIONS_ARCHIVE).is_file():
        text = containers.get(ANNOTATIONS_ARCHIVE).read(name)
    else:
        missing = f"neither {name} nor {ANNOTATIONS_ARCHIVE}" if part else f"no {name}"
        raise DatasetError(f"{containers.root} has {missing}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{name} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{name} is not a COCO annotation file")
    return content


def _pictures(containers: Containers, part: str) -> tuple[str, str]:
    for folder in (f"images/{part}", part):
        if (containers.root / folder).is_dir():
            return "", folder
    for archive in (f"{part}.zip", f"images/{part}.zip"):
        if (containers.root / archive).is_file():
            return archive, part
    raise DatasetError(f"{containers.root} has no pictures: neither {part}/ nor {part}.zip")
