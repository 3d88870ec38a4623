"""Files appear whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from litetrack_ros.errors import MediaError
from litetrack_ros.files import make_folder, replacing, write_text


def test_the_file_appears_at_the_end(tmp_path: Path):
    path = tmp_path / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path and temporary.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file(tmp_path: Path, error: type[BaseException]):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_impossible_places_are_named(tmp_path: Path):
    with pytest.raises(MediaError, match=r"none/a\.txt: No such file"):
        write_text(tmp_path / "none" / "a.txt", "text")
    with pytest.raises(MediaError, match="is a folder"):
        write_text(tmp_path, "text")
    (tmp_path / "file").touch()
    with pytest.raises(MediaError, match="cannot make the folder"):
        make_folder(tmp_path / "file" / "sub")
