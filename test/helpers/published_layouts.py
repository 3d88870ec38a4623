"""Small folders in the layouts that the data sets are published in."""

from __future__ import annotations

import functools
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from tracking_sets import made_boxes, made_frame

WIDTH, HEIGHT = 96, 72
COUNT = 12  # frames of a sequence to test on


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


def write_avist(root: Path) -> None:
    """``air_show`` with blanks between numbers, frames 2 occluded and 4 out of view."""
    write_frames(root / "sequences/air_show", pattern="img_{:05d}.jpg")
    (root / "anno").mkdir()
    (root / "anno/air_show.txt").write_text(lines(boxes(COUNT), " "))
    for kind, hidden in (("full_occlusion", 2), ("out_of_view", 4)):
        (root / kind).mkdir()
        flags = "".join("1\n" if k == hidden else "0\n" for k in range(COUNT))
        (root / kind / f"air_show_{kind}.txt").write_text(flags)


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


def write_frames(
    folder: Path, count: int = COUNT, first: int = 1, pattern: str = "{:04d}.jpg"
) -> None:
    """Small JPEGs, numbered."""
    for k in range(first, first + count):
        jpeg(folder / pattern.format(k), k)


def write_otb(root: Path) -> None:
    """Sequences with one target, with two, and with a part of the frames annotated."""
    for name in ("Deer", "Jogging"):
        write_frames(root / name / "img")
    (root / "Deer/groundtruth_rect.txt").write_text(lines(boxes(COUNT), "\t"))
    for k in (1, 2):
        (root / f"Jogging/groundtruth_rect.{k}.txt").write_text(lines(boxes(COUNT, k), ",", "\r\n"))
    (root / "Deer/groundtruth_rect.1.txt").write_text("")  # as Human4's, empty
    write_frames(root / "David/img", 770, pattern="{:04d}.jpg")
    (root / "David/groundtruth_rect.txt").write_text(lines(boxes(471)))


def write_uav123(root: Path) -> None:
    """``bird1_1``, a part of the frames of ``bird1``, one box absent."""
    write_frames(root / "data_seq/UAV123/bird1", 1100, pattern="{:06d}.jpg")
    made = boxes(253)
    made[4] = np.nan
    (root / "anno/UAV123").mkdir(parents=True)
    (root / "anno/UAV123/bird1_1.txt").write_text(lines(made))


def write_nfs(root: Path) -> None:
    """``bee``, annotated at 240 frames a second."""
    write_frames(root / "bee/30/bee", COUNT, pattern="{:05d}.jpg")
    made = boxes(8 * COUNT)
    corners = np.concatenate([made[:, :2], made[:, :2] + made[:, 2:]], axis=1)
    text = "".join(f'0 {a} {b} {c} {d} {k} 0 0 0 "bee"\n' for k, (a, b, c, d) in enumerate(corners))
    (root / "bee/30/bee.txt").write_text(text)


def write_trackingnet_test(root: Path) -> None:
    """``TEST`` with one sequence and its first box."""
    write_trackingnet(root, ["a_0"], zipped=False, count=COUNT)
    (root / "TRAIN_0").rename(root / "TEST")
    (root / "TEST/anno/a_0.txt").write_text(lines(boxes(1)))


def write_got10k_test(root: Path) -> None:
    """Two sequences with their first boxes."""
    write_got10k(root / "test", [1, 2], COUNT, prefix="Test")
    for k in (1, 2):
        (root / f"test/GOT-10k_Test_{k:06d}/groundtruth.txt").write_text(lines(boxes(1, k)))


def write_own(root: Path) -> None:
    """A sequence in this package's own format, one box absent."""
    made = boxes(COUNT)
    made[5] = np.nan
    write_frames(root / "clip/frames")
    (root / "clip/groundtruth.txt").write_text(lines(made))


# By the benchmarks' names: what writes one, and its sequences with their lengths.
LAYOUTS: dict[str, tuple[Callable[[Path], None], dict[str, int]]] = {
    "got10k_val": (
        lambda r: write_got10k(r / "val", [1], COUNT, "Val"),
        {"GOT-10k_Val_000001": 12},
    ),
    "got10k_test": (write_got10k_test, {"GOT-10k_Test_000001": 12, "GOT-10k_Test_000002": 12}),
    "lasot": (lambda r: write_lasot(r, ["airplane-1", "airplane-2"]), {"airplane-1": 24}),
    "lasot_ext": (
        lambda r: write_lasot(r, ["atv-10", "wingsuit-1", "airplane-1"]),
        {"atv-10": 24, "wingsuit-1": 24},
    ),
    "avist": (write_avist, {"air_show": 12}),
    "otb100": (write_otb, {"David": 471, "Deer": 12, "Jogging.1": 12, "Jogging.2": 12}),
    "uav123": (write_uav123, {"bird1_1": 253}),
    "nfs": (write_nfs, {"bee": 12}),
    "trackingnet": (write_trackingnet_test, {"a_0": 12}),
    "folder": (write_own, {"clip": 12}),
}
