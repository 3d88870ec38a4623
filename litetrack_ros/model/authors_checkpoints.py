"""The authors' checkpoints, read without executing anything that is in them.

A checkpoint is a zip archive with a pickle of its structure and one entry a storage. The pickle may
name classes of the authors' training code, or of anyone: only the functions that rebuild a tensor
are honoured, every other name becomes an inert stub.
"""

import io
import pickle
import pickletools
import sys
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from litetrack_ros.config import ModelConfig
from litetrack_ros.errors import WeightsError, shown
from litetrack_ros.model.checkpoint import model_from_state
from litetrack_ros.model.litetrack import LiteTrack

UNUSED_KEYS = ("backbone.cls_token", "backbone.pos_embed")  # never read by their forward pass

_STORAGE_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


_HOSTILE = (
    *(pickle.UnpicklingError, ValueError, TypeError, AttributeError, IndexError),
    *(ArithmeticError, MemoryError, zlib.error),
)
_MAX_PICKLE_BYTES = 16 << 20  # the authors' are 0.1 MB
# torch.save compresses nothing; where somebody packed a checkpoint anew, weights hardly shrink.
_MAX_GROWTH = 4


def read_official(path: Path) -> dict[str, Tensor]:
    """The network's tensors of one of the authors' ``.pth.tar`` files.

    Raises:
        WeightsError: not a PyTorch checkpoint, damaged, or without a ``net`` of tensors.
    """
    content = read_checkpoint(path)
    net = content.get("net") if isinstance(content, Mapping) else None
    if not isinstance(net, Mapping) or not net:
        raise WeightsError(f"{path} holds no 'net', so it is not a LiteTrack checkpoint")
    for key, value in net.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise WeightsError(f"{path}: 'net' holds {key!r}, which is not a tensor")
    return dict(net)


def read_checkpoint(path: Path) -> Any:
    """What ``torch.save`` wrote into a file; classes other than tensors become inert stubs.

    Raises:
        WeightsError: not a PyTorch checkpoint, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive, path.stat().st_size)
            return _RestrictedUnpickler.load_from(archive)
    except zipfile.BadZipFile as error:
        raise WeightsError(
            f"{path} is no checkpoint this package reads ({error}); it must be a file that "
            "torch.save wrote with PyTorch 1.6 or newer, and complete"
        ) from error
    except (OSError, KeyError, EOFError, RuntimeError) as error:
        raise WeightsError(f"cannot read the checkpoint {path}: {error}") from error
    except _HOSTILE as error:
        text = shown(str(error) or type(error).__name__, 200)
        raise WeightsError(f"the checkpoint {path} is damaged or hostile: {text}") from error


def build_official(config: ModelConfig, state: Mapping[str, Tensor], origin: str) -> LiteTrack:
    """A model of the given variant with the authors' tensors.

    Raises:
        WeightsError: missing, unexpected or misshapen keys, by name.
    """
    used = {k: v for k, v in state.items() if k not in UNUSED_KEYS}
    return model_from_state(config, used, origin)


def _check_sizes(archive: zipfile.ZipFile, size_bytes: int) -> None:
    """Raise ValueError where the archive's entries would fill the memory; none is read yet."""
    entries = archive.infolist()
    if any(e.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for e in entries):
        raise ValueError("its entries are compressed in a way that torch.save never uses")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > _MAX_GROWTH * size_bytes + _MAX_PICKLE_BYTES:
        raise ValueError(f"{size_bytes} bytes would unpack to {unpacked}")
    for entry in entries:
        if entry.filename.endswith("data.pkl") and entry.file_size > _MAX_PICKLE_BYTES:
            raise ValueError(f"its pickle of {entry.file_size} bytes is too large to be one")


def _check_pickle(content: bytes) -> None:
    """Walk a pickle without carrying it out; raise ValueError where it asks for too much memory."""
    # The unpickler makes room for what an opcode announces before it looks whether it is there.
    for opcode, argument, _ in pickletools.genops(content):
        if "PUT" in opcode.name and isinstance(argument, int) and argument > len(content):
            raise ValueError(f"it remembers an object under the number {argument}")


class _Stub:
    """Stands for any class a checkpoint names: it takes everything and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __new__(cls, *args: Any, **kwargs: Any) -> "_Stub":
        return super().__new__(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> "_Stub":
        return self

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        """Take an element of a pickled list."""

    def extend(self, values: Any) -> None:
        """Take elements of a pickled list."""


class _StorageType:
    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, pickle_name: str) -> None:
        content = archive.read(pickle_name)
        _check_pickle(content)
        super().__init__(io.BytesIO(content), encoding="utf-8")
        self._archive = archive
        self._storages: dict[str, Tensor] = {}
        self._prefix = pickle_name[: -len("data.pkl")]

    @classmethod
    def load_from(cls, archive: zipfile.ZipFile) -> Any:
        names = archive.namelist()
        pickles = [n for n in names if n == "data.pkl" or n.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise zipfile.BadZipFile("the archive holds no data.pkl")
        unpickler = cls(archive, pickles[0])
        order = f"{unpickler._prefix}byteorder"
        if order in names and archive.read(order).decode("ascii", "replace") != sys.byteorder:
            raise ValueError(f"its byte order is not this machine's ({sys.byteorder} endian)")
        return unpickler.load()

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        name = (module_name, global_name)
        if name == ("collections", "OrderedDict"):
            return OrderedDict
        if name == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if name == ("torch._utils", "_rebuild_parameter"):
            return _rebuild_parameter
        if module_name == "torch" and global_name in _STORAGE_DTYPES:
            return _StorageType(_STORAGE_DTYPES[global_name])
        return type(global_name, (_Stub,), {})

    def persistent_load(self, pid: Any) -> Tensor:
        kind, storage_type, key, _location, count = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType):
            raise pickle.UnpicklingError(f"unknown persistent id {kind!r}")
        tensor = self._storages.get(str(key))
        if tensor is None:  # else it would be read as often as it is named
            content = bytearray(self._archive.read(f"{self._prefix}data/{key}"))
            tensor = torch.frombuffer(content, dtype=torch.uint8)
            self._storages[str(key)] = tensor
        tensor = tensor.view(storage_type.dtype)
        if tensor.numel() != count:
            raise ValueError(f"storage {key} holds {tensor.numel()} values instead of {count}")
        return tensor


def _rebuild_tensor(
    storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> Tensor:
    # as_strided refuses sizes and strides that reach beyond the storage.
    return storage.as_strided(size, stride, offset)


def _rebuild_parameter(data: Tensor, *_: Any) -> Tensor:
    return data
