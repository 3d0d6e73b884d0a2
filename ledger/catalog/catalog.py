"""The catalogue as readers ask it: pages of hits with facets, streams of all of them, one row, a snippet.

Everything a call answers belongs to one snapshot. Where there is no catalogue yet, it is one of no entries; a catalogue
that was made anew is opened again by the next call. It is derived and proves nothing: whoever shows an act reads it from
its entry.
"""

from __future__ import annotations

import datetime
import json
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from ledger.catalog.counting import count_facets
from ledger.catalog.filters import FACETS, Filter
from ledger.catalog.finder import Finder
from ledger.catalog.marking import mark_hits, snippet_of
from ledger.catalog.memory import Memory
from ledger.catalog.ordering import ordered
from ledger.catalog.rows import Page, Row
from ledger.catalog.schema import open_existing
from ledger.errors import StoreError
from ledger.sqlite import driver

__all__ = ["Catalog", "Page", "Row", "mark_hits"]

_BATCH = 500
_PATIENCE, _SOON = 3.0, 2000
_ROWS = """
SELECT a.idx, a.time, a.id, a.ref, kind.value, form.value, office.value, a.number, a.title, a.signed_on, a.currency, a.value,
  supplier.value, method.value, a.documents
FROM acts a JOIN profiles p ON p.id = a.profile JOIN facets kind ON kind.code = p.kind JOIN facets form ON form.code = p.form
  JOIN facets office ON office.code = p.office LEFT JOIN facets supplier ON supplier.code = a.supplier
  LEFT JOIN facets method ON method.code = p.method
"""


