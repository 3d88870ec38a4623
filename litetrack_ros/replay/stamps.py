"""The stamp at the beginning of a serialised message, read and replaced without decoding the rest.

A message that begins with a ``std_msgs/Header`` has, as CDR, four bytes of encapsulation (the
second one tells the byte order), then the stamp: int32 seconds and uint32 nanoseconds.
"""

from __future__ import annotations

import struct
from typing import Protocol

from litetrack_ros.errors import BagError

NS_PER_S = 1_000_000_000
_BEGIN, _END = 4, 12
_FORMATS = {0: ">iI", 1: "<iI"}  # plain CDR, big and little endian


def read_stamp_ns(data: bytes) -> int:
    """The header's stamp of a serialised message, ns.

    Raises:
        BagError: too short, or not plain CDR.
    """
    seconds, nanoseconds = struct.unpack(_format(data), data[_BEGIN:_END])
    return int(seconds) * NS_PER_S + int(nanoseconds)


def replace_stamp(data: bytes, stamp_ns: int) -> bytes:
    """The same serialised message with another stamp; every other byte is kept.

    Raises:
        BagError: too short, or not plain CDR.
    """
    stamp = struct.pack(_format(data), stamp_ns // NS_PER_S, stamp_ns % NS_PER_S)
    return b"".join((data[:_BEGIN], stamp, memoryview(data)[_END:]))


def _format(data: bytes) -> str:
    if len(data) < _END or data[0] != 0 or data[1] not in _FORMATS:
        raise BagError("a message is no plain CDR with a header: the bag is damaged or foreign")
    return _FORMATS[data[1]]


class _Stamped(Protocol):
    @property
    def stamp_ns(self) -> int: ...


class StampCheck:
    """Counts stamps that do not increase.

    Attributes:
        out_of_order: stamps before an earlier one.
        repeated: stamps equal to the one before.
    """

    def __init__(self) -> None:
        self.out_of_order = 0
        self.repeated = 0
        self._previous_ns: int | None = None

    def add(self, message: _Stamped) -> None:
        """Look at the next message's stamp."""
        if self._previous_ns is not None:
            self.out_of_order += message.stamp_ns < self._previous_ns
            self.repeated += message.stamp_ns == self._previous_ns
        self._previous_ns = message.stamp_ns

    @property
    def warning(self) -> str:
        """A sentence, empty when all is well."""
        if not (self.out_of_order or self.repeated):
            return ""
        return (
            f"the images' stamps do not increase: {self.out_of_order} go back, {self.repeated} "
            "are repeated; frames are told apart by their order"
        )
