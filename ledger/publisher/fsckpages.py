"""A database file as bytes: what SQLite itself passes over in silence.

It ends its reading of a write-ahead log at the first frame whose checksum does not hold. After a power cut that is right:
nobody had an answer for what stood behind. After a flipped bit it drops transactions that were committed, and says nothing.
Formats: https://www.sqlite.org/fileformat2.html, sections 1.3 and 4.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path

from ledger.publisher.fault import Fault

__all__ = ["check_pages"]

_HEADER, _FRAME = 32, 24
_MAGIC = 0x377F0682
_EMPTY = {"default cache size": 48, "vacuum": 52, "user flags": 64, "application id": 68}
_RESERVED = slice(72, 92)
_TRIES = 5


def check_pages(path: Path, *, derived: bool = False) -> Iterator[Fault]:
    """Yield what is wrong with the header of the database at ``path`` and with its write-ahead log, as bytes.

    ``derived``: it is the catalogue, which is made again from the others.
    """
    found: list[tuple[str, str]] = []
    for attempt in range(_TRIES):  # whoever writes meanwhile is not damage
        before, found = found, _problems(path)
        if not found or (attempt and found == before):
            break
        time.sleep(0.02)
    for name, problem in found:
        code = "catalogue-damaged" if derived else "journal" if name.endswith("-wal") else "database"
        yield Fault(code, {"path": str(path.with_name(name)), "problem": problem})


def _problems(path: Path) -> list[tuple[str, str]]:
    wal = path.with_name(f"{path.name}-wal")
    journal = wal.read_bytes() if wal.is_file() else b""
    frames, problem = _read_journal(journal)
    found = [(wal.name, problem)] if problem else []
    with open(path, "rb") as file:
        first = file.read(100)
    if 1 in frames:
        first = frames[1][:100]
    return found + [(path.name, one) for one in _header_problems(first)]


def _header_problems(header: bytes) -> Iterator[str]:
    """Yield which of the header's fields are not as this program leaves them."""
    if len(header) < 100 or header[:16] != b"SQLite format 3\0":
        yield "no header of SQLite"
        return
    word = {at: int.from_bytes(header[at : at + 4], "big") for at in range(24, 100, 4)}
    for name, at in _EMPTY.items():
        if word[at]:
            yield f"header: {name} is {word[at]}"
    if any(header[_RESERVED]):
        yield "header: bytes that are always zero are not"
    if word[24] != word[92]:
        yield f"header: change counter {word[24]}, valid for {word[92]}"
    if (word[44], word[56], header[18:24]) != (4, 1, b"\x02\x02\x00\x40\x20\x20"):
        yield "header: format, encoding or page layout"


def _read_journal(data: bytes) -> tuple[dict[int, bytes], str | None]:
    """Return the newest committed frame of each page, and what is wrong with the log."""
    if len(data) <= _HEADER:
        return {}, None
    magic, _, page_size, _, salt1, salt2, *kept = struct.unpack(">8I", data[:_HEADER])
    order = ">" if magic & 1 else "<"
    sums = _checksum(data[:24], (0, 0), order)
    if magic & ~1 != _MAGIC or list(sums) != kept or not 512 <= page_size <= 65536:
        return {}, "its header does not match its checksum: every transaction in it is passed over"
    committed: dict[int, bytes] = {}
    waiting: dict[int, bytes] = {}
    step = _FRAME + page_size
    for at in range(_HEADER, len(data) - step + 1, step):
        page, size, *rest = struct.unpack(">6I", data[at : at + _FRAME])
        sums = _frame_sums(data[at : at + step], sums, order)
        if rest != [salt1, salt2, *sums]:
            return committed, _lost(data, at, step, (salt1, salt2))
        waiting[page] = data[at + _FRAME : at + step]
        if size:
            committed.update(waiting)
            waiting = {}
    return committed, None


def _lost(data: bytes, start: int, step: int, salts: tuple[int, int]) -> str | None:
    """Tell of transactions of the same log that stand at or behind the frame at ``start``, which does not hold.

    Frames of an earlier round have two other salts, and frames of a transaction that was taken back commit nothing.
    """
    lost = 0
    for at in range(start, len(data) - step + 1, step):
        _, size, *found = struct.unpack(">4I", data[at : at + 16])
        if size and (found[0] == salts[0] or found[1] == salts[1]):
            lost += 1
    if not lost:
        return None
    return f"frame {(start - _HEADER) // step} does not match its checksum: {lost} transactions from there on are passed over"


def _frame_sums(frame: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    return _checksum(frame[:8] + frame[_FRAME:], sums, order)


def _checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second
