"""Writes a model's two graphs and their common weights; all three appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any, BinaryIO

from litetrack_ros.backends.onnx_files import OnnxPaths
from litetrack_ros.errors import WeightsError
from litetrack_ros.export.graph import onnx
from litetrack_ros.files import make_folder, replacing

_INLINE_BYTES = 1024  # smaller constants stay in the graph, where shapes must be
_ALIGNMENT = 64  # of weights in their file, so that they can be used where they are mapped


def write_graphs(paths: OnnxPaths, template: Any, search: Any) -> None:
    """Move the weights of two ``ModelProto`` into one file and write all three.

    Args:
        paths: where to; their folder is made.
        template, search: the graphs; their weights are moved out of them.

    Raises:
        WeightsError: a file cannot be written; those that were there are untouched.
        MediaError: the folder cannot be made or written to.
    """
    make_folder(paths.search.parent)
    try:
        # The stack renames in reverse order: the search graph, which is looked for, comes last.
        with contextlib.ExitStack() as stack:
            search_path = stack.enter_context(replacing(paths.search))
            template_path = stack.enter_context(replacing(paths.template))
            weights_path = stack.enter_context(replacing(paths.weights))
            with weights_path.open("wb") as file:
                store = _WeightsFile(file, paths.weights.name)
                for model in (template, search):
                    store.take_from(model)
            for model, path in ((template, template_path), (search, search_path)):
                entry = model.metadata_props.add()
                entry.key, entry.value = "weights_sha256", store.sha256()
                path.write_bytes(model.SerializeToString())
    except OSError as error:
        raise WeightsError(f"cannot write {paths.search}: {error.strerror or error}") from error


class _WeightsFile:
    """Collects weights, equal ones once."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._places: dict[bytes, tuple[int, int]] = {}
        self._digest = hashlib.sha256()
        self._size = 0

    def take_from(self, model: Any) -> None:
        for tensor in model.graph.initializer:
            content = tensor.raw_data
            if len(content) < _INLINE_BYTES:
                continue
            key = hashlib.sha256(content).digest()
            if key not in self._places:
                self._write(b"\0" * (-self._size % _ALIGNMENT))
                self._places[key] = (self._size, len(content))
                self._write(content)
            offset, length = self._places[key]
            onnx.external_data_helper.set_external_data(tensor, self._name, offset, length)
            tensor.ClearField("raw_data")

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._digest.update(content)
        self._size += len(content)
