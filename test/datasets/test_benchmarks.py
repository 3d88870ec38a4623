"""Benchmarks in their published layouts, from folders and from archives."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmark_layouts import COUNT, LAYOUTS
from published_layouts import boxes, pack

from litetrack_ros.datasets.benchmarks import read_benchmark
from litetrack_ros.errors import DatasetError, MediaError


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(tmp_path: Path, name: str) -> None:
    make, expected = LAYOUTS[name]
    make(tmp_path)
    sequences = read_benchmark(name, tmp_path)
    assert {s.name: len(s) for s in sequences} == expected
    frame = next(iter(sequences[0].frames()))
    assert frame.image.shape == (72, 96, 3)
    if name == "otb100":
        assert sequences[0].frame_names[0] == "David/img/0300.jpg"
        assert "FM" in sequences[1].attributes and "OCC" in sequences[2].attributes
    elif name == "nfs":
        np.testing.assert_allclose(sequences[0].boxes_xywh[1], boxes(8 * COUNT)[8], atol=1e-4)
    elif name in ("got10k_val", "lasot"):
        assert sequences[0].visible is not None and not sequences[0].visible.all()


def _pack_trackingnet(root: Path) -> None:
    (root / "TEST/zips").mkdir()
    pack(root / "TEST/frames/a_0", root / "TEST/zips/a_0.zip")
    shutil.rmtree(root / "TEST/frames")


def _pack(folder: str, archive: str, inside: str = "") -> Callable[[Path], None]:
    def packed(root: Path) -> None:
        pack(root / folder, root / archive, inside)
        shutil.rmtree(root / folder)

    return packed


@pytest.mark.parametrize(
    ("name", "make_archive", "archive"),
    [
        ("got10k_val", _pack("val", "val.tar", "val/"), "val.tar"),
        ("got10k_test", _pack("test", "GOT-10k_Test.zip"), "GOT-10k_Test.zip"),
        ("lasot", _pack("airplane", "airplane.zip", "airplane/"), "airplane.zip"),
        ("otb100", _pack("David", "David.zip", "David/"), "David.zip"),
        ("trackingnet", _pack_trackingnet, "TEST/zips/a_0.zip"),
    ],
)
def test_archives_read_as_folders(
    tmp_path: Path, name: str, make_archive: Callable[[Path], None], archive: str
) -> None:
    LAYOUTS[name][0](tmp_path)
    unpacked = read_benchmark(name, tmp_path)
    frames = [frame.image for frame in unpacked[0].frames()]
    make_archive(tmp_path)
    packed = read_benchmark(name, tmp_path)
    assert [s.name for s in packed] == [s.name for s in unpacked]
    sequence = pickle.loads(pickle.dumps(packed[0]))  # as worker processes get it
    assert sequence.archive == archive and sequence.frame_size() == (96, 72)
    np.testing.assert_array_equal(sequence.boxes_xywh, unpacked[0].boxes_xywh)
    if unpacked[0].visible is not None:
        np.testing.assert_array_equal(sequence.visible, unpacked[0].visible)
    for frame, wanted in zip(sequence.frames(), frames, strict=True):
        np.testing.assert_array_equal(frame.image, wanted)


def test_missing_benchmarks(tmp_path: Path) -> None:
    for name in LAYOUTS:
        with pytest.raises((DatasetError, MediaError)):
            read_benchmark(name, tmp_path)
    with pytest.raises(DatasetError, match="no benchmark 'vot'"):
        read_benchmark("vot", tmp_path)
