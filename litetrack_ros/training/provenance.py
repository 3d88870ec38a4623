"""What made a run: recipe, command, data, weights it began with, code and machine.

A run's folder holds the whole record, :data:`RECORD_FILE`, with the changes of the working tree as
a diff. A weights file's metadata hold what another person needs to make the same file again, and
nothing of host, user or places: no path is in there.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from litetrack_ros import machine
from litetrack_ros.config import PROVENANCE_KEY, ModelConfig
from litetrack_ros.datasets.sequences import find_sequences
from litetrack_ros.errors import WeightsError
from litetrack_ros.files import write_text
from litetrack_ros.manifest import file_sha256
from litetrack_ros.settings import from_json, to_json
from litetrack_ros.training.recipe import Recipe, changed
from litetrack_ros.version import __version__

RECORD_FILE = "run.json"
CONTENTS_BELOW_BYTES = 2_000_000_000
_ANNOTATIONS = frozenset({".csv", ".json", ".mat", ".npz", ".txt", ".xml", ".yaml", ".yml"})
_PACKAGES = ("numpy", "torch", "onnxruntime", "opencv-python", "opencv-python-headless")


@dataclass(frozen=True)
class Start:
    """How a run was started.

    Attributes:
        command: the command line as it was given, with its paths.
        repeat: the same without a path, to be started with the weights in place of the recipe.
        data: what ``--data`` was given, ``DIR`` or ``NAME=DIR`` each.
        initial: the file of ``--init-from``, or None.
        extends: the finished run that this one goes on from, or None.
        whole_contents: hash every byte of the data, however many there are.
    """

    command: str
    repeat: str
    data: Sequence[str]
    initial: Path | None = None
    extends: Path | None = None
    whole_contents: bool = False


def public_record(recipe: Recipe, start: Start) -> dict[str, Any]:
    """What goes into a weights file: no host, no user, no path.

    Raises:
        WeightsError: weights that the run begins with cannot be read.
    """
    commit, changes = code_state()
    known = [name for name in _PACKAGES if _version(name)]
    return {
        "command": start.repeat,
        "seed": recipe.seed,
        "data": [data_hash(place, start.whole_contents) for place in start.data],
        "initial_sha256": _file_hash(start.initial),
        "extends_sha256": _file_hash(start.extends),
        "tracked": _tracked(recipe.tracked),
        "teacher_sha256": _file_hash(Path(recipe.teacher) if recipe.teacher else None),
        "commit": commit,
        "changes_sha256": hashlib.sha256(changes.encode()).hexdigest() if changes else None,
        "versions": {"litetrack_ros": __version__, "python": platform.python_version()}
        | {name: _version(name) for name in known},
        "machine": {
            "cpu": machine.cpu_name(),
            "gpu": machine.gpu_name() or None,
            "system": f"{platform.system()} {platform.machine()}",
        },
    }


def write_record(folder: Path, recipe: Recipe, start: Start) -> dict[str, Any]:
    """Add a start to a run's :data:`RECORD_FILE`.

    Args:
        folder: the run's.
        recipe: what is carried out.
        start: how it was started.

    Returns:
        The first start's public record, which goes into the weights; a run that was resumed by
        other code or on another machine has the later ones in it too, under ``resumed``.

    Raises:
        WeightsError: weights that the run begins with cannot be read.
        MediaError: a file cannot be written.
    """
    path = folder / RECORD_FILE
    starts = json.loads(path.read_text(encoding="utf-8"))["starts"] if path.is_file() else []
    public = public_record(recipe, start)
    here = {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": start.command,
        "folder": str(Path.cwd()),
        "host": platform.node(),
        "recipe": json.loads(to_json(recipe)),
        "machine": machine.describe(),
        "changes": code_state()[1],
        "public": public,
    }
    write_text(path, json.dumps({"starts": [*starts, here]}, indent=2) + "\n")
    first, *later = [one["public"] for one in (*starts, here)]
    different = [one for one in later if one != first]
    return {**first, "resumed": different} if different else first


def metadata_of(recipe: Recipe, record: Mapping[str, Any] | None) -> dict[str, str]:
    """A weights file's entries: the recipe with files by their names alone, and the record."""
    plain = {key: Path(getattr(recipe, key)).name for key in ("model", "teacher", "tracked")}
    values = {**json.loads(to_json(recipe)), **plain}
    found = {"recipe": json.dumps(values, sort_keys=True)}
    if record is not None:
        found[PROVENANCE_KEY] = json.dumps(record, sort_keys=True)
    return found


