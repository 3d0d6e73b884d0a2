"""Bitmaps of entries: an ``int`` whose bit ``n`` says whether entry ``n`` is meant. A million entries take 125 KB.

Python's own integers intersect, join and count them in microseconds; only what is listed is ever looked at one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

__all__ = ["BLOCK", "bits_of", "count_common", "highest", "lowest", "places", "span", "to_block", "trimmed"]

BLOCK = 16_384
_PIECE = 512


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


def places(bits: int, low: int = 0) -> list[int]:
    """Return the entries of a bitmap, lowest first; ``low`` lie before it."""
    return _places(_bytes_of(bits), low)


def count_common(low: int, bits: int, other_low: int, other: int) -> int:
    """Return how many entries two trimmed bitmaps have in common."""
    return (bits >> max(0, other_low - low) & other >> max(0, low - other_low)).bit_count()


def trimmed(bits: int) -> tuple[int, int]:
    """Return how many entries lie before the first of a bitmap, in whole words of 64, and the bitmap from there on."""
    width = 64
    while bits and not (front := bits & (1 << width) - 1):
        width *= 4
    low = (front & -front).bit_length() - 1 & ~63 if bits else 0
    return low, bits >> low if low else bits


def lowest(bits: int) -> Iterator[int]:
    """Yield the entries of a bitmap, lowest first; looks at no more of it than is asked for."""
    data = _bytes_of(bits)
    for start in range(0, len(data), _PIECE):
        yield from _places(data[start : start + _PIECE], start << 3)


def highest(bits: int) -> Iterator[int]:
    """Yield the entries of a bitmap, highest first."""
    data = _bytes_of(bits)
    for end in range(len(data), 0, -_PIECE):
        start = max(0, end - _PIECE)
        yield from reversed(_places(data[start:end], start << 3))


def _bytes_of(bits: int) -> bytes:
    return bits.to_bytes((bits.bit_length() + 63) >> 6 << 3, "little")


def _places(data: bytes, base: int) -> list[int]:
    """Return ``base`` plus each set bit of ``data``, whole words of 64."""
    found: list[int] = []
    for at, rest in enumerate(struct.unpack(f"<{len(data) >> 3}Q", data)):
        while rest:
            lowest_bit = rest & -rest
            found.append(base + (at << 6) + lowest_bit.bit_length() - 1)
            rest ^= lowest_bit
    return found
