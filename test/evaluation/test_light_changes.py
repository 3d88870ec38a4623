"""Clips in rising light: repeatable, scored over the frames that show the target, three ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from reference_model import reference_scene
from small_models import small_backend

from litetrack_ros.datasets.sequences import AnnotatedSequence, format_boxes, read_sequence
from litetrack_ros.evaluation.light_changes import clips, compare_templates, in_light
from litetrack_ros.media.writers import write_image

BOX = np.array([300.0, 200.0, 60.0, 48.0])


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> list[AnnotatedSequence]:
    """Two sequences of 36 frames; in frame 5 of each the target is absent."""
    found = []
    for name, shift in (("one", 0.0), ("two", -150.0)):
        folder: Path = tmp_path_factory.mktemp("light") / name
        folder.mkdir()
        boxes = np.tile(BOX + np.array([shift, 0.0, 0.0, 0.0]), (36, 1))
        boxes[5] = np.nan
        (folder / "groundtruth.txt").write_text(format_boxes(boxes))
        for k in range(36):
            write_image(folder / f"{k:03d}.png", reference_scene(k % 6))
        found.append(read_sequence(folder))
    return found


def test_the_light_rises() -> None:
    image = np.full((50, 60, 3), 200, np.uint8)
    shown = [in_light(image, step, seed=1) for step in (0, 50, 100, 400)]
    np.testing.assert_allclose([s.mean() for s in shown], [40, 120, 200, 200], atol=0.3)
    np.testing.assert_allclose([s.std() for s in shown], 4.0, atol=0.2)
    np.testing.assert_array_equal(shown[1], in_light(image, 50, seed=1))
    assert (shown[1] != in_light(image, 50, seed=2)).any()


def test_clips_are_one_of_each_first(sequences: list[AnnotatedSequence]) -> None:
    found = clips(sequences)
    assert [(clip.sequence.name, clip.start) for clip in found] == [("one", 0), ("two", 0)]
    assert len(clips(sequences, 1)) == 1
    images = list(found[0].images())
    assert len(images) == 36 and images[0].mean() < 0.3 * reference_scene(0).mean()


def test_ways_of_a_model(sequences: list[AnnotatedSequence]) -> None:
    found = clips(sequences)
    one = compare_templates(small_backend(), found)
    assert [each.name for each in one] == ["first template alone"]
    calls: list[int] = []
    two = compare_templates(small_backend(templates=2), found, lambda: calls.append(1))
    assert len(two) == 3 and len(calls) == 3 * 2 * 36
    for each in two:
        assert each.frames == 2 * 34 and each.overlaps.shape == (2,)
        assert each.interval[0] <= each.overlaps.mean() <= each.interval[1]
    assert (two[0].overlaps != two[2].overlaps).any()
