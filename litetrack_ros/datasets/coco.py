"""COCO 2017 as published: ``annotations/instances_train2017.json`` and the pictures of the part.

Every object that is not a crowd is a sequence of one frame. The pictures lie in ``train2017/`` or
``images/train2017/``, or in ``train2017.zip``.
"""

import json
from typing import Any

import numpy as np

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import SequenceFolder
from litetrack_ros.datasets.training_set import SequenceEntry, SetIndex
from litetrack_ros.errors import DatasetError

ANNOTATIONS_ARCHIVE = "annotations_trainval2017.zip"


def index_coco(containers: Containers, part: str) -> SetIndex:
    """Index the objects of ``train2017`` or ``val2017``.

    Raises:
        DatasetError: the annotations or the pictures are missing.
    """
    content = _annotations(containers, part)
    archive, folder = _pictures(containers, part)
    try:
        files = {image["id"]: str(image["file_name"]) for image in content["images"]}
        objects = [a for a in content["annotations"] if not a["iscrowd"]]
        index = SetIndex()
        lost = 0
        for item in objects:
            place = SequenceFolder(containers, archive, folder, f"{part}-{item['id']}")
            boxes = np.array([item["bbox"]], dtype=np.float64)
            file = files.get(item["image_id"], "")
            frames = place.numbered(file.replace("{", "{{").replace("}", "}}"))
            entry = SequenceEntry.at(place, frames, boxes, video=False)
            if file and entry.visible[0]:
                index.entries.append(entry)
            else:
                lost += 1
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"the annotations of {part} are not COCO's: {error!r}") from error
    if lost:
        index.problems.append(f"{lost} objects of {part} have no picture or a box without size")
    return index


def _annotations(containers: Containers, part: str) -> dict[str, Any]:
    name = f"annotations/instances_{part}.json"
    if (containers.root / name).is_file():
        text = containers.get("").read(name)
    elif (containers.root / ANNOTATIONS_ARCHIVE).is_file():
        text = containers.get(ANNOTATIONS_ARCHIVE).read(name)
    else:
        raise DatasetError(f"{containers.root} has neither {name} nor {ANNOTATIONS_ARCHIVE}")
    try:
        content = json.loads(text)
    except ValueError as error:
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
