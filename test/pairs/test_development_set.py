"""Made sequences are repeatable, with true boxes and the events they promise; all are written."""

from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.pairs.development_set import (
    EVENTS,
    SyntheticVideo,
    VideoJob,
    write_clips,
    write_made,
)
from litetrack_ros.pairs.materials import Materials


@pytest.mark.parametrize("index", range(len(EVENTS)))
def test_frames_and_boxes(materials: Materials, index: int) -> None:
    video = SyntheticVideo(materials, 0, index)
    frames = list(video.frames())
    assert video.name == f"made_{index:02d}_{EVENTS[index]}"
    assert len(video) == len(frames) == len(video.boxes_xywh)
    assert 60 <= len(video) <= 100
    for frame in frames:
        assert frame.shape == (video.height, video.width, 3) and frame.dtype == np.uint8
    assert np.isfinite(video.boxes_xywh[0]).all()
    seen = video.boxes_xywh[np.isfinite(video.boxes_xywh[:, 0])]
    assert (seen[:, :2] >= 0).all() and (seen[:, 2:] > 0).all()
    assert (seen[:, :2] + seen[:, 2:] <= (video.width, video.height)).all()


@pytest.mark.parametrize("index", [3, 6])
def test_same_seed_and_index_repeat(materials: Materials, index: int) -> None:
    first, again, other = (SyntheticVideo(materials, seed, index) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.boxes_xywh, again.boxes_xywh)
    for a, b in zip(first.frames(), again.frames(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(next(first.frames()), next(other.frames()))


@pytest.mark.parametrize("index", range(24))
def test_target_is_absent_only_where_it_leaves_or_is_covered(
    materials: Materials, index: int
) -> None:
    video = SyntheticVideo(materials, 0, index)
    absent = np.isnan(video.boxes_xywh).any(axis=1)
    assert np.array_equal(absent, np.isnan(video.boxes_xywh).all(axis=1))
    if EVENTS[index % len(EVENTS)] in ("leaves", "covered"):
        middle = len(video) // 2
        assert absent[middle] and not absent[0] and not absent[-1]
    else:
        assert not absent.any()


@pytest.mark.parametrize("index", [1, 9, 17])
def test_target_grows_or_shrinks(materials: Materials, index: int) -> None:
    boxes = SyntheticVideo(materials, 0, index).boxes_xywh
    areas = np.sort(boxes[:, 2] * boxes[:, 3])
    assert areas[-5] / areas[5] > 2


def test_box_holds_what_the_target_changes(materials: Materials) -> None:
    """Without the target the frame differs in the box and hardly elsewhere."""
    video = SyntheticVideo(materials, 0, 0)
    video._look = video._look._replace(jpeg_quality=0, noise=0.0, blur_sigma_px=0.0, low_res=1.0)
    frame = next(video.frames()).astype(int)
    x, y, w, h = video.boxes_xywh[0]
    video._target = video._target._replace(center_xy=video._target.center_xy + 10_000)
    changed = np.argwhere(np.abs(frame - next(video.frames())).max(axis=2) > 12)
    inside = (np.abs(changed[:, ::-1] + 0.5 - (x + w / 2, y + h / 2)) < (w / 2 + 3, h / 2 + 3)).all(
        1
    )
    assert len(changed) > 0.3 * w * h
    assert inside.all()


def test_sequences_can_be_read_back(materials: Materials, tmp_path: Path) -> None:
    validation = materials.split("validation")
    made = VideoJob(5, 0).do(validation, lambda: None)
    write_made(tmp_path / "dev", made)
    names = [made.name, *write_clips(validation, tmp_path / "dev")]
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
