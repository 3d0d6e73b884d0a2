"""Blocks: what is frequent among 16,384 entries in a row, written once as bitmaps when the block is full.

Which terms are frequent is guessed from every sixteenth act and then counted exactly. A term without a bitmap for a block
is looked up in FTS5 for that block, so a wrong guess costs time and nothing else.
"""

from __future__ import annotations

from array import array
from typing import Any

from ledger.catalog.bits import BLOCK, to_block

__all__ = ["SAMPLED", "match", "seal_block", "sealed_blocks"]

SAMPLED = 16
_HOT = 64
_STILL_HOT = 32
_LEAST_SAMPLES = 2


def sealed_blocks(connection: Any) -> int:
    """Return how many whole blocks have their bitmaps."""
    return int(connection.execute("SELECT coalesce(max(block) + 1, 0) FROM columns").fetchone()[0])


def match(connection: Any, expression: str, start: int, end: int, *, most: int = -1) -> list[int]:
    """Return the entries among ``start … end-1`` whose terms match an FTS5 expression, lowest first, ``most`` of them."""
    query = "SELECT rowid FROM terms WHERE terms MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid LIMIT ?"
    return [row[0] for row in connection.execute(query, (expression, start, end, most)).fetchall()]


def seal_block(connection: Any, block: int) -> None:
    """Write bitmaps and columns of a whole block; inside a transaction."""
    start, end = block * BLOCK, (block + 1) * BLOCK
    for term, before in _candidates(connection, block):
        found = match(connection, f'"{term}"', start, end)
        if len(found) >= (_STILL_HOT if before else _HOT):
            connection.execute("INSERT INTO hot VALUES (?, ?, ?)", (term, block, to_block(found, start)))
    profiles, suppliers = array("I", bytes(4 * BLOCK)), array("I", bytes(4 * BLOCK))
    query = "SELECT idx, profile, supplier FROM acts WHERE idx >= ? AND idx < ?"
    for index, profile, supplier in connection.execute(query, (start, end)):
        profiles[index - start], suppliers[index - start] = profile, supplier
    values = (block, profiles.tobytes(), suppliers.tobytes())
    connection.execute("INSERT INTO columns VALUES (?, ?, ?)", values)
    connection.execute("DELETE FROM samples")


def _candidates(connection: Any, block: int) -> list[tuple[str, bool]]:
    """Return (term, whether it was frequent in the block before)."""
    before = {row[0] for row in connection.execute("SELECT term FROM hot WHERE block = ?", (block - 1,)).fetchall()}
    query = "SELECT term FROM samples WHERE count >= ?"
    sampled = {row[0] for row in connection.execute(query, (_LEAST_SAMPLES,)).fetchall()}
    return [(term, term in before) for term in sorted(before | sampled)]
