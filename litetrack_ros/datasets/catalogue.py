"""The training sets by the names that recipes use, and where they lie."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from litetrack_ros.datasets.coco import ANNOTATIONS, index_coco
from litetrack_ros.datasets.folder import index_folder
from litetrack_ros.datasets.got10k import index_got10k
from litetrack_ros.datasets.lasot import index_lasot
from litetrack_ros.datasets.shards import SHARDS_INDEX, ShardedSet, index_path
from litetrack_ros.datasets.trackingnet import index_trackingnet
from litetrack_ros.datasets.training_set import Indexer, TrainingSet, cached_index
from litetrack_ros.errors import DatasetError


class CatalogueEntry(NamedTuple):
    """How a set is read, and what its folder is usually called."""

    reader: Indexer
    folders: tuple[str, ...]


_GOT10K = ("got10k", "got-10k", "GOT-10k", "GOT10k", "GOT-10K", "GOT10K")
_LASOT = ("lasot", "LaSOT", "LaSOTBenchmark", "LASOT")
_COCO = ("coco", "COCO", "coco2017", "COCO2017")
SETS: Mapping[str, CatalogueEntry] = {
    **{
        f"got10k_{split}": CatalogueEntry(functools.partial(index_got10k, split=split), _GOT10K)
        for split in ("train", "train_full", "vottrain", "votval", "vottrain_released", "val")
    },
    **{
        f"lasot_{split}": CatalogueEntry(functools.partial(index_lasot, split=split), _LASOT)
        for split in ("train", "test")
    },
    "trackingnet": CatalogueEntry(index_trackingnet, ("trackingnet", "TrackingNet")),
    "coco2017_train": CatalogueEntry(functools.partial(index_coco, part="train2017"), _COCO),
    "coco2017_val": CatalogueEntry(functools.partial(index_coco, part="val2017"), _COCO),
    "coco_folder": CatalogueEntry(functools.partial(index_coco, part=""), ("coco_folder",)),
    "folder": CatalogueEntry(index_folder, ("folder",)),
    "folder_1based": CatalogueEntry(functools.partial(index_folder, box_origin=1), ("folder",)),
}


def open_set(name: str, root: Path, refresh: bool = False) -> TrainingSet:
    """Open a data set that lies in a folder, as published or as shards.

    Args:
        name: a key of :data:`SETS`.
        root: its folder, or that of its shards.
        refresh: do not use the cached index.

    Raises:
        DatasetError: unknown name, no such folder, or nothing of the set in it.
    """
    if name not in SETS:
        raise DatasetError(f"there is no data set '{name}'; known are {', '.join(SETS)}")
    if index_path(name, root).is_file():
        return ShardedSet(name, root)
    return TrainingSet(name, root, cached_index(name, root, SETS[name].reader, refresh))


def locate_set(name: str, places: Sequence[str]) -> Path:
    """Find a set's folder among what ``--data`` was given.

    Args:
        name: a key of :data:`SETS`.
        places: ``NAME=DIR``, or folders that hold one folder a data set under its usual name.

    Raises:
        DatasetError: unknown name, or none of the places has it.
    """
    if name not in SETS:
        raise DatasetError(f"there is no data set '{name}'; known are {', '.join(SETS)}")
    folders = SETS[name].folders
    for place in places:
        key, equals, given = place.partition("=")
        if equals and (key == name or key in folders):
            return Path(given)
    for place in places:
        for folder in folders:
            if "=" not in place and (Path(place) / folder).is_dir():
                return Path(place) / folder
    raise DatasetError(
        f"the data set {name} is in none of {', '.join(places)}: add {name}=DIR to --data"
    )


def guess_set(root: Path) -> str:
    """The set that a folder looks like.

    Raises:
        DatasetError: it looks like none.
    """
    if not root.is_dir():
        raise DatasetError(f"there is no folder {root}")
    inside = {path.name for path in root.iterdir()}
    for name in inside:
        if name.endswith(SHARDS_INDEX):
            return name.removesuffix(SHARDS_INDEX)
    if any(n.startswith("TRAIN_") for n in inside):
        return "trackingnet"
    if "annotations" in inside or "annotations_trainval2017.zip" in inside:
        return "coco2017_train"
    if ANNOTATIONS in inside:
        return "coco_folder"
    if any(n.startswith("GOT-10k_Val_") for n in inside):
        return "got10k_val"
    if any(n.startswith("GOT-10k_Train_") for n in inside) or "train" in inside:
        return "got10k_train"
    if any((root / n).suffix in ("", ".zip") and Path(n).stem == "airplane" for n in inside) or any(
        n.startswith("airplane-") for n in inside
    ):
        return "lasot_train"
    if next(root.glob("*/groundtruth.txt"), None) or next(root.glob("*/*/groundtruth.txt"), None):
        return "folder"
    raise DatasetError(f"{root} looks like none of the known data sets: name one with --set")
