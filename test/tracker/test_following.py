"""One loop for every run: the first image starts the track, the rest update it."""

import numpy as np
import pytest
from reference_model import reference_scene
from small_models import small_backend

from litetrack_ros.config import TrackerConfig
from litetrack_ros.errors import BoxError
from litetrack_ros.tracker.following import follow
from litetrack_ros.tracker.state import State
from litetrack_ros.tracker.tracker import Tracker

BOX = (300.0, 200.0, 60.0, 48.0)


def test_every_image_has_a_result_the_first_from_init():
    images = [reference_scene(index) for index in range(4)]
    by_hand = Tracker(small_backend())
    expected = [by_hand.init(images[0], BOX), *(by_hand.update(image) for image in images[1:])]
    found = list(follow(Tracker(small_backend()), iter(images), BOX))
    assert [step.image is image for step, image in zip(found, images, strict=True)] == [True] * 4
    for step, result in zip(found, expected, strict=True):
        assert result is not None
        np.testing.assert_array_equal(step.result.box_xywh, result.box_xywh)
        assert (step.result.score, step.result.state) == (result.score, result.state)
        assert step.call_s > 0


def test_a_target_that_was_given_up_keeps_its_last_result():
    config = TrackerConfig(lost_threshold=0.999, lost_after_frames=1, idle_after_frames=1)
    images = [reference_scene(index) for index in range(5)]
    states = [step.result.state for step in follow(Tracker(small_backend(config)), images, BOX)]
    assert states == [State.TRACKING, State.LOST, State.IDLE, State.IDLE, State.IDLE]


def test_images_are_read_one_at_a_time():
    read = []

    def images():
        for index in range(3):
            read.append(index)
            yield reference_scene(index)

    steps = follow(Tracker(small_backend()), images(), BOX)
    next(steps)
    assert read == [0]


def test_a_box_outside_the_first_image_is_refused():
    with pytest.raises(BoxError):
        next(follow(Tracker(small_backend()), [reference_scene(0)], (-500.0, 0.0, 10.0, 10.0)))
