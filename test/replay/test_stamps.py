"""Stamps of serialised messages: read, replaced, checked."""

from __future__ import annotations

import struct
from typing import NamedTuple

import pytest

from litetrack_ros.errors import BagError
from litetrack_ros.replay.stamps import StampCheck, read_stamp_ns, replace_stamp

REST = bytes(range(40))
LITTLE = b"\x00\x01\x00\x00" + struct.pack("<iI", 17, 250) + REST
BIG = b"\x00\x00\x00\x00" + struct.pack(">iI", 17, 250) + REST


@pytest.mark.parametrize("data", [LITTLE, BIG])
def test_only_the_stamp_is_replaced(data: bytes) -> None:
    assert read_stamp_ns(data) == 17 * 10**9 + 250
    replaced = replace_stamp(data, 1_700_000_000_999_999_999)
    assert read_stamp_ns(replaced) == 1_700_000_000_999_999_999
    assert replaced[:4] == data[:4]
    assert replaced[12:] == data[12:]


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x01\x00\x00\x01", b"\x00\x03" + LITTLE[2:], b"x" * 30]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BagError, match="no plain CDR"):
        read_stamp_ns(data)


class Stamped(NamedTuple):
    stamp_ns: int


@pytest.mark.parametrize(
    ("stamps", "out_of_order", "repeated"),
    [((1, 2, 3), 0, 0), ((1, 1, 2, 2), 0, 2), ((5, 3, 4, 1), 2, 0), ((), 0, 0)],
)
def test_stamps_that_do_not_increase_are_counted(
    stamps: tuple[int, ...], out_of_order: int, repeated: int
) -> None:
    check = StampCheck()
    for stamp in stamps:
        check.add(Stamped(stamp))
    assert (check.out_of_order, check.repeated) == (out_of_order, repeated)
    assert bool(check.warning) == bool(out_of_order or repeated)
    if check.warning:
        assert f"{out_of_order} go back, {repeated} are repeated" in check.warning
