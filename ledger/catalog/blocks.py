"""Blocks: what is frequent among 16,384 entries in a row, written once as bitmaps when the block is full.

Which terms are frequent is guessed from every sixteenth act and then counted exactly. A term without a bitmap for a block
is looked up in FTS5 for that block, so a wrong guess costs time and nothing else.
"""

from __future__ import annotations

from array import array
from typing import Any

from ledger.catalog.bits import BLOCK, to_block

__all__ = ["SAMPLED", "match", "seal_some", "sealed_blocks"]

SAMPLED = 16
_HOT = 64
_STILL_HOT = 32
_LEAST_SAMPLES = 2
_AT_ONCE = 100


def sealed_blocks(connection: Any) -> int:
    """Return how many whole blocks have their bitmaps."""
    return int(connection.execute("SELECT coalesce(max(block) + 1, 0) FROM columns").fetchone()[0])


def match(connection: Any, expression: str, start: int, end: int, *, most: int = -1) -> list[int]:
    """Return the entries among ``start … end-1`` whose terms match an FTS5 expression, lowest first, ``most`` of them."""
    query = "SELECT rowid FROM terms WHERE terms MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid LIMIT ?"
    return [row[0] for row in connection.execute(query, (expression, start, end, most)).fetchall()]


def seal_some(connection: Any, block: int, after: str) -> str | None:
    """Write the bitmaps of some terms behind ``after`` of a whole block, the columns with the last; inside a transaction.

    Returns the last of these terms; None when the block is done.
    """
    candidates = _candidates(connection, block, after)
    for term, before in candidates:
        found = match(connection, f'"{term}"', block * BLOCK, (block + 1) * BLOCK)
        if len(found) >= (_STILL_HOT if before else _HOT):
            values = (term, block, to_block(found, block * BLOCK))
            connection.execute("INSERT INTO hot VALUES (?, ?, ?)", values)
    if candidates:
        return candidates[-1][0]
    _write_columns(connection, block)
    connection.execute("DELETE FROM samples")
    return None


def _candidates(connection: Any, block: int, after: str) -> list[tuple[str, bool]]:
    """Return the next (term, whether it was frequent in the block before)."""
    query = """
        SELECT term, max(before) FROM (
          SELECT term, 1 AS before FROM hot WHERE block = ? AND term > ?
          UNION ALL SELECT term, 0 FROM samples WHERE count >= ? AND term > ?)
        GROUP BY term ORDER BY term LIMIT ?
    """
    rows = connection.execute(query, (block - 1, after, _LEAST_SAMPLES, after, _AT_ONCE)).fetchall()
    return [(term, bool(before)) for term, before in rows]


def _write_columns(connection: Any, block: int) -> None:
    start, end = block * BLOCK, (block + 1) * BLOCK
    profiles, suppliers = array("I", bytes(4 * BLOCK)), array("I", bytes(4 * BLOCK))
    query = "SELECT idx, profile, supplier FROM acts WHERE idx >= ? AND idx < ?"
    for index, profile, supplier in connection.execute(query, (start, end)):
        profiles[index - start], suppliers[index - start] = profile, supplier
    values = (block, profiles.tobytes(), suppliers.tobytes())
    connection.execute("INSERT INTO columns VALUES (?, ?, ?)", values)
