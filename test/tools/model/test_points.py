"""`litetrack model points`: what it clicks on and reports."""

import json
from pathlib import Path

import cv2
import pytest

from litetrack_ros.datasets.photos import Photo
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.tools.main import main


@pytest.mark.parametrize("tuning", [False, True])
def test_photos_are_clicked_on(
    tuning: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, annotations = [], []
    for k in range(40):
        name = f"coco_{k:04d}.png"
        images.append({"id": k, "file_name": name})
        scene = DrawnScene(width=160, height=120, frames=1, seed=k % 3)
        cv2.imwrite(str(tmp_path / name), scene.frame(0))
        box = scene.box_xywh(0).tolist()
        annotations.append({"image_id": k, "bbox": box, "iscrowd": 0, "segmentation": []})
    content = {"images": images, "annotations": annotations}
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    assert main(["model", "points", str(tmp_path), *(["--tuning"] if tuning else [])]) == 0
    printed = capsys.readouterr().out
    held_out = sum(Photo(Path(image["file_name"]), ()).is_held_out for image in images)
    assert "centre: one of three" in printed and "refused on plain ground" in printed
    assert tuning or f"{held_out} clicks in {held_out} pictures" in printed


def test_first_frames_are_clicked_on_and_timed(
    square_sequence: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "points", "--sequences", str(square_sequence)]) == 0
    printed = capsys.readouterr().out
    assert "1 clicks in 1 pictures" in printed
    assert "a click at 1280x720" in printed and "load average" in printed


def test_without_anything_to_click_on_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "points"]) == 2
    assert "PHOTOS" in capsys.readouterr().err
