"""Hashes of a model's files, written with them and checked when they are read.

The files of a model NAME have one manifest beside them, ``NAME.sha256``, in sha256sum's format, so
that ``sha256sum -c NAME.sha256`` checks it by hand. A file whose bytes are others than its line
says is damaged and refused. A file without a line is used, as *unverified*.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from litetrack_ros.errors import DamagedFileError, WeightsError
from litetrack_ros.files import write_text

SUFFIX = ".sha256"

_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^\\/\n]+)")
_MAX_BYTES = 1 << 20  # a dozen lines; more is no manifest


def file_sha256(path: Path) -> str:
    """Hash of a file's content, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def is_verified(manifest: Path, file: Path, sha256: str) -> bool:
    """Compare a file's hash with its line in the manifest.

    Args:
        manifest: beside the file; need not exist.
        file: what was read.
        sha256: of its bytes, hexadecimal.

    Returns:
        False where there is no manifest, or no line for the file.

    Raises:
        DamagedFileError: the file is damaged, or the manifest is.
        WeightsError: the manifest cannot be read.
    """
    wanted = read_manifest(manifest).get(file.name)
    if wanted is not None and wanted != sha256:
        raise DamagedFileError(
            f"{file} is damaged: its bytes are not those that {manifest.name} was written for; "
            f"get the model's files again, {manifest.name} with them"
        )
    return wanted is not None


def read_manifest(path: Path) -> dict[str, str]:
    """The hashes by file name; empty where there is no manifest.

    Raises:
        DamagedFileError: it is no list of hashes.
        WeightsError: it cannot be read.
    """
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1).decode()
    except OSError as error:
        raise WeightsError(f"cannot read the hashes in {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        text = ""
    lines = [_LINE.fullmatch(line) for line in text.splitlines()]
    found = [line for line in lines if line is not None]
    if len(text) > _MAX_BYTES or len(found) != len(lines) or not text.endswith("\n"):
        raise DamagedFileError(f"{path} is damaged: it is no list of sha256sum; get it again")
    return {line[2]: line[1] for line in found}


@contextlib.contextmanager
def recording(manifest: Path, *files: Path) -> Iterator[None]:
    """Write the hashes of files that the block writes.

    Their lines are taken away first: a process that is killed in between leaves files that are
    unverified, never sound ones that are called damaged.

    Args:
        manifest: beside the files; keeps its other lines.
        *files: what the block makes or replaces.

    Raises:
        WeightsError: the manifest cannot be written.
    """
    before = _lines_before(manifest)
    names = {file.name for file in files}
    kept = {name: sha256 for name, sha256 in before.items() if name not in names}
    if len(kept) < len(before):
        _write(manifest, kept)
    try:
        yield
    except BaseException:
        # What was there is there still, as far as it was not replaced.
        same = [f for f in files if f.is_file() and before.get(f.name) == file_sha256(f)]
        if same:
            _write(manifest, kept | {file.name: before[file.name] for file in same})
        raise
    _write(manifest, kept | {file.name: file_sha256(file) for file in files})


def _lines_before(manifest: Path) -> dict[str, str]:
    try:
        return read_manifest(manifest)
    except WeightsError:
        return {}  # damaged: the files that are not written now stay, unverified


def _write(manifest: Path, lines: dict[str, str]) -> None:
    # sha256sum has a form of its own for such names; they go without a line.
    plain = {
        name: sha256 for name, sha256 in sorted(lines.items()) if not re.search(r"[\\\n]", name)
    }
    try:
        if not plain:
            manifest.unlink(missing_ok=True)
            return
        write_text(manifest, "".join(f"{sha256}  {name}\n" for name, sha256 in plain.items()))
    except OSError as error:
        raise WeightsError(f"cannot write the hashes: {error}") from error
