"""AVisT as published: ``sequences/air_show/img_00001.jpg``, ``anno/air_show.txt`` and flags.

The flags of hidden targets are ``full_occlusion/air_show_full_occlusion.txt`` and
``out_of_view/air_show_out_of_view.txt``, one a frame (Noman et al., "AVisT: a benchmark for visual
object tracking in adverse visibility", BMVC 2022; read as pytracking's
``evaluation/avistdataset.py``, which the benchmark names as its reader, does).
"""

from collections.abc import Iterator

import numpy as np

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import AnnotatedSequence, SequenceFolder

HIDDEN = ("full_occlusion", "out_of_view")


def read_avist(containers: Containers) -> Iterator[AnnotatedSequence]:
    """The benchmark's sequences, 120 where all are there.

    Raises:
        DatasetError: frames are missing, or flags, frames and boxes do not fit.
    """
    for path in sorted((containers.root / "anno").glob("*.txt")):
        name = path.stem
        boxes = SequenceFolder(containers, "", "anno", name).boxes(path.name)
        visible = np.ones(len(boxes), dtype=bool)
        for kind in HIDDEN:
            flags = SequenceFolder(containers, "", kind, name)
            visible &= flags.unflagged([f"{name}_{kind}.txt"], len(boxes))
        frames = SequenceFolder(containers, "", f"sequences/{name}", name)
        yield frames.sequence(boxes, visible=visible)
