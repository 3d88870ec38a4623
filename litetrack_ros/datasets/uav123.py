"""UAV123 as published: ``data_seq/UAV123/bike1/000001.jpg`` and ``anno/UAV123/bike1.txt``.

Several sequences may be parts of one folder of frames, as ``config/datasets/uav123.yaml`` says.
"""

from collections.abc import Iterator

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import AnnotatedSequence, SequenceFolder
from litetrack_ros.resources import config_path
from litetrack_ros.settings import read_yaml


def read_uav123(containers: Containers) -> Iterator[AnnotatedSequence]:
    """The benchmark's sequences, in the order of the list.

    Raises:
        DatasetError: frames are missing, or frames and boxes do not fit.
    """
    for name, listed in read_yaml(config_path("datasets/uav123")).items():
        frames, _, span = str(listed).partition(" ")
        first, _, last = span.partition("-")
        annotations = SequenceFolder(containers, "", "anno/UAV123", name)
        place = SequenceFolder(containers, "", f"data_seq/UAV123/{frames}", name)
        file, folder = f"{name}.txt", containers.root / place.folder
        if (containers.root / annotations.folder / file).is_file() and folder.is_dir():
            part = slice(int(first) - 1, int(last))
            yield place.sequence(annotations.boxes(file), part=part, tags_of="uav123")
