"""Files appear whole or not at all."""

import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from litetrack_ros.child_processes import is_alive, start_ticks
from litetrack_ros.errors import MediaError
from litetrack_ros.files import make_folder, replacing, scratch_folder, write_text


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


KILLED = """
import os, signal
from pathlib import Path
from litetrack_ros.files import hidden_beside, replacing, scratch_folder
hidden_beside(Path("bag")).mkdir()
with (
    replacing(Path("a.txt")) as one,
    replacing(one) as two,
    replacing(Path("b.txt")),
    scratch_folder("kill"),
):
    one.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    path = tmp_path / "a.txt"
    path.write_text("old")
    subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, check=False)
    assert len(list(tmp_path.iterdir())) == 6
    assert path.read_text() == "old"
    write_text(path, "new")  # in the same folder: all of it, but what is in the system's
    assert len(list(tmp_path.iterdir())) == 2
    time.sleep(0.2)  # a folder is not looked at without a pause
    with scratch_folder("kill"):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt"]


def test_what_a_living_process_is_writing_stays(tmp_path: Path):
    with replacing(tmp_path / "a.txt") as mine:
        write_text(tmp_path / "a.txt", "other")
        assert mine.exists()
        names = mine.name.split("-")
        # The same id at another time, or on another machine, of which nothing is known here.
        earlier = tmp_path / "-".join([names[0], "1", *names[2:]])
        elsewhere = tmp_path / "-".join([*names[:2], "00000000", names[3]])
        for path in (earlier, elsewhere):
            path.touch()
        time.sleep(0.2)
        write_text(tmp_path / "a.txt", "other")
        assert mine.exists() and elsewhere.exists() and not earlier.exists()


def test_a_process_is_known_by_its_id_and_its_start():
    ticks = start_ticks(os.getpid())
    assert is_alive(os.getpid(), ticks)
    assert not is_alive(os.getpid(), ticks + 1)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        ticks = start_ticks(process.pid)
    assert not is_alive(process.pid, ticks)


def test_many_files_in_one_folder_are_not_looked_through_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    looks = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: (looks.append(1), listdir(path))[1])
    for index in range(3000):
        (tmp_path / f"{index}.png").touch()
    for index in range(200):
        write_text(tmp_path / f"{index}.txt", "")
    assert 0 < len(looks) < 100
