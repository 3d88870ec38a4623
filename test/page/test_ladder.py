"""One encode for each picture and size, and no more than a client's way carries."""

from __future__ import annotations

import asyncio
from typing import Any

import cv2
import numpy as np
import pytest

from litetrack_ros.page import ladder as ladder_module
from litetrack_ros.page.feed import Picture, Shown
from litetrack_ros.page.ladder import RUNGS, Ladder, Step


def test_a_picture_is_made_once_for_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    original = ladder_module.shrink

    def counted(jpeg: bytes, size_px: int, quality: int) -> bytes:
        made.append(size_px)
        return original(jpeg, size_px, quality)

    monkeypatch.setattr(ladder_module, "shrink", counted)
    content = bytes(cv2.imencode(".jpg", np.zeros((480, 640, 3), np.uint8))[1])
    shown = [Shown(n, Picture(n, content, 640, 480), ()) for n in (1, 2)]

    async def work() -> Any:
        ladder = Ladder()
        wanted = [ladder.jpeg(shown[0], rung) for rung in (0, 1, 1, 2, 1, 2)]
        first = await asyncio.gather(*wanted)
        return first, await ladder.jpeg(shown[1], 1), await ladder.jpeg(shown[0], 1)

    first, *_ = asyncio.run(work())
    assert first[0] is content
    assert sorted(made) == [240, 400, 400, 400]  # the last one is late, and made for itself
    sides = [max(cv2.imdecode(np.frombuffer(c, np.uint8), 1).shape) for c in first]
    assert sides == [640, 400, 400, 240, 400, 240]


def test_a_client_goes_down_when_pictures_take_long_and_up_when_they_do_not() -> None:
    step = Step()
    step.fit(1080.0)
    assert step.rung == 0
    step.took(0.6)
    step.took(0.6)
    step.took(0.6)
    assert step.rung == len(RUNGS) - 1
    for _ in range(39):
        step.took(0.05)
    step.took(0.2)  # neither slow nor quick: counted anew
    assert step.rung == 2
    for _ in range(80):
        step.took(0.05)
    assert step.rung == 0
    step.fit(200.0)  # a small screen needs no more
    assert step.rung == 2
    for _ in range(200):
        step.took(0.01)
    assert step.rung == 2
