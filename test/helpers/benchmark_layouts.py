"""Every benchmark of ``litetrack_ros.datasets.benchmarks``, small, in its published layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import published_layouts
from published_layouts import boxes, jpeg, lines, write_got10k, write_lasot

COUNT = 12


def _frames(folder: Path, count: int = COUNT, first: int = 1, pattern: str = "{:04d}.jpg") -> None:
    for k in range(first, first + count):
        jpeg(folder / pattern.format(k), k)


def write_otb(root: Path) -> None:
    for name in ("Deer", "Jogging"):
        _frames(root / name / "img")
    (root / "Deer/groundtruth_rect.txt").write_text(lines(boxes(COUNT), "\t"))
    for k in (1, 2):
        (root / f"Jogging/groundtruth_rect.{k}.txt").write_text(lines(boxes(COUNT, k), ",", "\r\n"))
    (root / "Deer/groundtruth_rect.1.txt").write_text("")  # as Human4's, empty
    _frames(root / "David/img", 770, pattern="{:04d}.jpg")
    (root / "David/groundtruth_rect.txt").write_text(lines(boxes(471)))


def write_uav123(root: Path) -> None:
    _frames(root / "data_seq/UAV123/bird1", 1100, pattern="{:06d}.jpg")
    made = boxes(253)
    made[4] = np.nan
    (root / "anno/UAV123").mkdir(parents=True)
    (root / "anno/UAV123/bird1_1.txt").write_text(lines(made))


def write_nfs(root: Path) -> None:
    _frames(root / "bee/30/bee", COUNT, pattern="{:05d}.jpg")
    made = boxes(8 * COUNT)
    corners = np.concatenate([made[:, :2], made[:, :2] + made[:, 2:]], axis=1)
    text = "".join(f'0 {a} {b} {c} {d} {k} 0 0 0 "bee"\n' for k, (a, b, c, d) in enumerate(corners))
    (root / "bee/30/bee.txt").write_text(text)


def write_trackingnet(root: Path) -> None:
    published_layouts.write_trackingnet(root, ["a_0"], zipped=False, count=COUNT)
    (root / "TRAIN_0").rename(root / "TEST")
    (root / "TEST/anno/a_0.txt").write_text(lines(boxes(1)))


def write_got10k_test(root: Path) -> None:
    write_got10k(root / "test", [1, 2], COUNT, prefix="Test")
    for k in (1, 2):
        (root / f"test/GOT-10k_Test_{k:06d}/groundtruth.txt").write_text(lines(boxes(1, k)))


def write_own(root: Path) -> None:
    made = boxes(COUNT)
    made[5] = np.nan
    _frames(root / "clip/frames")
    (root / "clip/groundtruth.txt").write_text(lines(made))


LAYOUTS: dict[str, tuple[Callable[[Path], None], dict[str, int]]] = {
    "got10k_val": (
        lambda r: write_got10k(r / "val", [1], COUNT, "Val"),
        {"GOT-10k_Val_000001": 12},
    ),
    "got10k_test": (write_got10k_test, {"GOT-10k_Test_000001": 12, "GOT-10k_Test_000002": 12}),
    "lasot": (lambda r: write_lasot(r, ["airplane-1", "airplane-2"]), {"airplane-1": 24}),
    "otb100": (write_otb, {"David": 471, "Deer": 12, "Jogging.1": 12, "Jogging.2": 12}),
    "uav123": (write_uav123, {"bird1_1": 253}),
    "nfs": (write_nfs, {"bee": 12}),
    "trackingnet": (write_trackingnet, {"a_0": 12}),
    "folder": (write_own, {"clip": 12}),
}
