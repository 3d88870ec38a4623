"""Made videos in which a target leaves and comes back, or does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from litetrack_ros.datasets.coco import read_objects
from litetrack_ros.datasets.containers import Containers
from litetrack_ros.errors import DatasetError
from litetrack_ros.geometry import overlap
from litetrack_ros.pairs.materials import Split
from litetrack_ros.pairs.returns import FRAME_RATE_HZ, ReturnCases, paste, turned

AWAY = 0.1


def cases(boxed: Path, split: Split = "all", seed: int = 1) -> ReturnCases:
    containers = Containers(boxed / "boxed_photos")
    return ReturnCases([(containers, read_objects(containers, ""))], seed, split, AWAY)


@pytest.mark.parametrize("index", range(4))
def test_a_target_goes_and_comes_back(boxed: Path, index: int) -> None:
    case = cases(boxed).case(index, returns=True)
    width, height = case.size_px
    seen = np.isfinite(case.boxes_xywh).all(axis=1)
    assert case.return_frame is not None and seen[: case.gone_frame].all()
    assert not seen[case.gone_frame : case.return_frame].any()
    assert seen[case.return_frame :].all()
    assert len(case) == case.return_frame + case.soon_frames
    away_s = (case.return_frame - case.gone_frame) / FRAME_RATE_HZ
    assert 2 * AWAY - 0.1 <= away_s <= 10 * AWAY + 0.1
    sides = np.sqrt(case.boxes_xywh[[0, -1], 2:].prod(axis=1)) / height
    assert (sides > 0.04).all() and (sides < 0.27).all()
    assert 1 / 1.6 < sides[1] / sides[0] < 1.6
    low, high = case.look_alike_xywh[:, :2], case.look_alike_xywh[:, :2]
    assert (low >= -1).all() and (high <= (width + 1, height + 1)).all()


def test_only_the_look_alike_stays(boxed: Path) -> None:
    case = cases(boxed).case(0, returns=False)
    assert case.return_frame is None and np.isnan(case.boxes_xywh[case.gone_frame :]).all()
    assert len(case) - case.gone_frame >= 20 * AWAY * FRAME_RATE_HZ - 30


def test_boxes_fit_what_is_drawn(boxed: Path) -> None:
    case = cases(boxed).case(2, returns=True)
    frames = list(case.frames())
    assert all(frame.shape == (*case.size_px[::-1], 3) for frame in frames)
    assert case.return_frame is not None
    before, after = (frames[case.return_frame + k].astype(int) for k in (-1, 0))
    changed = np.abs(after - before).max(axis=2) > 60
    rows, columns = np.nonzero(changed)
    x, y, w, h = case.boxes_xywh[case.return_frame]
    inside = (columns >= x - 3) & (columns < x + w + 3) & (rows >= y - 3) & (rows < y + h + 3)
    assert inside.sum() > 0.05 * w * h


def test_a_case_is_a_function_of_seed_and_number(boxed: Path) -> None:
    one, two = (cases(boxed).case(3, returns=True) for _ in range(2))
    np.testing.assert_array_equal(one.boxes_xywh, two.boxes_xywh)
    np.testing.assert_array_equal(next(one.frames()), next(two.frames()))
    other = cases(boxed, seed=2).case(3, returns=True)
    assert other.boxes_xywh[0].tolist() != one.boxes_xywh[0].tolist()


def test_target_and_look_alike_begin_apart(boxed: Path) -> None:
    for index in range(6):
        case = cases(boxed).case(index, returns=False)
        assert overlap(case.boxes_xywh[0], case.look_alike_xywh[0]) < 0.3


def test_without_two_objects_of_a_class_there_is_no_case(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="two outlined objects"):
        ReturnCases([(Containers(tmp_path), [])], 0)


def test_objects_are_turned_and_pasted_between_pixels() -> None:
    square = np.zeros((20, 20, 4), dtype=np.uint8)
    square[4:16, 4:16] = (10, 200, 30, 255)
    rgba = turned(square, 24.0, 0.0)
    assert rgba.shape == (26, 26, 4)
    picture = np.zeros((60, 80, 3), dtype=np.uint8)
    paste(picture, rgba, np.array([40.5, 30.0]))
    rows, columns = np.nonzero(picture[..., 1])
    assert columns.mean() + 0.5 == pytest.approx(40.5, abs=0.3)
    assert rows.mean() + 0.5 == pytest.approx(30.0, abs=0.3)
    paste(picture, rgba, np.array([-200.0, 30.0]))  # nothing of it is in the picture
