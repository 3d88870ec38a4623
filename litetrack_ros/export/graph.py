"""A thin layer over ``onnx.helper``: nodes in, ONNX graphs with short, stable names out.

The graphs are written node by node instead of traced from PyTorch: no shape arithmetic is left in
them, the same weights give the same file with every PyTorch, and each cast of the reduced
precisions is where we put it.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from litetrack_ros.backends.onnx_files import OnnxPaths
from litetrack_ros.dependencies import require
from litetrack_ros.errors import WeightsError
from litetrack_ros.files import make_folder, replacing
from litetrack_ros.manifest import recording

onnx = require("onnx")

Array = npt.NDArray[Any]

SENSITIVE = "sensitive"  # the note on nodes that int8 must leave in fp32
_INLINE_BYTES = 1024  # smaller constants stay in the graph, where shapes must be
_ALIGNMENT = 64  # of weights in their file, so that they can be used where they are mapped


class GraphBuilder:
    """Collects nodes and constants; values are referred to by name.

    Args:
        name: of the graph.
        opset: version of ONNX's standard operators, from 17 on (LayerNormalization is one op).
    """

    def __init__(self, name: str, opset: int) -> None:
        self.name = name
        self.opset = opset
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.initializers: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._counts: dict[str, int] = {}
        self._note = ""

    def input(self, name: str, dtype: npt.DTypeLike, shape: Sequence[int | str]) -> None:
        """Declare an input; a dimension given by name is free."""
        self.inputs.append(_value_info(name, dtype, shape))

    def output(
        self, value: str, name: str, dtype: npt.DTypeLike, shape: Sequence[int | str]
    ) -> None:
        """Declare a value as an output under a name."""
        self.nodes.append(onnx.helper.make_node("Identity", [value], [name], name=name))
        self.outputs.append(_value_info(name, dtype, shape))

    def constant(self, array: Array, name: str = "const") -> str:
        """Add a constant; equal arrays are stored once."""
        array = np.asarray(array, order="C")  # unlike ascontiguousarray, keeps a scalar a scalar
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            unique = self._unique(name)
            self.initializers.append(onnx.numpy_helper.from_array(array, unique))
            self._constants[key] = unique
        return self._constants[key]

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator with one output and return the output's name."""
        return self.split_node(op, 1, *inputs, **attributes)[0]

    def split_node(self, op: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add an operator with several outputs and return their names."""
        name = self._unique(op.lower())
        names = [name] if outputs == 1 else [f"{name}_{k}" for k in range(outputs)]
        self.nodes.append(
            onnx.helper.make_node(op, inputs, names, name, doc_string=self._note, **attributes)
        )
        return names

    @contextlib.contextmanager
    def sensitive(self) -> Iterator[None]:
        """Mark the nodes added meanwhile as :data:`SENSITIVE`."""
        self._note = SENSITIVE
        yield
        self._note = ""

    def reshape(self, value: str, *shape: int) -> str:
        """Reshape; -1 is the one free dimension, 0 keeps the input's."""
        return self.node("Reshape", value, self.constant(np.array(shape, dtype=np.int64), "shape"))

    def transpose(self, value: str, *perm: int) -> str:
        """Permute the axes."""
        return self.node("Transpose", value, perm=perm)

    def concat(self, values: Sequence[str], axis: int) -> str:
        """Join along an axis; a single value is passed on."""
        return values[0] if len(values) == 1 else self.node("Concat", *values, axis=axis)

    def cast(self, value: str, dtype: npt.DTypeLike) -> str:
        """Convert to a type."""
        return self.node("Cast", value, to=_onnx_type(dtype))

    def model(self, metadata: dict[str, str]) -> Any:
        """The finished ``onnx.ModelProto``, checked, without shapes of the values inside."""
        graph = onnx.helper.make_graph(
            self.nodes, self.name, self.inputs, self.outputs, self.initializers
        )
        opsets = [onnx.helper.make_opsetid("", self.opset)]
        model = onnx.helper.make_model(
            graph,
            producer_name="litetrack_ros",
            opset_imports=opsets,
            # The oldest file version that the operators allow: robots' runtimes lag behind.
            ir_version=onnx.helper.find_min_ir_version_for(opsets),
        )
        onnx.helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model

    def _unique(self, name: str) -> str:
        count = self._counts.get(name, 0)
        self._counts[name] = count + 1
        return f"{name}_{count}" if count else name


def write_graphs(paths: OnnxPaths, template: Any, search: Any) -> None:
    """Move the weights of two ``ModelProto`` into one file; write all three and their hashes.

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
            stack.enter_context(
                recording(paths.manifest, paths.template, paths.search, paths.weights)
            )
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


def _value_info(name: str, dtype: npt.DTypeLike, shape: Sequence[int | str]) -> Any:
    return onnx.helper.make_tensor_value_info(name, _onnx_type(dtype), shape)


def _onnx_type(dtype: npt.DTypeLike) -> int:
    return int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
