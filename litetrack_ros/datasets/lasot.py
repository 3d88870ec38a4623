"""LaSOT as published: ``airplane/airplane-1/img/00000001.jpg``, in folders or one zip a category.

Beside ``img/`` lie ``groundtruth.txt``, ``full_occlusion.txt`` and ``out_of_view.txt``, the latter
two with a flag a frame on one line.

The extension has 15 other categories of 10 sequences in the same layout, all of them to test on
(Fan et al., "LaSOT: a high-quality large-scale single object tracking benchmark", IJCV 2021). It is
read as pytracking's ``evaluation/lasotextensionsubsetdataset.py`` reads it.
"""

from collections.abc import Iterator, Mapping

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import AnnotatedSequence, SequenceFolder, shipped_ranges
from litetrack_ros.datasets.training_set import SequenceEntry, SetIndex

SEQUENCES_A_CATEGORY = 20
HIDDEN = ("full_occlusion.txt", "out_of_view.txt")


def index_lasot(containers: Containers, split: str) -> SetIndex:
    """Index LaSOT's 70 categories of 20 sequences.

    Args:
        containers: the folder of the categories, or of their sequences, or of the zip files.
        split: ``train`` (1120 sequences) or ``test`` (280, protocol II).
    """
    tests, is_test = shipped_ranges("lasot"), split == "test"
    places = []
    for place in SequenceFolder.find(containers, depth=3):
        category, _, number = place.name.rpartition("-")
        known = number.isdigit() and category in tests
        if known and (int(number) in tests[category]) == is_test:
            places.append(place)
    complete = (
        f"{category}-{number}"
        for category, held_out in tests.items()
        for number in range(1, SEQUENCES_A_CATEGORY + 1)
        if (number in held_out) == is_test
    )
    index = SetIndex()
    index.add(places, _entry)
    index.report_missing(complete, (place.name for place in places), f"LaSOT's {split} set")
    return index


def read_lasot(containers: Containers) -> Iterator[AnnotatedSequence]:
    """The benchmark's sequences, the 280 of protocol II.

    Raises:
        DatasetError: flags, frames and boxes do not fit.
    """
    return _read(containers, shipped_ranges("lasot"), "lasot")


def read_lasot_ext(containers: Containers) -> Iterator[AnnotatedSequence]:
    """The 150 sequences of LaSOT's extension.

    Raises:
        DatasetError: flags, frames and boxes do not fit.
    """
    return _read(containers, shipped_ranges("lasot_ext"))


def _read(
    containers: Containers, listed: Mapping[str, set[int]], tags_of: str = ""
) -> Iterator[AnnotatedSequence]:
    found = {place.name: place for place in SequenceFolder.find(containers, depth=2)}
    for category, numbers in listed.items():
        for number in sorted(numbers):
            place = found.get(f"{category}-{number}")
            if place is not None:
                boxes = place.boxes()
                visible = place.unflagged(HIDDEN, len(boxes))
                yield place.sequence(boxes, "img", visible=visible, tags_of=tags_of)


def _entry(place: SequenceFolder) -> SequenceEntry:
    boxes = place.boxes()
    visible = place.unflagged(HIDDEN, len(boxes))
    return SequenceEntry.at(place, place.numbered("img/{:08d}.jpg"), boxes, visible, first=1)
