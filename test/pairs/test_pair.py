"""The contact sheet shows every pair with its boxes."""

import numpy as np
import pytest

from litetrack_ros.pairs.pair import Pair, contact_sheet

YELLOW, RED = (0, 230, 255), (70, 70, 255)


def _pair(present: bool) -> Pair:
    box = np.array([0.5, 0.5, 0.5, 0.25], np.float32)
    return Pair(
        np.zeros((128, 128, 3), np.uint8),
        box,
        np.zeros((256, 256, 3), np.uint8),
        box if present else np.zeros(4, np.float32),
        present,
    )


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (4, 1, 4), (9, 3, 4)])
def test_size(count: int, rows: int, columns: int) -> None:
    sheet = contact_sheet([_pair(True)] * count)
    assert sheet.shape == (rows * 260 - 4, columns * 388 - 4, 3)


def test_boxes_are_drawn_and_absence_is_marked() -> None:
    sheet = contact_sheet([_pair(True), _pair(False)], columns=2)
    template, search = sheet[:128, :128], sheet[:256, 128:384]
    ys, xs = np.nonzero((template == YELLOW).all(axis=2))
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (32, 96, 48, 80)
    ys, xs = np.nonzero((search == YELLOW).all(axis=2))
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (64, 192, 96, 160)
    absent = sheet[:256, 388 + 128 : 388 + 384]
    assert (absent[0] == RED).all() and not (absent == YELLOW).all(axis=2).any()
