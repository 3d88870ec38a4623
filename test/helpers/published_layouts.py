"""Small folders in the layouts that the data sets are published in."""

from __future__ import annotations

import functools
import json
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
from tracking_sets import made_boxes, made_frame

WIDTH, HEIGHT = 96, 72


def jpeg(path: Path, seed: int) -> None:
    """A small JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_encoded(seed % 5))


@functools.cache
def _encoded(seed: int) -> bytes:
    return bytes(cv2.imencode(".jpg", made_frame(WIDTH, HEIGHT, seed))[1].tobytes())


def lines(boxes: np.ndarray, separator: str = ",", end: str = "\n") -> str:
    """Boxes as text."""
    return "".join(separator.join(f"{v:.4f}" for v in box) + end for box in boxes)


def boxes(count: int, seed: int = 0) -> np.ndarray:
    """Boxes inside the frames."""
    made = made_boxes(count, WIDTH, HEIGHT, seed)
    made[:, 2:] = 12 + made[:, 2:] % 20
    made[:, :2] = np.clip(made[:, :2], 1, [WIDTH - 33, HEIGHT - 33])
    return made.round(2)


def write_got10k(root: Path, numbers: list[int], count: int = 24, prefix: str = "Train") -> None:
    """``GOT-10k_Train_000001`` and so on, frames 3 absent and 5 covered."""
    for number in numbers:
        folder = root / f"GOT-10k_{prefix}_{number:06d}"
        for k in range(count):
            jpeg(folder / f"{k + 1:08d}.jpg", k)
        (folder / "groundtruth.txt").write_text(lines(boxes(count, number)))
        flags = ["0"] * count
        flags[3] = "1"
        (folder / "absence.label").write_text("\n".join(flags) + "\n")
        cover = ["8"] * count
        cover[5] = "0"
        (folder / "cover.label").write_text("\n".join(cover) + "\n")


def write_lasot(root: Path, names: list[str], count: int = 24) -> None:
    """``airplane/airplane-1`` and so on, frames 2 occluded and 4 out of view."""
    for name in names:
        folder = root / name.rpartition("-")[0] / name
        for k in range(count):
            jpeg(folder / "img" / f"{k + 1:08d}.jpg", k)
        (folder / "groundtruth.txt").write_text(lines(boxes(count)))
        for file, hidden in (("full_occlusion.txt", 2), ("out_of_view.txt", 4)):
            flags = ["0"] * count
            flags[hidden] = "1"
            (folder / file).write_text(",".join(flags))


def write_trackingnet(root: Path, names: list[str], zipped: bool, count: int = 24) -> None:
    """``TRAIN_0`` with frames in folders or in zips."""
    part = root / "TRAIN_0"
    (part / "anno").mkdir(parents=True, exist_ok=True)
    for name in names:
        (part / "anno" / f"{name}.txt").write_text(lines(boxes(count)))
        for k in range(count):
            jpeg(part / "frames" / name / f"{k}.jpg", k)
        if zipped:
            (part / "zips").mkdir(exist_ok=True)
            with zipfile.ZipFile(part / "zips" / f"{name}.zip", "w") as archive:
                for path in sorted((part / "frames" / name).iterdir()):
                    archive.write(path, path.name)
                    path.unlink()
            (part / "frames" / name).rmdir()


def write_coco(root: Path, part: str = "train2017") -> None:
    """Two pictures with three objects, of which one is a crowd."""
    for k in (1, 2):
        jpeg(root / part / f"{k:012d}.jpg", k)
    content = {
        "images": [{"id": k, "file_name": f"{k:012d}.jpg"} for k in (1, 2)],
        "annotations": [
            {"id": 7, "image_id": 1, "iscrowd": 0, "bbox": [10.5, 8, 30, 22]},
            {"id": 8, "image_id": 2, "iscrowd": 0, "bbox": [20, 18, 25, 31.5]},
            {"id": 9, "image_id": 2, "iscrowd": 1, "bbox": [0, 0, 90, 60]},
        ],
    }
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / "annotations" / f"instances_{part}.json").write_text(json.dumps(content))


def pack(root: Path, archive: Path, inside: str = "") -> None:
    """Move everything below a folder into a zip or tar archive beside it."""
    files = [p for p in sorted(root.rglob("*")) if p.is_file()]
    names = [f"{inside}{p.relative_to(root).as_posix()}" for p in files]
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path, name in zip(files, names, strict=True):
                packed.write(path, name)
    else:
        with tarfile.open(archive, "w") as packed_tar:
            for path, name in zip(files, names, strict=True):
                packed_tar.add(path, f"./{name}")
    for path in files:
        path.unlink()
