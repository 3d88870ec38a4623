"""What an object looks like to the tracker: the same again, another, other colours."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import small_backend

from litetrack_ros.backends.registry import open_backend
from litetrack_ros.geometry import FloatArray
from litetrack_ros.images import Uint8Image
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tracker.looks import (
    Look,
    colour_shares,
    glimpse,
    likeness,
    look_at,
    shares_of,
    weighted,
)

SCENE = DrawnScene(frames=20)


def look(image: Uint8Image, box: FloatArray) -> Look:
    backend = open_backend()
    return look_at(backend, glimpse(backend, image, box, "bgr"))


def test_an_object_is_like_itself_and_less_like_others() -> None:
    first = look(SCENE.frame(0), SCENE.box_xywh(0))
    later = look(SCENE.frame(15), SCENE.box_xywh(15))
    other_scene = DrawnScene(frames=1, seed=7)
    other = look(other_scene.frame(0), other_scene.box_xywh(0))
    ground = look(SCENE.frame(0), np.array([10.0, 10.0, 60.0, 50.0]))
    assert likeness(first, first) == pytest.approx(1.0, abs=1e-3)
    assert likeness(first, later) > max(likeness(first, other), likeness(first, ground)) + 0.1


def test_the_colours_count() -> None:
    box = SCENE.box_xywh(0)
    first = look(SCENE.frame(0), box)
    swapped = look(np.ascontiguousarray(SCENE.frame(0)[..., ::-1]), box)
    assert likeness(first, swapped) < likeness(first, first) - 0.1


def test_backends_keep_a_row_for_each_token() -> None:
    backend = small_backend()
    size = backend.model_config.template_size
    crops = np.zeros((2, size, size, 3), dtype=np.uint8)
    template = backend.encode_template(crops, np.full((2, 4), 0.5, dtype=np.float32))
    keys = backend.token_keys(template)
    assert keys.shape[:2] == (2, backend.model_config.template_grid**2)
    assert keys.dtype == np.float32


def test_shares_of_colours_add_up_and_weigh_their_pixels() -> None:
    red = np.zeros((20, 30, 3), dtype=np.uint8)
    red[..., 0] = 200
    shares = colour_shares(red)
    assert shares.sum() == pytest.approx(1.0, abs=1e-4)
    picture = red.copy()
    picture[:, 15:] = (0, 200, 0)
    found = weighted(picture, shares)
    assert found[:, :15].min() > 10 * found[:, 15:].max()


def test_a_look_gives_its_shares_of_colours_back() -> None:
    seen = look(SCENE.frame(0), SCENE.box_xywh(0))
    assert shares_of(seen).shape == (4, 28, 28)
    assert shares_of(seen).sum() == pytest.approx(1.0, abs=1e-3)
