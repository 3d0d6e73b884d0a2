"""``search.db``: the catalogue is made anew in a temporary folder, and what the two say is compared.

Which terms have bitmaps, and samples, depend on when a block was full; so bitmaps are compared where both have one. After a
withdrawal samples and what was fed are not as in a new catalogue, and are passed over.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ledger.catalog.schema import meta, open_existing
from ledger.publisher.catalogue import check_catalogue, make_catalogue
from ledger.publisher.fault import Fault
from ledger.publisher.home import Home
from ledger.publisher.store import Store

__all__ = ["check_search"]

_SAME = {
    "sqlite_master": "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2",
    "acts": "SELECT * FROM acts ORDER BY idx",
    "profiles": "SELECT * FROM profiles ORDER BY id",
    "facets": "SELECT * FROM facets ORDER BY code",
    "words": "SELECT * FROM words ORDER BY word",
    "texts": "SELECT * FROM texts ORDER BY idx, sha256",
    "terms": "SELECT term, doc FROM temp.vocabulary",
}
_UNLESS_WITHDRAWN = {
    "samples": "SELECT * FROM samples ORDER BY term",
    "fed": "SELECT * FROM fed ORDER BY idx",
}
_WHERE_BOTH = {
    "hot": ("SELECT term, block, bits FROM hot", "SELECT term, block, bits FROM hot WHERE (term, block) = (?, ?)"),
    "columns": ("SELECT block, 0, * FROM columns", "SELECT block, 0, * FROM columns WHERE block = ? + ?"),
}


def check_search(home: Home, store: Store) -> Iterator[Fault]:
    """Yield the faults of the catalogue; one that is missing is made at the next start."""
    glance = [Fault(code, {"path": str(home.search_db), **values}) for code, values in check_catalogue(home, store)]
    yield from glance
    connection = None if glance else open_existing(home.search_db, read_only=True)
    if connection is None:
        return
    with contextlib.closing(connection), tempfile.TemporaryDirectory() as folder:
        problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]  # that indexes say what their tables say, too
        if problem != "ok":
            yield Fault("catalogue-damaged", {"path": str(home.search_db), "problem": problem})
            return
        connection.execute("BEGIN")
        size = int(meta(connection, "size"))
        if size != store.published_size():  # more was published meanwhile
            return
        make_catalogue(store, Path(folder) / "search.db")
        for table in _differences(connection, Path(folder) / "search.db"):
            yield Fault("catalogue", {"path": str(home.search_db), "size": size, "table": table})


def _differences(connection: Any, path: Path) -> Iterator[str]:
    """Yield the tables that say something else in the catalogue at ``path``."""
    tables = _SAME | ({} if meta(connection, "withdrawn") else _UNLESS_WITHDRAWN)
    made = open_existing(path, read_only=True)
    if made is None:
        return
    with contextlib.closing(made):
        for one in (connection, made):
            one.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, terms, instance)")
        for table, query in tables.items():
            if any(ours != theirs for ours, theirs in zip_longest(connection.execute(query), made.execute(query))):
                yield table
        for table, (every, same) in _WHERE_BOTH.items():
            rows = connection.execute(every)
            if any(theirs not in (None, row) for row in rows for theirs in [made.execute(same, row[:2]).fetchone()]):
                yield table
