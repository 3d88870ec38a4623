"""Files in folders and in zip or tar archives, read one at a time without unpacking."""

import lzma
import os
import tarfile
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from litetrack_ros.errors import DatasetError

ARCHIVE_SUFFIXES = (".zip", ".tar")
MAX_OPEN_ARCHIVES = 64
# What zipfile, and the decompressors under it, raise for an entry that is not as it should be.
_DAMAGED = (
    *(OSError, EOFError, ValueError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


class Container(Protocol):
    """A set of files by their names, which are relative with forward slashes."""

    def names(self) -> list[str]:
        """Names of all files, sorted."""

    def names_in(self, folder: str) -> list[str]:
        """Names of the files right in a folder (``""``: the top), sorted, hidden ones left out.

        Raises:
            DatasetError: a folder on the disk is missing.
        """

    def read(self, name: str) -> bytes:
        """A file's content.

        Raises:
            DatasetError: there is no such file, or it is damaged.
        """


class FolderContainer:
    """The files below a folder, hidden ones left out."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """See :class:`Container`."""
        found = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            base = Path(folder).relative_to(self.root)
            found += [(base / f).as_posix() for f in files if not f.startswith(".")]
        return sorted(found)

    def names_in(self, folder: str) -> list[str]:
        """See :class:`Container`."""
        prefix = f"{folder}/" if folder else ""
        try:
            with os.scandir(self.root / folder) as entries:
                return _direct([f"{prefix}{e.name}" for e in entries if not e.is_dir()], folder)
        except OSError as error:
            raise DatasetError(f"cannot read {self.root / folder}: {error.strerror}") from error

    def read(self, name: str) -> bytes:
        """See :class:`Container`."""
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise DatasetError(f"cannot read {self.root / name}: {error.strerror}") from error


class ZipContainer:
    """The members of a zip archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except _DAMAGED as error:
            raise DatasetError(f"cannot open the archive {path}: {error}; get it again") from error

    def names(self) -> list[str]:
        """See :class:`Container`."""
        return sorted(n for n in self._archive.namelist() if not n.endswith("/"))

    def names_in(self, folder: str) -> list[str]:
        """See :class:`Container`."""
        return _direct(self._archive.namelist(), folder)

    def read(self, name: str) -> bytes:
        """See :class:`Container`."""
        try:
            return self._archive.read(name)
        except KeyError:
            raise DatasetError(f"the archive {self.path} has no file {name}") from None
        except _DAMAGED as error:
            raise DatasetError(f"cannot read {name} in {self.path}: {error}") from error


class TarContainer:
    """The members of a tar archive; a compressed one cannot be read in any order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = tarfile.open(path, "r:")  # noqa: SIM115 - stays open for reading
            self._members = {m.name.removeprefix("./"): m for m in self._archive if m.isfile()}
        except (*_DAMAGED, tarfile.TarError) as error:
            raise DatasetError(
                f"cannot open the archive {path}: {error}; it must be an uncompressed tar file"
            ) from error

    def names(self) -> list[str]:
        """See :class:`Container`."""
        return sorted(self._members)

    def names_in(self, folder: str) -> list[str]:
        """See :class:`Container`."""
        return _direct(self._members, folder)

    def read(self, name: str) -> bytes:
        """See :class:`Container`."""
        if name not in self._members:
            raise DatasetError(f"the archive {self.path} has no file {name}")
        try:
            stream = self._archive.extractfile(self._members[name])
            return b"" if stream is None else stream.read()
        except (*_DAMAGED, tarfile.TarError) as error:
            raise DatasetError(f"cannot read {name} in {self.path}: {error}") from error


def _direct(names: Iterable[str], folder: str) -> list[str]:
    """Names right below a folder (``""``: the top), sorted."""
    prefix = f"{folder}/" if folder else ""
    size = len(prefix)
    inside = (n for n in names if n.startswith(prefix) and "/" not in n[size:])
    return sorted(n for n in inside if n[size:] and not n.startswith(".", size))


def open_container(path: Path) -> Container:
    """Open a folder or an archive.

    Raises:
        DatasetError: it is missing, damaged, or of another kind.
    """
    if path.is_dir():
        return FolderContainer(path)
    if path.suffix == ".zip":
        return ZipContainer(path)
    if path.suffix == ".tar":
        return TarContainer(path)
    raise DatasetError(f"{path} is neither a folder nor a .zip or .tar archive")


class Containers:
    """The folder of a data set and the archives in it, opened when they are needed.

    Each process opens its own, as an open archive shared after a fork is read by both at once.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: OrderedDict[str, Container] = OrderedDict()
        self._process = os.getpid()

    def get(self, name: str) -> Container:
        """The folder itself (``""``), or an archive by its name relative to it.

        Raises:
            DatasetError: as :func:`open_container`.
        """
        if self._process != os.getpid():
            self._open, self._process = OrderedDict(), os.getpid()
        if name not in self._open:
            while len(self._open) >= MAX_OPEN_ARCHIVES:
                self._open.popitem(last=False)
            self._open[name] = open_container(self.root / name if name else self.root)
        self._open.move_to_end(name)
        return self._open[name]

    def archives(self) -> list[str]:
        """Names of all archives below the folder, sorted."""
        found = [p for p in self.root.rglob("*") if p.suffix in ARCHIVE_SUFFIXES and p.is_file()]
        return sorted(PurePosixPath(p.relative_to(self.root)).as_posix() for p in found)

    def __getstate__(self) -> dict[str, object]:
        return {"root": self.root, "_open": OrderedDict(), "_process": os.getpid()}
