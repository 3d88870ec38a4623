"""Everything that reads what others made, with sound files to begin from and what it may raise."""

from __future__ import annotations

import contextlib
import functools
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from litetrack_ros.config import ModelConfig, TrackerConfig
from litetrack_ros.errors import LiteTrackError
from litetrack_ros.resources import share_dir
from litetrack_ros.settings import from_json, to_json


@dataclass(frozen=True)
class Parser:
    """Something that reads bytes.

    Attributes:
        read: takes bytes; raises one of ``refusals`` for those it refuses, and nothing else.
        seeds: gives sound ones.
        is_quick: fuzzed in a loop; the others need a file each and take milliseconds.
        refusals: the documented exceptions.
    """

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    is_quick: bool = True
    refusals: tuple[type[Exception], ...] = (LiteTrackError,)


def accepted(parser: Parser, content: bytes) -> bool:
    """Whether a parser takes something; what it may not raise passes through."""
    try:
        parser.read(content)
    except parser.refusals:
        return False
    return True


def _through_file(read: Callable[[Path], object], suffix: str) -> Callable[[bytes], object]:
    def from_bytes(content: bytes) -> object:
        with tempfile.TemporaryDirectory(prefix="litetrack_campaign.") as folder:
            path = Path(folder) / f"file{suffix}"
            path.write_bytes(content)
            return read(path)

    return from_bytes


@functools.cache
def _picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


def _pictures() -> list[bytes]:
    suffixes = (".jpg", ".png", ".webp", ".tiff", ".bmp")
    found = [cv2.imencode(suffix, _picture())[1].tobytes() for suffix in suffixes]
    found.append(cv2.imencode(".jp2", cv2.resize(_picture(), (128, 96)))[1].tobytes())
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    return [*found, cv2.imencode(".jpg", _picture(), progressive)[1].tobytes()]


def _read_header(content: bytes) -> object:
    from litetrack_ros.image_headers import read_header

    header = read_header(content)
    return None if header is None else header.width * header.height * header.effort


def _decode_compressed(content: bytes) -> object:
    from litetrack_ros.node.conversion import ImageLimits, convert_compressed

    limits = ImageLimits(1_000_000, ("jpeg", "png"))
    return convert_compressed(SimpleNamespace(format="", data=content), limits)


def _convert_raw(content: bytes) -> object:
    """The first bytes are the fields, the rest the data."""
    from litetrack_ros.node.conversion import DEFAULT_LIMITS, ENCODINGS, convert_image

    head = np.frombuffer(content[:16].ljust(16, b"\0"), np.uint16)
    message = SimpleNamespace(
        encoding=sorted(ENCODINGS)[int(head[0]) % len(ENCODINGS)],
        height=int(head[1]),
        width=int(head[2]),
        step=int(head[3]),
        is_bigendian=int(head[4]) % 2,
        data=content[16:],
    )
    return convert_image(message, None, DEFAULT_LIMITS)


def _raw_seeds() -> list[bytes]:
    return [
        np.array([k, 8, 8, 32, 0, 0, 0, 0], np.uint16).tobytes() + bytes(range(256)) * 2
        for k in range(20)
    ]


def _read_onnx(content: bytes) -> object:
    from litetrack_ros.backends.onnx_protobuf import external_locations, metadata_props

    return external_locations(content), list(metadata_props(content))


def _onnx_seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted((share_dir() / "models").glob("litetrack*.onnx"))]


def _read_boxes(content: bytes) -> object:
    from litetrack_ros.datasets.sequences import parse_boxes

    return parse_boxes(content.decode("utf-8", errors="replace"), "a file")


def _read_settings(content: bytes) -> object:
    text = content.decode("utf-8", errors="replace")
    for kind in (ModelConfig, TrackerConfig):
        with contextlib.suppress(LiteTrackError):
            from_json(kind, text, "a file")
    return None


def _read_manifest(path: Path) -> object:
    from litetrack_ros.manifest import read_manifest

    return read_manifest(path)


def _read_recipe(path: Path) -> object:
    from litetrack_ros.training.recipe import read_recipe

    return read_recipe(path)


