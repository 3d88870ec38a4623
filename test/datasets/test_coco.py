"""COCO's objects as pictures to train on."""

import json
from pathlib import Path

import numpy as np
import pytest
from published_layouts import pack, write_coco
from reading_sets import check_training_set
from training_pictures import write_boxed

from litetrack_ros.datasets.catalogue import guess_set, open_set
from litetrack_ros.datasets.coco import find_coco, read_objects
from litetrack_ros.datasets.containers import Containers
from litetrack_ros.errors import DatasetError
from litetrack_ros.images import image_size


@pytest.mark.parametrize("packed", [False, True])
def test_coco(tmp_path: Path, packed: bool) -> None:
    write_coco(tmp_path)
    if packed:
        pack(tmp_path / "train2017", tmp_path / "train2017.zip", inside="train2017/")
        (tmp_path / "train2017").rmdir()
    train = open_set(guess_set(tmp_path), tmp_path)
    assert [e.name for e in train.entries] == ["train2017-7", "train2017-8"]
    assert not train.is_video(0)
    np.testing.assert_allclose(train.boxes(0), [[10.5, 8, 30, 22]])
    check_training_set(train)


def test_annotations_beside_the_pictures(tmp_path: Path) -> None:
    write_boxed(tmp_path)
    root = tmp_path / "boxed_photos"
    assert guess_set(root) == "coco_folder"
    train = open_set("coco_folder", root)
    assert len(train) == 60 and not train.problems
    np.testing.assert_allclose(train.boxes(1), [[10, 10, 24, 30]])
    assert image_size(train.encoded_frame(1, 0)) == (160, 120)
    assert find_coco(tmp_path) == find_coco(root) == [(root, "")]
    objects = read_objects(Containers(root), "")
    assert (objects[0].category, objects[1].category) == ("dog", "cat")
    assert objects[1].photo == "boxed_1_x.webp"
    [outline] = objects[1].polygons
    np.testing.assert_allclose(outline, [[22, 10], [34, 25], [22, 40], [10, 25]])


def test_objects_of_the_published_layout(tmp_path: Path) -> None:
    write_coco(tmp_path)
    path = tmp_path / "annotations/instances_train2017.json"
    content = json.loads(path.read_text())
    content["categories"] = [{"id": 3, "name": "cat"}]
    for item in content["annotations"]:
        item["category_id"] = 3
    content["annotations"][1]["segmentation"] = {"counts": [1, 2], "size": [3, 1]}
    path.write_text(json.dumps(content))
    assert find_coco(tmp_path) == [(tmp_path, "train2017")]
    objects = read_objects(Containers(tmp_path), "train2017")
    assert [item.photo for item in objects] == [
        "train2017/000000000001.jpg",
        "train2017/000000000002.jpg",
    ]
    assert not any(item.polygons for item in objects)  # none, and run lengths
    content["categories"] = []
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="not COCO's"):
        read_objects(Containers(tmp_path), "train2017")
