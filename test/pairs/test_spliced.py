"""Spliced absences: boxes lie on what they name, partners keep to the table, all is repeatable."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from litetrack_ros.datasets.sequences import AnnotatedSequence, find_sequences, format_boxes
from litetrack_ros.errors import ConfigError
from litetrack_ros.pairs.spliced import Scene, draw_splices, read_scenes, write_splices
from litetrack_ros.resources import config_path
from litetrack_ros.tools.main import main

# Name -> what it shows, the grey of its picture, and the colour of its target.
SHOWN = {
    "walker": (Scene("person"), 40, (0, 0, 255)),
    "runner": (Scene("person"), 90, (0, 255, 0)),
    "car": (Scene("vehicle"), 140, (255, 0, 0)),
    "crossing": (Scene("vehicle", others="bicycle person"), 190, (255, 255, 0)),
}
SCENES = {name: scene for name, (scene, _, _) in SHOWN.items()}
FRAMES = 60


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> list[AnnotatedSequence]:
    """Plain pictures of 96x64 with one coloured target each; the car is covered for a while."""
    root = tmp_path_factory.mktemp("real")
    for number, (name, (_, grey, color)) in enumerate(SHOWN.items()):
        (root / name / "frames").mkdir(parents=True)
        boxes = np.array([[10.0 + k, 8.0 + 4 * number, 12, 10] for k in range(FRAMES)])
        if name == "car":
            boxes[5:12] = np.nan
        for k, box in enumerate(boxes):
            image = np.full((64, 96, 3), grey, np.uint8)
            if np.isfinite(box).all():
                x, y, w, h = box.astype(int)
                image[y : y + h, x : x + w] = color
            assert cv2.imwrite(str(root / name / "frames" / f"{k:03d}.png"), image)
        (root / name / "groundtruth.txt").write_text(format_boxes(boxes))
    (root / "car" / "SOURCE.txt").write_text("Licence: ours\n")
    return find_sequences([root])


@pytest.mark.parametrize("index", range(12))
def test_boxes_lie_on_the_target(sequences: list[AnnotatedSequence], index: int) -> None:
    splice = draw_splices(sequences, SCENES, 3, 12)[index]
    boxes, frames = splice.boxes_xywh, list(splice.frames())
    assert len(frames) == len(boxes) == FRAMES + len(splice.shown)
    color = np.array(SHOWN[splice.first.name][2])
    inside = np.zeros(len(frames), bool)
    inside[splice.cut : splice.cut + len(splice.shown)] = True
    for frame, box, is_other in zip(frames, boxes, inside, strict=True):
        assert (frame.shape[1], frame.shape[0]) == splice.canvas_px
        of_target = (frame == color).all(axis=2)
        if is_other:
            assert np.isnan(box).all() and not of_target.any()
        elif np.isfinite(box).all():
            x, y, w, h = box.astype(int)
            assert of_target[y : y + h, x : x + w].all() and of_target.sum() == w * h
        else:
            assert splice.first.name == "car" and not of_target.any()
    assert 30 <= len(splice.shown) <= 60  # the other sequence has no more
    assert np.isfinite(boxes[0]).all() and np.isfinite(boxes[splice.cut - 1]).all()


def test_partners_keep_to_the_table(sequences: list[AnnotatedSequence]) -> None:
    splices = draw_splices(sequences, SCENES, 0, 40)
    assert len({splice.name for splice in splices}) == 40
    for index, splice in enumerate(splices):
        first, other = SCENES[splice.first.name], SCENES[splice.other.name]
        assert splice.first is not splice.other
        assert (first.target == other.target) == (index % 2 == 0)
        assert index % 2 == 0 or first.target not in other.others.split()
        assert splice.mirrored == (index // 2 % 2 == 1)
        before, after = np.array(splice.corners_xy)
        assert (before == after).all() == splice.mirrored
    assert {splice.first.name for splice in splices[::2]} == set(SHOWN)


def test_sequences_of_one_place_are_not_spliced(sequences: list[AnnotatedSequence]) -> None:
    scenes = SCENES | {name: Scene("person", place="park") for name in ("walker", "runner")}
    assert not any(
        {splice.first.name, splice.other.name} == {"walker", "runner"}
        for splice in draw_splices(sequences, scenes, 0, 40)
    )


def test_same_seed_repeats(sequences: list[AnnotatedSequence]) -> None:
    first, again, other = (draw_splices(sequences, SCENES, seed, 6) for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.boxes_xywh, b.boxes_xywh)
        assert a.source == b.source
    assert [s.source for s in first] != [s.source for s in other]


def test_written_folders_are_read_back(sequences: list[AnnotatedSequence], tmp_path: Path) -> None:
    splices = draw_splices(sequences, SCENES, 0, 4)
    write_splices(splices, tmp_path / "out")
    for splice, read in zip(splices, find_sequences([tmp_path / "out"]), strict=True):
        assert read.name == splice.name
        np.testing.assert_array_equal(read.boxes_xywh, splice.boxes_xywh)
        for written, frame in zip(read.frames(), splice.frames(), strict=True):
            assert np.abs(written.image.astype(int) - frame).mean() < 6  # as near as JPEG is
        source = (tmp_path / "out" / read.name / "SOURCE.txt").read_text()
        assert splice.first.name in source and splice.other.name in source
        assert ("  Licence: ours" in source) == ("car" in (splice.first.name, splice.other.name))


@pytest.mark.parametrize(
    ("scenes", "message"),
    [
        ({k: v for k, v in SCENES.items() if k != "car"}, "does not tell what car shows"),
        ({name: Scene(name) for name in SHOWN}, "targets of one class"),
        ({name: Scene("person") for name in SHOWN}, "targets of two classes"),
    ],
)
def test_a_table_that_does_not_fit(
    sequences: list[AnnotatedSequence], scenes: dict[str, Scene], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        draw_splices(sequences, scenes, 0, 2)


def test_the_shipped_table(tmp_path: Path) -> None:
    scenes = read_scenes(config_path("datasets/scenes"))
    assert scenes["uav_group2_1"].place == scenes["uav_group2_3"].place != ""
    path = tmp_path / "scenes.yaml"
    path.write_text("walker: {others: bicycle}")
    with pytest.raises(ConfigError, match="walker must hold the class of its target"):
        read_scenes(path)


def test_the_command(
    sequences: list[AnnotatedSequence], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "scenes.yaml"
    table.write_text("".join(f"{k}: {{target: {v.target}}}\n" for k, v in SCENES.items()))
    folder = str(sequences[0].folder.parent)
    splice = ["data", "dev-set", "--splice", folder, "--scenes", str(table), "--spliced", "2"]
    assert main([*splice, "-o", str(tmp_path / "out")]) == 0
    assert "2 sequences in" in capsys.readouterr().out
    assert len(find_sequences([tmp_path / "out"])) == 2
    assert main(["data", "dev-set", "-o", str(tmp_path / "none")]) == 2
    assert "give --data to make sequences, --splice" in capsys.readouterr().err
