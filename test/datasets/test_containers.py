"""Files in folders and in archives."""

import contextlib
import shutil
import zipfile
from pathlib import Path

import pytest
from published_layouts import pack, write_got10k

from litetrack_ros.datasets.catalogue import open_set
from litetrack_ros.datasets.containers import open_container
from litetrack_ros.errors import DatasetError


@pytest.mark.parametrize("packed", ["", ".zip", ".tar"])
def test_files_right_in_a_folder(tmp_path: Path, packed: str) -> None:
    root = tmp_path / "data"
    for name in ("b/2.txt", "b/1.txt", "b/.hidden", "b/c/3.txt", "bc/4.txt", "5.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    if packed:
        pack(root, root.with_suffix(packed))
    container = open_container(root.with_suffix(packed) if packed else root)
    assert container.names_in("b") == ["b/1.txt", "b/2.txt"]
    assert container.names_in("") == ["5.txt"]
    assert container.read("b/c/3.txt") == b"b/c/3.txt"


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_got10k(root / "train", [1])
    pack(root / "train", root / "part.zip")
    shutil.copy(root / "part.zip", tmp_path / "whole.zip")
    (root / "part.zip").write_bytes((tmp_path / "whole.zip").read_bytes()[:5000])
    with pytest.raises(DatasetError, match=r"part\.zip"):
        open_set("got10k_train", root)


def test_an_entry_that_is_damaged_in_any_way_is_named(tmp_path: Path) -> None:
    """A damaged deflate stream, an end that comes too soon: not all of it is BadZipFile."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"abc" * 100)
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x7F]) + content[at + 1 :])
        with contextlib.suppress(DatasetError):
            opened = open_container(path)
            for name in opened.names():
                opened.read(name)
