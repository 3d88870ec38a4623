"""What is tried on every data set: its frames are images, and archives read as folders do."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from published_layouts import LAYOUTS, pack

from litetrack_ros.config import ModelConfig
from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.datasets.sequences import AnnotatedSequence
from litetrack_ros.datasets.training_set import TrainingSet
from litetrack_ros.images import decode_bgr, image_size
from litetrack_ros.pairs.pair_recipe import PairSampling
from litetrack_ros.pairs.sampling import TrackingPairs


def check_training_set(training_set: TrainingSet) -> None:
    """Every frame is an image of the right size, and pairs can be drawn."""
    for number in range(len(training_set)):
        for frame in (0, len(training_set.boxes(number)) - 1):
            encoded = training_set.encoded_frame(number, frame)
            assert image_size(encoded) == (96, 72)
            assert decode_bgr(encoded).shape == (72, 96, 3)
    sampling = PairSampling(train="a", validation="a")
    pair = TrackingPairs([training_set], [1], ModelConfig(), sampling, seed=0).pair(0)
    assert pair.present and pair.search.shape == (256, 256, 3)


def read_layout(name: str, folder: Path) -> list[AnnotatedSequence]:
    """A benchmark that is written and read; its sequences have their lengths, and frames."""
    make, expected = LAYOUTS[name]
    make(folder)
    sequences = read_benchmark(name, folder)
    assert {s.name: len(s) for s in sequences} == expected
    frame = next(iter(sequences[0].frames()))
    assert frame.image.shape == (72, 96, 3)
    return sequences


def pack_folder(root: Path, folder: str, archive: str, inside: str = "") -> None:
    """Replace a folder by an archive."""
    pack(root / folder, root / archive, inside)
    shutil.rmtree(root / folder)


def check_archive(name: str, root: Path, make_archive: Callable[[], None], archive: str) -> None:
    """A benchmark's first sequence is the same from a folder and from an archive."""
    LAYOUTS[name][0](root)
    unpacked = read_benchmark(name, root)
    frames = [frame.image for frame in unpacked[0].frames()]
    make_archive()
    packed = read_benchmark(name, root)
    assert [s.name for s in packed] == [s.name for s in unpacked]
    sequence = pickle.loads(pickle.dumps(packed[0]))  # as worker processes get it
    assert sequence.place.archive == archive and sequence.frame_size() == (96, 72)
    np.testing.assert_array_equal(sequence.boxes_xywh, unpacked[0].boxes_xywh)
    if unpacked[0].visible is not None:
        np.testing.assert_array_equal(sequence.visible, unpacked[0].visible)
    for frame, wanted in zip(sequence.frames(), frames, strict=True):
        np.testing.assert_array_equal(frame.image, wanted)
