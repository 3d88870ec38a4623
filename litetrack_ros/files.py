"""Files that appear whole or not at all."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from litetrack_ros.errors import MediaError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name in the same folder; rename it when the block succeeds.

    The temporary name keeps the suffix, since writers of videos go by it. An exception inside the
    block, Ctrl-C included, leaves what was at ``path`` before.

    Args:
        path: the file to make or replace.

    Yields:
        The temporary path, an empty file to be overwritten.

    Raises:
        MediaError: the folder does not exist or cannot be written to.
    """
    if path.is_dir():
        raise MediaError(f"cannot write {path}: it is a folder; give a file's name")
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        try:
            temporary.replace(path)
        except OSError as error:
            raise _cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, UTF-8.

    Raises:
        MediaError: it cannot be written.
    """
    with replacing(path) as temporary:
        try:
            temporary.write_text(text, encoding="utf-8")
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


def _cannot_write(path: Path, error: OSError) -> MediaError:
    return MediaError(f"cannot write {path}: {error.strerror or error}")