def _read_checkpoint(path: Path) -> object:
    from litetrack_ros.model.authors_checkpoints import read_official

    return read_official(path)


def _checkpoint_seeds() -> list[bytes]:
    import torch

    buffer = io.BytesIO()
    torch.save({"epoch": 3, "net": {"a.weight": torch.ones(2, 3), "b": torch.zeros(4)}}, buffer)
    return [buffer.getvalue()]


def _read_weights(path: Path) -> object:
    from litetrack_ros.model.checkpoint import load_weights

    return load_weights(path)


def _weights_seeds() -> list[bytes]:
    from saved_models import save_small

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        save_small(path)
        return [path.read_bytes()]


def _read_archive(path: Path) -> object:
    from litetrack_ros.datasets.containers import open_container

    archive = open_container(path)
    return [archive.read(name) for name in archive.names()[:100]]


def zip_of(*files: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


def tar_of(*files: tuple[str, bytes]) -> bytes:
    """A tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _read_bag(path: Path) -> object:
    from litetrack_ros.replay.bag_reader import Bag

    with Bag(path) as bag:
        return [sum(1 for _ in bag.messages(topic)) for topic in bag.topics]


def _bag_seeds(storage: str) -> list[bytes]:
    from made_bags import make_bag

    with tempfile.TemporaryDirectory() as folder:
        bag = make_bag(Path(folder) / "bag", 2, storage)
        suffix = "*.mcap" if storage == "mcap" else "*.db3"
        return [path.read_bytes() for path in bag.glob(suffix)]


def _decode_bag_message(content: bytes) -> object:
    from litetrack_ros.replay.bag_reader import read_stamp_ns, replace_stamp

    return read_stamp_ns(content), replace_stamp(content, 5)


_LISTS = [b"1,2,3,4\n5 6 7 8\n", b"nan,nan,nan,nan\n1\t2\t3\t4\n", b"-1.5e3, 2, 3, 4\r\n"]
_RECIPES = [b"model: nano\nsteps: 10\n", b"base: other.yaml\nmodel: {name: nano}\nsteps: 3\n"]

PARSERS: dict[str, Parser] = {
    "image headers": Parser(_read_header, _pictures),
    "compressed images": Parser(_decode_compressed, _pictures),
    "raw images": Parser(_convert_raw, _raw_seeds),
    "ONNX graphs": Parser(
        # What calls it turns both into one of ours.
        _read_onnx,
        _onnx_seeds,
        refusals=(IndexError, UnicodeDecodeError),
    ),
    "boxes": Parser(_read_boxes, lambda: list(_LISTS)),
    "stored settings": Parser(
        _read_settings,
        lambda: [to_json(TrackerConfig()).encode(), to_json(ModelConfig(name="a")).encode()],
    ),
    "messages of bags": Parser(_decode_bag_message, lambda: [bytes(range(64)), bytes(16)]),
    "manifests": Parser(
        _through_file(_read_manifest, ".sha256"), lambda: [b"0" * 64 + b"  a.onnx\n"], False
    ),
    "recipes": Parser(_through_file(_read_recipe, ".yaml"), lambda: list(_RECIPES), False),
    "authors' checkpoints": Parser(
        _through_file(_read_checkpoint, ".pth.tar"), _checkpoint_seeds, False
    ),
    "weights": Parser(_through_file(_read_weights, ".safetensors"), _weights_seeds, False),
    "zip archives": Parser(
        _through_file(_read_archive, ".zip"),
        lambda: [zip_of(("a/1.jpg", b"x" * 50), ("b.txt", b"1,2,3,4\n"))],
        False,
    ),
    "tar archives": Parser(
        _through_file(_read_archive, ".tar"),
        lambda: [tar_of(("a/1.jpg", b"x" * 50), ("b.txt", b"1,2,3,4\n"))],
        False,
    ),
    "MCAP bags": Parser(_through_file(_read_bag, ".mcap"), lambda: _bag_seeds("mcap"), False),
    "SQLite bags": Parser(_through_file(_read_bag, ".db3"), lambda: _bag_seeds("sqlite3"), False),
}
