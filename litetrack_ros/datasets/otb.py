"""OTB-100 as published: ``Basketball/img/0001.jpg`` and ``groundtruth_rect.txt``, or archives.

Some sequences have two targets, ``groundtruth_rect.1.txt`` and so on; they become two sequences.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import AnnotatedSequence, SequenceFolder

MARKER = "groundtruth*.txt"
# Sequences whose annotation covers a part of the frames, as the benchmark's site says.
PARTS = {
    "david": slice(299, 770),
    "diving": slice(0, 215),
    "football1": slice(0, 74),
    "freeman3": slice(0, 460),
    "freeman4": slice(0, 283),
}


def read_otb100(containers: Containers) -> Iterator[AnnotatedSequence]:
    """The benchmark's sequences.

    Raises:
        DatasetError: frames are missing, or frames and boxes do not fit.
    """
    for place in SequenceFolder.find(containers, depth=1, marker=MARKER):
        files = containers.get(place.archive).names_in(place.folder)
        names = [path.name for path in map(PurePosixPath, files) if path.match(MARKER)]
        names = [name for name in names if place.text(name).strip()]  # one of Human4 is empty
        part = PARTS.get(place.name.lower(), slice(None))
        for number, name in enumerate(names, start=1):
            target = place.name if len(names) == 1 else f"{place.name}.{number}"
            named = SequenceFolder(containers, place.archive, place.folder, target)
            yield named.sequence(named.boxes(name), "img", part, tags_of="otb100")
