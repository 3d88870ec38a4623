"""NFS at 30 frames a second as published: ``bee/30/bee/00001.jpg`` and ``bee/30/bee.txt``.

A line of the annotation is ``id x1 y1 x2 y2 ...``; one that was made at 240 frames a second is
thinned to every eighth line.
"""

from collections.abc import Iterator

import numpy as np

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import AnnotatedSequence, SequenceFolder
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import FloatArray, xyxy_to_xywh

ANNOTATION_STRIDE = 8  # 240 annotated frames a second at 30


def read_nfs(containers: Containers) -> Iterator[AnnotatedSequence]:
    """The benchmark's sequences.

    Raises:
        DatasetError: frames are missing, or frames and boxes do not fit.
    """
    for path in sorted(containers.root.glob("*/30/*.txt")):
        folder = path.parent.relative_to(containers.root).as_posix()
        place = SequenceFolder(containers, "", folder, path.stem)
        corners = _corners(place.text(path.name), str(path))
        if len(corners) > 4 * len(place.frame_names(path.stem)):
            corners = corners[::ANNOTATION_STRIDE]
        yield place.sequence(xyxy_to_xywh(corners), path.stem)


def _corners(text: str, origin: str) -> FloatArray:
    try:
        rows = [[float(v) for v in line.split()[1:5]] for line in text.splitlines() if line]
        return np.array(rows, dtype=np.float64).reshape(-1, 4)
    except ValueError as error:
        raise DatasetError(f"{origin}: expected 'id x1 y1 x2 y2 ...' lines ({error})") from error
