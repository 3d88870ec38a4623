"""A point becomes a box where the tracker can make one, and is refused in words where not."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from litetrack_ros.errors import BoxError
from litetrack_ros.node.conversion import ConvertedImage
from litetrack_ros.node.pointing import point_picker

IMAGE = ConvertedImage(np.zeros((120, 160, 3), np.uint8), "rgb")
NAME = "litetrack_ros.tracker.points"


def test_without_the_module_a_point_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NAME, None)
    with pytest.raises(BoxError, match="by a point is not supported yet"):
        point_picker()(IMAGE, (10.0, 20.0))


def test_the_module_s_candidate_is_the_box(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Taps:
        def candidate(self, image: Any, point_xy: Any, color_order: str) -> Any:
            asked.append((image.shape, point_xy, color_order))
            return SimpleNamespace(box_xywh=np.array([1, 2, 3, 4]), confidence=0.5)

    module = ModuleType(NAME)
    vars(module)["Taps"] = Taps
    monkeypatch.setitem(sys.modules, NAME, module)
    assert point_picker()(IMAGE, (10.0, 20.0)) == (1.0, 2.0, 3.0, 4.0)
    assert asked == [((120, 160, 3), (10.0, 20.0), "rgb")]
