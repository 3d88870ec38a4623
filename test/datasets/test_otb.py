"""OTB-100, from folders and archives."""

from pathlib import Path

from reading_sets import check_archive, pack_folder, read_layout


def test_the_benchmark(tmp_path: Path) -> None:
    sequences = read_layout("otb100", tmp_path)
    assert sequences[0].frame_names[0] == "David/img/0300.jpg"
    assert "FM" in sequences[1].attributes and "OCC" in sequences[2].attributes


def test_the_benchmark_in_archives(tmp_path: Path) -> None:
    def make() -> None:
        pack_folder(tmp_path, "David", "David.zip", "David/")

    check_archive("otb100", tmp_path, make, "David.zip")
