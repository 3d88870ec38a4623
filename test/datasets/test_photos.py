"""Photos with boxes and masks, and the fixed part of them that is for judging only."""

import json
from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.datasets.photos import Photo, read_photos
from litetrack_ros.errors import DatasetError

HELD_OUT = Path(__file__).resolve().parents[1] / "data" / "points_held_out.txt"
MATERIAL = Path(__file__).resolve().parents[3] / "shared" / "material" / "boxed_photos"
TRIANGLE = [10.0, 10.0, 20.0, 10.0, 10.0, 20.0]


def test_boxes_and_masks_are_read(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 7, "file_name": "b_1.webp"}, {"id": 8, "file_name": "a_1.webp"}],
        "annotations": [
            {"image_id": 7, "bbox": [10, 10, 10, 10], "iscrowd": 0, "segmentation": [TRIANGLE]},
            {"image_id": 7, "bbox": [1, 2, 3, 4], "iscrowd": 1, "segmentation": []},
        ],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    empty, photo = read_photos(tmp_path)
    assert empty.path.name == "a_1.webp" and empty.objects == ()
    first, second = photo.objects
    assert first.box_xywh.tolist() == [10, 10, 10, 10] and second.is_crowd
    mask = first.mask(30, 40)
    assert mask.shape == (40, 30) and mask[12, 12] == 1 and mask[19, 19] == 0
    assert not second.mask(30, 40).any() and photo.source == "b"


@pytest.mark.parametrize("text", [None, "no json", "{}", '{"images": [{}], "annotations": []}'])
def test_what_is_not_coco_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "annotations.json").write_text(text)
    with pytest.raises(DatasetError):
        read_photos(tmp_path)


def test_the_committed_list_is_the_rule() -> None:
    names = HELD_OUT.read_text().split()
    assert len(names) == 565 and all(Photo(Path(name), ()).is_held_out for name in names)


@pytest.mark.skipif(not MATERIAL.is_dir(), reason="needs ../shared/material/boxed_photos")
def test_the_committed_list_is_complete() -> None:
    photos = read_photos(MATERIAL)
    assert [p.path.name for p in photos if p.is_held_out] == HELD_OUT.read_text().split()
    assert all(np.isfinite(thing.box_xywh).all() for p in photos for thing in p.objects)
