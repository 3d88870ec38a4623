"""Files that appear whole or not at all, and temporary ones that do not outlast their process."""

import contextlib
import os
import re
import secrets
import shutil
import socket
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from litetrack_ros.child_processes import is_alive, start_ticks
from litetrack_ros.errors import MediaError

_next_look_s: dict[Path, float] = {}  # at what a killed process left in a folder


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name in the same folder; rename it when the block succeeds.

    The temporary name keeps the suffix, since writers of videos go by it. An exception inside the
    block, Ctrl-C included, leaves what was at ``path`` before. What a killed process left in the
    folder is removed.

    Args:
        path: the file to make or replace.

    Yields:
        The temporary path, an empty file to be overwritten.

    Raises:
        MediaError: the folder does not exist or cannot be written to.
    """
    if path.is_dir():
        raise MediaError(f"cannot write {path}: it is a folder; give a file's name")
    temporary = hidden_beside(path)
    try:
        try:
            temporary.touch(exist_ok=False)
        except OSError as error:
            raise _cannot_write(path, error) from error
        yield temporary
        try:
            temporary.replace(path)
        except OSError as error:
            raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def hidden_beside(path: Path) -> Path:
    """A hidden name in a target's folder, for what is in the making; it tells whose it is.

    What dead processes left under such names in that folder is removed.
    """
    _remove_left(path.parent, ".")
    return path.with_name(f".{path.stem}.{_owner()}{path.suffix}")


@contextlib.contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """A folder for the time of a block, in the system's folder for temporary files.

    What dead processes left of the same purpose is removed.

    Args:
        purpose: a word, part of its name.
    """
    parent = Path(tempfile.gettempdir())
    start = f"litetrack_{purpose}."
    _remove_left(parent, start)
    folder = parent / f"{start}{_owner()}"
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, UTF-8.

    Raises:
        MediaError: it cannot be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file.

    Raises:
        MediaError: it cannot be written.
    """
    with replacing(path) as temporary:
        try:
            temporary.write_bytes(content)
        except OSError as error:
            raise _cannot_write(path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless it is there.

    Raises:
        MediaError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"cannot make the folder {path}: {error.strerror or error}") from error


def _owner() -> str:
    """Names this process on this machine, and one of its temporary names."""
    return f"{os.getpid()}-{start_ticks(os.getpid())}-{_host()}-{secrets.token_hex(4)}"


def _host() -> str:
    # Folders may be shared, with other machines and with containers of other host names: whether a
    # process of theirs lives can't be seen from here.
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _remove_left(folder: Path, start: str) -> None:
    """Remove what dead processes left in a folder under temporary names that start so."""
    began_s = time.monotonic()
    if began_s < _next_look_s.get(folder, 0.0):
        return
    owner = rf"(\d+)-(\d+)-{_host()}-[0-9a-f]{{8}}"
    # A name may hold two owners: a temporary file is itself written under a temporary name.
    pattern = re.compile(re.escape(start) + r"(?:.+\.)?" + owner + r"(?:\.[^.]*)?")
    try:
        names = os.listdir(folder)  # noqa: PTH208  # paths of a full folder take ten times as long
    except OSError:
        return
    for name in names:
        found = pattern.fullmatch(name) if name.startswith(start) else None
        if found is None or is_alive(int(found[1]), int(found[2])):
            continue
        left = folder / name
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                left.unlink()
    # Somebody may write ten thousand files into one folder, and each look takes longer than the one
    # before: looking takes a twentieth of the time at most.
    now_s = time.monotonic()
    _next_look_s[folder] = now_s + 20.0 * (now_s - began_s)


def _cannot_write(path: Path, error: OSError) -> MediaError:
    return MediaError(f"cannot write {path}: {error.strerror or error}")
