"""NFS at 30 frames a second."""

from pathlib import Path

import numpy as np
from published_layouts import COUNT, boxes
from reading_sets import read_layout


def test_the_benchmark(tmp_path: Path) -> None:
    (sequence,) = read_layout("nfs", tmp_path)
    np.testing.assert_allclose(sequence.boxes_xywh[1], boxes(8 * COUNT)[8], atol=1e-4)
