"""Bitmaps of entries: an ``int`` whose bit ``n`` says whether entry ``n`` is meant. A million entries take 125 KB.

Python's own integers intersect, join and count them in microseconds; only what is listed is ever looked at one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

__all__ = ["BLOCK", "bits_of", "highest", "lowest", "places", "span", "to_block"]

BLOCK = 16_384
_PIECE = 1 << 16


def bits_of(found: Iterable[int], length: int) -> int:
    """Return the bitmap of entries below ``length``."""
    data = bytearray((length >> 3) + 1)
    for place in found:
        data[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(data, "little")


def to_block(found: Iterable[int], start: int) -> bytes:
    """Return the bitmap of the block of entries that begins at ``start``."""
    return bits_of((place - start for place in found), BLOCK - 1).to_bytes(BLOCK >> 3, "little")


def span(start: int, end: int) -> int:
    """Return the bitmap of entries ``start … end-1``."""
    return (1 << end) - (1 << start) if start < end else 0


def places(bits: int, base: int = 0) -> list[int]:
    """Return the entries of a bitmap, lowest first, each ``base`` higher."""
    length = (bits.bit_length() + 63) >> 6
    found: list[int] = []
    for at, rest in enumerate(struct.unpack(f"<{length}Q", bits.to_bytes(length << 3, "little"))):
        while rest:
            lowest_bit = rest & -rest
            found.append(base + (at << 6) + lowest_bit.bit_length() - 1)
            rest ^= lowest_bit
    return found


def lowest(bits: int) -> Iterator[int]:
    """Yield the entries of a bitmap, lowest first; looks at no more of it than is asked for."""
    for base in range(0, bits.bit_length(), _PIECE):
        yield from places(bits >> base & (1 << _PIECE) - 1, base)


def highest(bits: int) -> Iterator[int]:
    """Yield the entries of a bitmap, highest first."""
    for base in range(bits.bit_length() // _PIECE * _PIECE, -1, -_PIECE):
        yield from reversed(places(bits >> base & (1 << _PIECE) - 1, base))
