"""A checkout, a model and a little data as one archive, for a machine with a GPU and no network."""

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from litetrack_ros.datasets.sequences import GROUND_TRUTH, format_boxes, read_sequence
from litetrack_ros.errors import LiteTrackError, MediaError
from litetrack_ros.files import replacing

MAX_BENCH_BYTES = 12_000_000
MAX_TRAINING_BYTES = 40_000_000
SEQUENCES = 6
FRAMES = (60, 45, 30, 20, 10)  # of a sequence; fewer where it would not fit
_CODE = ("litetrack_ros", "config", "models", "make", "scripts")
_FILES = ("pyproject.toml", "setup.py", "package.xml", "README.md", "LICENSE", "Makefile")
# The bench exports ONNX files anew: they are the weights once more.
_LEFT_OUT = ("__pycache__", ".weights.bin", ".search.onnx", ".template.onnx")
_HEADER_BYTES = 1024  # of a file in an archive, and its padding


def write_bundle(
    out: Path, root: Path, sequences: Sequence[Path], materials: Path | None
) -> dict[str, int]:
    """Pack the checkout, the models and the first frames of up to six sequences; or materials.

    Args:
        out: the archive, ``.tar.gz``.
        root: the checkout.
        sequences: folders; the six whose first frames are smallest are taken, up to 60 of each.
        materials: of training pairs, ``photos/``, ``cutouts/`` and ``clips/`` or what else it has:
            of every folder so much that all is at most 40 MB. None leaves training out, and the
            archive is at most 12 MB.

    Returns:
        Bytes by part: ``code``, ``sequences``, ``materials``, ``total``.

    Raises:
        LiteTrackError: no checkout, or it does not fit.
        DatasetError: a folder is no sequence.
        MediaError: the archive cannot be written.
    """
    if not (root / "pyproject.toml").is_file():
        raise LiteTrackError(f"{root} is no checkout: a bundle is made in one")
    most = MAX_BENCH_BYTES if materials is None else MAX_TRAINING_BYTES
    with replacing(out) as path:
        for frames in FRAMES:
            sizes = _write(path, root, _smallest(sequences, frames), materials, most)
            if sizes["total"] <= most:
                break
        else:
            raise LiteTrackError(
                f"the bundle has {sizes['total'] / 1e6:.1f} MB, more than {most / 1e6:.0f}: give "
                "it smaller sequences"
            )
    return sizes


def _write(
    path: Path,
    root: Path,
    sequences: Sequence[tuple[Path, list[Path]]],
    materials: Path | None,
    most_bytes: int,
) -> dict[str, int]:
    sizes = {"code": 0, "sequences": 0, "materials": 0}
    with tarfile.open(path, "w:gz") as archive:

        def add(part: str, name: str, content: bytes) -> None:
            entry = tarfile.TarInfo(f"litetrack/{name}")
            entry.size, entry.mode = len(content), 0o755 if content[:2] == b"#!" else 0o644
            archive.addfile(entry, io.BytesIO(content))
            sizes[part] += len(content) + _HEADER_BYTES

        for file in _code(root):
            add("code", str(file.relative_to(root)), file.read_bytes())
        for folder, files in sequences:
            boxes = read_sequence(folder).boxes_xywh[: len(files)]
            text = format_boxes(boxes).encode()
            add("sequences", f"sequences/{folder.name}/{GROUND_TRUTH}", text)
            for file in files:
                name = f"sequences/{folder.name}/{file.relative_to(folder)}"
                add("sequences", name, file.read_bytes())
        if materials is not None:
            for file in _within(materials, most_bytes - sum(sizes.values()) - (1 << 20)):
                name = f"materials/{file.relative_to(materials)}"
                add("materials", name, file.read_bytes())
    return {**sizes, "total": path.stat().st_size}


def _code(root: Path) -> Iterator[Path]:
    yield from (root / name for name in _FILES if (root / name).is_file())
    for folder in _CODE:
        for file in sorted((root / folder).rglob("*")):
            if file.is_file() and not any(part in str(file) for part in _LEFT_OUT):
                yield file


def _smallest(sequences: Sequence[Path], frames: int) -> list[tuple[Path, list[Path]]]:
    """Folders with their first frames' files, those of the fewest bytes first."""
    found = []
    for folder in sequences:
        sequence = read_sequence(folder)
        names = sorted((folder / "frames").iterdir())[: min(frames, len(sequence))]
        if not names:
            raise MediaError(f"{folder}/frames holds no images")
        found.append((folder, names))
    found.sort(key=lambda one: sum(file.stat().st_size for file in one[1]))
    return found[:SEQUENCES]


def _within(materials: Path, most_bytes: int) -> list[Path]:
    """Whole subfolders' files in turns, one of each kind after the other, until it is full."""
    queues = [
        sorted(file for file in folder.rglob("*") if file.is_file())
        for folder in sorted(materials.iterdir())
        if folder.is_dir()
    ]
    chosen, used = [], 0
    while queues:
        for queue in list(queues):
            if not queue or used + queue[0].stat().st_size + _HEADER_BYTES > most_bytes:
                queues.remove(queue)
                continue
            used += queue[0].stat().st_size + _HEADER_BYTES
            chosen.append(queue.pop(0))
    return chosen
