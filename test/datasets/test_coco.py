"""COCO's objects as pictures to train on."""

from pathlib import Path

import numpy as np
import pytest
from published_layouts import pack, write_coco
from reading_sets import check_training_set

from litetrack_ros.datasets.catalogue import guess_set, open_set


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
