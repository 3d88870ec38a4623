"""What is packed for a machine with a GPU."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from litetrack_ros.errors import LiteTrackError
from litetrack_ros.media.scene import DrawnScene
from litetrack_ros.speed import bundle


def make_sequence(folder: Path, frames: int, size_px: tuple[int, int] = (160, 120)) -> Path:
    (folder / "frames").mkdir(parents=True)
    scene = DrawnScene(*size_px, frames)
    for index, (image, _) in enumerate(scene):
        cv2.imwrite(str(folder / "frames" / f"{index:05d}.jpg"), image)
    boxes = [scene.box_xywh(index) for index in range(frames)]
    np.savetxt(folder / "groundtruth.txt", boxes, delimiter=",", fmt="%.2f")
    return folder


def test_six_short_sequences_and_all_that_runs_them(root: Path, tmp_path: Path) -> None:
    sequences = [make_sequence(tmp_path / f"s{k}", 3 + k) for k in range(7)]
    sequences.append(make_sequence(tmp_path / "long", bundle.FRAMES[0] + 5, (64, 64)))
    sizes = bundle.write_bundle(tmp_path / "b.tar.gz", root, sequences, None)
    assert sizes["total"] == (tmp_path / "b.tar.gz").stat().st_size <= bundle.MAX_BENCH_BYTES
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        archive.extractall(tmp_path / "there", filter="data")
    there = tmp_path / "there" / "litetrack"
    assert len(list((there / "sequences").iterdir())) == bundle.SEQUENCES
    code = (
        "import litetrack_ros as lt; from litetrack_ros.config import ModelChoice; "
        "choice = ModelChoice(backend='torch'); "
        "print(lt.__file__, lt.open_backend(choice).info.model_name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=there, capture_output=True, text=True, env={"PATH": ""}
    )
    assert done.stdout.startswith(str(there)) and done.stdout.endswith("nano\n"), done.stderr


def test_materials_of_every_kind_until_it_is_full(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    sequence = make_sequence(tmp_path / "s", 3)
    for kind in ("photos", "cutouts"):
        (tmp_path / "materials" / kind).mkdir(parents=True)
        for index in range(30):
            (tmp_path / "materials" / kind / f"{index:02d}.jpg").write_bytes(rng.bytes(200_000))
    sizes = bundle.write_bundle(tmp_path / "b.tar.gz", root, [sequence], None)
    most = sizes["code"] + sizes["sequences"] + 6_000_000
    monkeypatch.setattr(bundle, "MAX_TRAINING_BYTES", most)
    sizes = bundle.write_bundle(tmp_path / "t.tar.gz", root, [sequence], tmp_path / "materials")
    assert 4_000_000 < sizes["materials"] < 6_000_000
    with tarfile.open(tmp_path / "t.tar.gz") as archive:
        names = archive.getnames()
    counts = [
        sum(f"/materials/{kind}/" in name for name in names) for kind in ("photos", "cutouts")
    ]
    assert counts[0] == counts[1] > 5


def test_what_does_not_fit_is_refused(root: Path, tmp_path: Path, monkeypatch) -> None:
    sequence = make_sequence(tmp_path / "s", 3)
    monkeypatch.setattr(bundle, "MAX_BENCH_BYTES", 1000)
    with pytest.raises(LiteTrackError, match="give it smaller sequences"):
        bundle.write_bundle(tmp_path / "b.tar.gz", root, [sequence], None)
    assert not (tmp_path / "b.tar.gz").exists()
    with pytest.raises(LiteTrackError, match="no checkout"):
        bundle.write_bundle(tmp_path / "b.tar.gz", tmp_path, [sequence], None)
