"""GOT-10k as published: ``GOT-10k_Train_000001/`` and so on, in folders or in archives.

A sequence holds ``00000001.jpg`` on, ``groundtruth.txt``, ``absence.label`` (1: out of view) and
``cover.label`` (visible part in eighths). To train on, a target is visible where it is neither
absent nor wholly covered; the benchmark asks for the cover alone.
"""

from collections.abc import Callable, Iterator

from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.sequences import AnnotatedSequence, SequenceFolder, shipped_ranges
from litetrack_ros.datasets.training_set import SequenceEntry, SetIndex
from litetrack_ros.errors import DatasetError

TRAIN_SEQUENCES = 9335


def index_got10k(containers: Containers, split: str) -> SetIndex:
    """Index a folder with sequences of GOT-10k.

    Args:
        containers: the folder, its subfolders ``train`` and ``val``, and archives in them.
        split: ``train`` (all training sequences), ``train_full`` (without the 26 that the authors
            leave out), ``vottrain`` (without the 1000 that VOT prohibits and without ``votval``),
            ``votval`` (held out of those), ``vottrain_released`` or ``val``.

            The released code reads VOT's list as positions counted from 0, though the sequences
            are numbered from 1, so that 765 prohibited ones stay in: ``vottrain_released`` repeats
            that, ``vottrain`` corrects it.
    """
    wanted = _membership(split)
    prefix = "GOT-10k_Val_" if split == "val" else "GOT-10k_Train_"
    numbers = {
        place: int(number)
        for place in SequenceFolder.find(containers, depth=2)
        if (number := place.name.removeprefix(prefix)) != place.name
        and number.isdigit()
        and wanted(int(number))
    }
    index = SetIndex()
    index.add(numbers, _entry)
    if split != "val":
        complete = (n for n in range(1, TRAIN_SEQUENCES + 1) if wanted(n))
        name = f"{prefix}{{:06d}}".format
        index.report_missing(map(name, complete), map(name, numbers.values()), f"GOT-10k's {split}")
    return index


def read_got10k(containers: Containers, split: str) -> Iterator[AnnotatedSequence]:
    """The benchmark's sequences: ``val`` or ``test`` below the folder, or in it, or archives.

    Of the test sequences only the first box is known.

    Raises:
        DatasetError: labels, frames and boxes do not fit.
    """
    inner = containers.root / split
    files = Containers(inner) if inner.is_dir() else containers
    for place in SequenceFolder.find(files, depth=1):
        if place.name.startswith(f"GOT-10k_{split.capitalize()}_"):
            boxes = place.boxes()
            if split == "test":
                yield place.sequence(boxes, first_only=True)
            else:
                yield place.sequence(boxes, visible=place.flags("cover.label", len(boxes)) > 0)


def _membership(split: str) -> Callable[[int], bool]:
    """Whether a sequence's number belongs to a split.

    Raises:
        DatasetError: there is no such split.
    """
    if split in ("train", "val"):
        return lambda number: True
    lists = shipped_ranges("got10k")
    prohibited, held_out = lists["vot_prohibited"], lists["votval"]
    if split == "train_full":
        return lambda number: number not in lists["train_full_left_out"]
    if split == "vottrain":
        return lambda number: number not in prohibited and number not in held_out
    if split == "votval":
        return lambda number: number in held_out and number not in prohibited
    if split == "vottrain_released":
        return lambda number: number - 1 not in prohibited and number not in held_out
    raise DatasetError(f"GOT-10k has no split '{split}'")


def _entry(place: SequenceFolder) -> SequenceEntry:
    boxes = place.boxes()
    visible = place.unflagged(["absence.label"], len(boxes))
    visible &= place.flags("cover.label", len(boxes)) > 0
    return SequenceEntry.at(place, place.numbered("{:08d}.jpg"), boxes, visible, first=1)