def recipe_of(metadata: Mapping[str, str], folder: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe that made a weights file.

    Args:
        metadata: the file's.
        folder: of the new run; gets the model's configuration where that is not a shipped one.
        overrides: ``key=value`` each.

    Raises:
        WeightsError: the metadata name no recipe.
        ConfigError: an override is wrong, or the recipe is of another version.
    """
    if "recipe" not in metadata:
        raise WeightsError("these weights do not say which recipe made them")
    values = changed(json.loads(metadata["recipe"]), overrides)
    name = str(values["model"])
    if name.endswith(".yaml"):
        folder.mkdir(parents=True, exist_ok=True)
        config = from_json(ModelConfig, metadata["model"], "the weights' metadata")
        write_text(folder / name, yaml.safe_dump(json.loads(to_json(config))))
        values["model"] = str(folder / name)
    return from_json(Recipe, json.dumps(values), "the weights' recipe")


def data_hash(place: str, whole_contents: bool = False) -> dict[str, Any]:
    """What tells one folder of data from another, wherever it lies.

    All names and sizes count; so do the contents of all files where they are below 2 GB together or
    ``whole_contents`` is set, and else those of annotations alone.

    Args:
        place: ``DIR`` or ``NAME=DIR``.
        whole_contents: see above.
    """
    name, equals, folder = place.partition("=")
    root = Path(folder if equals else place)
    files = sorted(_files(root), key=lambda path: path.relative_to(root).as_posix())
    sizes = [path.stat().st_size for path in files]
    contents = whole_contents or sum(sizes) < CONTENTS_BELOW_BYTES
    digest = hashlib.sha256()
    for path, size in zip(files, sizes, strict=True):
        digest.update(f"{path.relative_to(root).as_posix()}\0{size}\n".encode())
        if contents or path.suffix.lower() in _ANNOTATIONS:
            with path.open("rb") as stream:
                for block in iter(partial(stream.read, 1 << 20), b""):
                    digest.update(block)
    return {
        "name": name if equals else None,
        "files": len(files),
        "bytes": sum(sizes),
        "contents": contents,
        "sha256": digest.hexdigest(),
    }


def code_state() -> tuple[str | None, str]:
    """The commit of this code, and the changes since as a diff; None and "" outside of git."""
    here = Path(__file__).parents[2]
    if _git(here, "ls-files", "--error-unmatch", str(Path(__file__))) is None:
        return None, ""
    commit = (_git(here, "rev-parse", "HEAD") or "").strip() or None
    changes = _git(here, "diff", "HEAD") or ""
    new = _git(here, "ls-files", "--others", "--exclude-standard", "litetrack_ros", "config") or ""
    for name in new.splitlines():
        changes += _git(here, "diff", "--no-index", "--", os.devnull, name) or ""
    return commit, changes


def _tracked(folder: str) -> dict[str, Any] | None:
    """The sequences that the best model is chosen by, by name, and what tells them from others."""
    if not folder:
        return None
    names = [sequence.name for sequence in find_sequences([Path(folder)])]
    return {"sequences": names, **data_hash(folder)}


def _git(folder: Path, *words: str) -> str | None:
    """What git prints; None where it is not installed or fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    differs = "--no-index" in words and done.returncode == 1
    return done.stdout.decode(errors="replace") if done.returncode == 0 or differs else None


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
    for folder, _, names in os.walk(root):
        yield from (path for name in names if (path := Path(folder, name)).is_file())


def _file_hash(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return file_sha256(path)
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from error


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