class Catalog:
    """The catalogue at ``path``, for one thread."""

    def __init__(self, path: Path, *, read_only: bool = True, memory: Memory | None = None) -> None:
        """Nothing is opened before it is asked; only a ``Feeder`` writes, whatever ``read_only`` is.

        ``memory`` may be shared by the catalogues of all threads.
        """
        self.path, self.memory = path, memory or Memory()
        self._connection: Any = None
        self._file: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        """Up to which entry the catalogue reaches; 0 where there is none."""
        with self._snapshot() as finder:
            return finder.size if finder else 0

    def search(self, wanted: Filter, *, page: int = 1, per_page: int = 20, size: int | None = None) -> Page:
        """Return one page of the acts that ``wanted`` means, below entry ``size`` if that is given; ``page`` counts from 1."""
        with self._snapshot() as finder:
            if finder is None:
                return Page([], 0, True, {name: [] for name in FACETS})
            finder.columns.extend(finder.connection, finder.size)
            if size is not None and size < finder.size:
                finder = Finder(finder.connection, size, finder.utc_seconds, finder.columns, whole=False)
            hits, start = finder.found(wanted), (page - 1) * per_page
            found = list(islice(ordered(finder, wanted, hits), start, start + per_page))
            return Page(_rows(finder, found), hits.bit_count(), True, count_facets(finder, wanted, hits))

    def each(self, wanted: Filter, size: int) -> Iterator[Row]:
        """Return an iterator over all acts below entry ``size`` that ``wanted`` means, in its order, of one snapshot.

        Raises:
            StoreError: ``catalogue-behind``: it does not reach that far, so that rows would be missing.
        """
        reader = Catalog(self.path, memory=self.memory)
        rows = reader._each(wanted, size)
        next(rows)  # opens the snapshot now, so that what is refused is refused before the first row
        return rows  # type: ignore[return-value]

    def count(self, wanted: Filter, size: int) -> int:
        """Return how many rows ``each`` yields.

        Raises:
            StoreError: ``catalogue-behind``.
        """
        with self._reaching(size) as finder:
            return finder.found(wanted).bit_count()

    def newest(self, count: int) -> list[Row]:
        """Return the newest acts, the newest first."""
        with self._snapshot() as finder:
            if finder is None:
                return []
            rows = finder.connection.execute("SELECT idx FROM acts ORDER BY idx DESC LIMIT ?", (count,)).fetchall()
            return _rows(finder, [row[0] for row in rows])

    def row(self, index: int) -> Row | None:
        """Return the act at ``index``."""
        with self._snapshot() as finder:
            return next(iter(_rows(finder, [index])), None) if finder else None

    def snippet(self, index: int, q: str) -> list[tuple[str, bool]] | None:
        """Return what stands around the first hit in a text of the act, as (piece, whether it is a hit); None without one."""
        return self.snippets([index], q).get(index)

    def snippets(self, indexes: Sequence[int], q: str) -> dict[int, list[tuple[str, bool]]]:
        """Return the snippet of each of some acts that has one."""
        found: dict[int, list[tuple[str, bool]]] = {}
        with self._snapshot() as finder:
            query = "SELECT idx, text FROM texts WHERE idx IN (SELECT value FROM json_each(?)) ORDER BY idx, rowid"
            values = (json.dumps([*indexes]),)
            for index, text in finder.connection.execute(query, values) if finder and q else ():
                if index not in found and (snippet := snippet_of(zlib.decompress(text).decode("utf-8"), q)):
                    found[index] = snippet
        return found

    def close(self) -> None:
        """Close the catalogue; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._file = None, None

    def _each(self, wanted: Filter, size: int) -> Iterator[Row | None]:
        try:
            with self._reaching(size) as finder:
                yield None
                found = ordered(finder, wanted, finder.found(wanted))
                while batch := list(islice(found, _BATCH)):
                    yield from _rows(finder, batch)
        finally:
            self.close()

    @contextmanager
    def _reaching(self, size: int) -> Iterator[Finder]:
        """Open a snapshot of exactly ``size`` entries; one that was published this moment is waited for."""
        deadline = time.monotonic() + _PATIENCE
        while (known := self.size) < size:
            if size - known > _SOON or time.monotonic() > deadline:
                raise StoreError(f"the catalogue reaches {known} of {size}", code="catalogue-behind", size=size, known=known)
            time.sleep(0.02)
        with self._snapshot() as finder:
            if finder is None or finder.size < size:
                raise StoreError(f"the catalogue is gone, {size} were asked", code="catalogue-behind", size=size, known=0)
            yield Finder(finder.connection, size, finder.utc_seconds, finder.columns)

    @contextmanager
    def _snapshot(self) -> Iterator[Finder | None]:
        """Yield a finder in one snapshot; None where there is no catalogue."""
        connection = self._opened()
        if connection is None:
            yield None
            return
        try:
            connection.execute("BEGIN")
            try:
                facts = dict(connection.execute("SELECT key, value FROM meta").fetchall())
                columns = self.memory.of((*(self._file or ()), facts.get("withdrawn")))
                yield Finder(connection, int(facts["size"]), _seconds(facts["utc_offset"]), columns)
            finally:
                connection.execute("ROLLBACK")
        except driver().Error as error:
            self.close()
            raise StoreError(f"{self.path}: {error}", code="catalogue-damaged", path=str(self.path), problem=str(error)) from None

    def _opened(self) -> Any:
        """Return the connection to the file that is there now."""
        try:
            found = self.path.stat()
        except OSError:
            self.close()
            return None
        if self._file != (found.st_dev, found.st_ino):
            self.close()
            self._connection = open_existing(self.path, read_only=True)
            if self._connection is not None:
                self._file = (found.st_dev, found.st_ino)
        return self._connection


def _rows(finder: Finder, found: Sequence[int]) -> list[Row]:
    """Return the rows of the entries ``found``, in that order."""
    query = f"{_ROWS} WHERE a.idx IN (SELECT value FROM json_each(?))"
    by_index = {row[0]: _row(row, finder) for row in finder.connection.execute(query, (json.dumps(found),)).fetchall()}
    return [by_index[index] for index in found if index in by_index]


def _row(row: Sequence[Any], finder: Finder) -> Row:
    index, moment, act_id, ref, kind, form, office, number, title, signed_on, currency, value, supplier, method, documents = row
    utc, local = (datetime.datetime.fromtimestamp(one, datetime.UTC) for one in (moment, moment + finder.utc_seconds))
    return Row(
        index=index,
        time=f"{utc.isoformat()[:19]}Z",
        recorded_on=local.isoformat()[:10],
        id=act_id.hex(),
        ref=ref,
        kind=kind,
        form=form,
        office=office,
        number=number,
        title=title,
        signed_on=signed_on,
        lag_days=(local.date() - datetime.date.fromisoformat(signed_on)).days,
        currency=currency,
        value=value,
        supplier=supplier,
        method=method,
        documents=documents,
    )


def _seconds(utc_offset: str) -> int:
    hours, minutes = int(utc_offset[1:3]), int(utc_offset[4:6])
    return (hours * 3600 + minutes * 60) * (-1 if utc_offset[0] == "-" else 1)
