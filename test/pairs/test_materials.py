"""Pictures are sorted by what they are, and parted so that no one is in both halves."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from training_pictures import CLIPS, CUTOUTS, MASKS, PHOTOS, ellipse_mask, textured

from litetrack_ros.errors import DatasetError
from litetrack_ros.pairs.materials import (
    Materials,
    bleed_colours,
    make_sprite,
    outline_of,
    read_materials,
)


def test_every_kind_is_found(materials: Materials) -> None:
    assert len(materials.photos) == PHOTOS
    assert len(materials.cutouts) == CUTOUTS + MASKS
    assert len(materials.outlined_photos) == MASKS
    assert {clip.name: len(clip.frames) for clip in materials.clips} == CLIPS


def test_sequences_with_boxes_are_passed_over(pictures: Path, boxed: Path) -> None:
    alone, both = read_materials([pictures]), read_materials([pictures, boxed])
    assert len(both.photos) == len(alone.photos) + 40  # of boxed_photos
    assert len(both.clips) == len(alone.clips)


def test_colours_are_rgb(materials: Materials, pictures: Path) -> None:
    bgr = cv2.imread(str(pictures / "photos" / "photo_7_x.png"))
    [photo] = [photo for photo in materials.photos if photo.name == "photo_7_x"]
    np.testing.assert_array_equal(photo.rgb, bgr[..., ::-1])


def test_clip_boxes_are_the_masks_bounds(materials: Materials) -> None:
    [clip] = [clip for clip in materials.clips if clip.name == "walk"]
    np.testing.assert_array_equal(clip.boxes_xywh[:2], [[36, 28, 29, 41], [42, 28, 29, 41]])
    assert clip.shown.tolist() == [0, 1, 2, 3, 4]


def test_same_folders_are_read_once(materials: Materials, pictures: Path) -> None:
    assert read_materials([pictures]) is materials


def test_splits_share_nothing_and_miss_nothing(materials: Materials) -> None:
    train, validation = materials.split("train"), materials.split("validation")
    for kind in ("photos", "cutouts", "clips"):
        names = [{item.name for item in getattr(m, kind)} for m in (train, validation, materials)]
        assert names[0] | names[1] == names[2]
        assert not names[0] & names[1]
        assert names[1], kind
    assert materials.split("all") is materials
    assert [clip.name for clip in validation.clips] == ["davis_goat"]


def test_pieces_of_one_picture_stay_together(materials: Materials) -> None:
    """A photo and the cut-out made of it by its mask are on the same side."""
    train = materials.split("train")
    photos = {photo.name for photo in materials.photos}
    kept = {photo.name for photo in train.photos}
    for cutout in materials.cutouts:
        if cutout.name in photos:
            assert (cutout.name in kept) == (cutout in train.cutouts)


def test_other_clips_can_be_held_out(materials: Materials) -> None:
    validation = materials.split("validation", held_out_clips=["walk", "run"])
    assert sorted(clip.name for clip in validation.clips) == ["run", "walk"]


def _no_folder(folder: Path) -> None:
    folder.rmdir()


def _no_photo(folder: Path) -> None:
    cv2.imwrite(str(folder / "a.png"), np.full((9, 9, 4), 255, np.uint8))


def _damaged(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"not a picture")


def _mask_missing(folder: Path) -> None:
    for name in ("frames/0.png", "frames/1.png", "masks/0.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name), np.zeros((9, 9), np.uint8))


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (_no_folder, "no folder .*box"),
        (_no_photo, "no photo lies below .*box"),
        (_damaged, "a.png cannot be decoded"),
        (_mask_missing, "needs one mask of the same name for every frame"),
    ],
)
def test_unusable_folders_are_named(tmp_path: Path, prepare, message: str) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    prepare(folder)
    with pytest.raises(DatasetError, match=message):
        read_materials([folder])


def test_outline_bounds_the_mask() -> None:
    mask = ellipse_mask(64, 48, (30, 20), (17, 9))
    outline = outline_of(mask)
    np.testing.assert_array_equal(outline.min(axis=0), [13, 11])
    np.testing.assert_array_equal(outline.max(axis=0), [48, 30])


def test_sprites_are_transparent_along_their_border() -> None:
    sprite = make_sprite(np.full((10, 12, 4), 255, np.uint8))
    alpha = sprite.rgba[..., 3]
    assert not alpha[[0, -1]].any() and not alpha[:, [0, -1]].any()
    assert np.ptp(sprite.outline_xy, axis=0).tolist() == [12, 10]


def test_colours_go_on_where_nothing_shows() -> None:
    """A red object on transparent green leaves no green for the interpolation to find."""
    rgba = np.zeros((40, 50, 4), np.uint8)
    rgba[...] = (0, 255, 0, 0)
    rgba[10:30, 15:35] = (255, 0, 0, 255)
    bled = bleed_colours(rgba)
    assert bled[..., 0].min() > 250 and bled[..., 1].max() < 5
    np.testing.assert_array_equal(bled[..., 3], rgba[..., 3])


def test_sixteen_bit_and_grey_photos(tmp_path: Path) -> None:
    picture = textured(np.random.default_rng(1), 40, 30)
    cv2.imwrite(str(tmp_path / "deep.png"), picture.astype(np.uint16) * 256)
    cv2.imwrite(str(tmp_path / "grey.png"), picture[..., 0])
    deep, grey = read_materials([tmp_path]).photos
    np.testing.assert_array_equal(deep.rgb, picture[..., ::-1])
    np.testing.assert_array_equal(grey.rgb, np.dstack([picture[..., 0]] * 3))
