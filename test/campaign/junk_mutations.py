"""Bytes changed by chance, in the ways that break parsers."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

_NUMBERS = (
    0,
    1,
    -1,
    0x7F,
    0x80,
    0xFF,
    0xFFFF,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**62,
    2**63,
    2**64 - 1,
)


def mutate(dice: random.Random, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """One to four changes: bytes, bits, lengths, cuts, doublings, pieces of another input."""
    for _ in range(dice.randint(1, 4)):
        content = _changed(dice, content, others)
    return content


def _changed(dice: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    if not content:
        return dice.randbytes(dice.randrange(1, 20))
    at, kind = dice.randrange(len(content)), dice.randrange(7)
    if kind == 0:
        return content[:at] + bytes([dice.randrange(256)]) + content[at + 1 :]
    if kind == 1:
        return content[:at] + bytes([content[at] ^ (1 << dice.randrange(8))]) + content[at + 1 :]
    if kind == 2:
        form = dice.choice(("<B", "<H", ">H", "<I", ">I", "<Q", ">Q"))
        mask = (1 << 8 * struct.calcsize(form)) - 1
        number = struct.pack(form, dice.choice(_NUMBERS) & mask)
        return content[:at] + number + content[at + len(number) :]
    if kind == 3:
        return content[:at]
    end = min(len(content), at + dice.randrange(1, 64))
    if kind == 4:
        return content[:at] + content[end:]
    if kind == 5:
        return content[:end] + content[at:end] * dice.choice((1, 1, 2, 100)) + content[end:]
    other = dice.choice(others) if others else content
    start = dice.randrange(len(other) + 1)
    return content[:at] + other[start : start + dice.randrange(1, 200)] + content[end:]
