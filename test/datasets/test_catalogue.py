"""Where the training sets of a recipe lie."""

from pathlib import Path

import pytest
from published_layouts import write_coco

from litetrack_ros.datasets.catalogue import locate_set
from litetrack_ros.errors import DatasetError


def test_locating_sets(tmp_path: Path) -> None:
    write_coco(tmp_path / "COCO")
    assert locate_set("coco2017_train", [str(tmp_path)]) == tmp_path / "COCO"
    assert locate_set("lasot_train", [str(tmp_path), "lasot_train=/x"]) == Path("/x")
    assert locate_set("got10k_vottrain", ["got10k=/y"]) == Path("/y")
    with pytest.raises(DatasetError, match="add lasot_train=DIR"):
        locate_set("lasot_train", [str(tmp_path)])
    with pytest.raises(DatasetError, match="no data set 'nfs'"):
        locate_set("nfs", [str(tmp_path)])
