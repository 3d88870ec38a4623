"""The benchmarks by the names that commands use, and which convention scores each."""

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from litetrack_ros.datasets.avist import read_avist
from litetrack_ros.datasets.containers import Containers
from litetrack_ros.datasets.folder import read_folder
from litetrack_ros.datasets.got10k import read_got10k
from litetrack_ros.datasets.lasot import read_lasot, read_lasot_ext
from litetrack_ros.datasets.nfs import read_nfs
from litetrack_ros.datasets.otb import read_otb100
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.datasets.trackingnet import read_trackingnet
from litetrack_ros.datasets.uav123 import read_uav123
from litetrack_ros.errors import DatasetError


class Benchmark(NamedTuple):
    """How a benchmark is read and scored.

    Attributes:
        title: what it is called in sentences.
        read: its sequences in a folder and the archives there.
        convention: what scores it, of :mod:`litetrack_ros.evaluation.conventions`; ``""`` where
            only a server can.
    """

    title: str
    read: Callable[[Containers], Iterable[AnnotatedSequence]]
    convention: str


_GOT10K_VAL = functools.partial(read_got10k, split="val")
_GOT10K_TEST = functools.partial(read_got10k, split="test")
BENCHMARKS: Mapping[str, Benchmark] = {
    "got10k_val": Benchmark("GOT-10k's val set", _GOT10K_VAL, "got10k"),
    "got10k_test": Benchmark("GOT-10k's test set", _GOT10K_TEST, ""),
    "trackingnet": Benchmark("TrackingNet's test set", read_trackingnet, ""),
    "lasot": Benchmark("LaSOT's test set", read_lasot, "authors_lasot"),
    "lasot_ext": Benchmark("LaSOT's extension", read_lasot_ext, "authors_flagged"),
    "avist": Benchmark("AVisT", read_avist, "pytracking_flagged"),
    "otb100": Benchmark("OTB-100", read_otb100, "authors"),
    "nfs": Benchmark("NFS at 30 frames a second", read_nfs, "authors"),
    "uav123": Benchmark("UAV123", read_uav123, "authors_uav123"),
    "folder": Benchmark("this package's own format", read_folder, "plain"),
}


def read_benchmark(name: str, root: Path) -> list[AnnotatedSequence]:
    """A benchmark's sequences.

    Raises:
        DatasetError: unknown name, no such folder, nothing of the benchmark in it, or labels,
            frames and boxes that do not fit.
    """
    if name not in BENCHMARKS:
        raise DatasetError(f"there is no benchmark '{name}'; known are {', '.join(BENCHMARKS)}")
    if not root.is_dir():
        raise DatasetError(f"there is no folder {root} for {name}")
    benchmark = BENCHMARKS[name]
    found = list(benchmark.read(Containers(root)))
    if not found:
        raise DatasetError(f"{root} holds no sequence of {benchmark.title} in its published layout")
    return found
