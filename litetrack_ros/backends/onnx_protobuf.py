"""What is read of a serialised ``onnx.ModelProto`` without the onnx package.

A protobuf message is a sequence of tagged fields, most of them with their length in front. Messages
are walked whole, and one that ends early raises IndexError.
"""

from collections.abc import Iterator

# Numbers of the fields that lead from a message to the tensors within it, by kind of message.
_TO_TENSORS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        **{5: "tensor", 10: "tensor"},
        **{6: "graph", 11: "graph"},
        **{22: "sparse", 23: "sparse"},
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_MAX_DEPTH = 32


def external_locations(model: bytes) -> set[str]:
    """Names of the files from which a model's tensors are read, wherever in it they stand.

    Raises:
        IndexError: it is no such message, is cut, or is nested too deep.
    """
    return set(_locations(model, "model", 0))


def _locations(message: bytes, kind: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise IndexError("graphs within graphs, too deep")
    inner = _TO_TENSORS[kind]
    for number, value in _fields(message):
        if number not in inner or not isinstance(value, bytes):
            continue
        if inner[number] == "entry":
            entry = dict(_fields(value))
            if entry.get(1) == b"location":
                location = entry.get(2, b"")
                yield location.decode(errors="replace") if isinstance(location, bytes) else ""
        else:
            yield from _locations(value, inner[number], depth + 1)


def metadata_props(model: bytes) -> Iterator[tuple[str, str]]:
    """The keys and values of a model's metadata.

    Raises:
        IndexError: it is no such message, or is cut.
    """
    for number, value in _fields(model):
        if number == 14 and isinstance(value, bytes):  # ModelProto.metadata_props
            entry = dict(_fields(value))
            key, text = entry.get(1), entry.get(2)  # StringStringEntryProto.key, .value
            if isinstance(key, bytes) and isinstance(text, bytes):
                yield key.decode(), text.decode()


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, position = _varint(message, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise IndexError(f"field of unknown kind {kind}")
        if position + length > len(message):
            raise IndexError("field reaches beyond the end")
        yield tag >> 3, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position += 1
        if byte < 128:
            return value, position
        shift += 7
        if shift > 63:
            raise IndexError("number too long")
