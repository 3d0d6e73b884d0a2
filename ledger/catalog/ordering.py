"""Order: the hits of a search one after the other, by entry, by the paper's date or by value, without sorting them all.

Acts without a value come last; acts that are equal follow each other as their entries do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from ledger.catalog.bits import highest, lowest
from ledger.catalog.filters import Filter
from ledger.catalog.finder import Finder
from ledger.catalog.folding import VALUED

__all__ = ["ordered"]

_FEW = 2000


def ordered(finder: Finder, wanted: Filter, hits: int) -> Iterator[int]:
    """Yield the entries ``hits`` in the order of the filter; what is not asked for is mostly not looked at."""
    name, down = wanted.sort.lstrip("-"), wanted.sort.startswith("-")
    if name == "recorded":
        yield from highest(hits) if down else lowest(hits)
    elif name == "signed":
        years = sorted(wanted.year) or ["0000", "9999"]
        yield from _by_column(finder, hits, f"signed_on >= '{years[0]}' AND signed_on <= '{years[-1]}-99'", "signed_on", down)
    else:
        valued = hits & finder.every(VALUED)
        yield from _by_column(finder, valued, "amount IS NOT NULL", "amount", down)
        yield from highest(hits & ~valued) if down else lowest(hits & ~valued)


def _by_column(finder: Finder, hits: int, where: str, column: str, down: bool) -> Iterator[int]:
    direction = "DESC" if down else "ASC"
    order = f"ORDER BY {column} {direction}, idx {direction}"
    count = hits.bit_count()
    if count <= _FEW:
        query = f"SELECT idx FROM acts WHERE idx IN (SELECT value FROM json_each(?)) {order}"
        yield from (row[0] for row in finder.connection.execute(query, (json.dumps(list(lowest(hits))),)).fetchall())
        return
    marks = hits.to_bytes((finder.size >> 3) + 1, "little")
    for (index,) in finder.connection.execute(f"SELECT idx FROM acts WHERE {where} {order}"):
        if index < finder.size and marks[index >> 3] >> (index & 7) & 1:
            yield index
            count -= 1
            if not count:
                return
