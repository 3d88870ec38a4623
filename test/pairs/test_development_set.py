"""The development set is written as sequences that the evaluation reads."""

from pathlib import Path

import numpy as np

from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.pairs.development_set import write_development_set
from litetrack_ros.pairs.materials import Materials
from litetrack_ros.pairs.synthetic_video import SyntheticVideo


def test_sequences_can_be_read_back(materials: Materials, tmp_path: Path) -> None:
    validation = materials.split("validation")
    names = write_development_set(validation, 5, 1, tmp_path / "dev")
    sequences = {sequence.name: sequence for sequence in find_sequences([tmp_path / "dev"])}
    assert sorted(names) == sorted(sequences) and len(names) == 1 + len(validation.clips)
    video = SyntheticVideo(validation, 5, 0)
    sequence = sequences[video.name]
    np.testing.assert_array_equal(sequence.boxes_xywh, video.boxes_xywh)
    for written, frame in zip(sequence.frames(), video.frames(), strict=True):
        # BGR, and as near as JPEG is.
        assert np.abs(written.image[..., ::-1].astype(int) - frame).mean() < 6
    [clip] = validation.clips
    np.testing.assert_array_equal(sequences[clip.name].boxes_xywh, clip.boxes_xywh)
    assert len(list(sequences[clip.name].frames())) == len(clip.frames)
