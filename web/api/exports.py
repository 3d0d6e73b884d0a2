"""Exports: every row of exactly one filter, streamed in bounded memory, ending with its count and its checkpoint.

    JSON    {"records":[…],"filter":{…},"size":…,"checkpoint":"…","count":…}
    JSONL   each line the exact payload that was signed, so that its SHA-256 is the act's id; then
            {"bening":"export","count":…,"size":…,"checkpoint":"…","filter":{…}}
    CSV     a header, the rows, and a last record that begins with ``#end`` (``csvfile``)

The rows are counted before and while they are sent. Where the two differ, or anything else goes wrong, the stream ends
without its end, and the connection breaks: a short export can always be told from a whole one. No transaction stays open
while a slow reader reads: what is below a published size never changes.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ledger.catalog.catalog import Catalog, Row
from ledger.catalog.filters import Filter
from ledger.errors import StoreError
from web.api.rows import Names, Snapshot, filter_json, row_json, site_url, snapshot_of
from web.site import Reading, Site

__all__ = ["Export", "as_json", "as_jsonl", "export_of", "pieces"]

_PIECE = 1 << 16
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Export:
    """What one export needs once it has begun: the filter, the checkpoint, and the ``count`` of rows that it promises."""

    site: Site
    catalog: Catalog
    wanted: Filter
    snapshot: Snapshot
    names: Names
    url: str
    count: int

    def rows(self) -> Iterator[Row]:
        """Yield every row.

        Raises:
            StoreError: ``export-differs``: there were more or fewer than promised.
        """
        found = 0
        for found, row in enumerate(self.catalog.each(self.wanted, self.snapshot.size), 1):  # noqa: B007
            yield row
        if found != self.count:
            raise StoreError(f"{found} rows of {self.count}", code="export-differs", found=found, count=self.count)

    def end(self) -> dict[str, Any]:
        """Return what an export ends with, the count last."""
        return {
            "filter": filter_json(self.wanted),
            "size": self.snapshot.size,
            "checkpoint": self.snapshot.note.decode("utf-8"),
            "count": self.count,
        }


def export_of(reading: Reading, wanted: Filter) -> Export:
    """Return the export of ``wanted`` as it stands now; raises as ``snapshot_of``."""
    snapshot, catalog = snapshot_of(reading), reading.catalog
    count = catalog.count(wanted, snapshot.size)
    return Export(reading.site, catalog, wanted, snapshot, Names(reading.roster), site_url(reading), count)


def as_json(export: Export) -> Iterator[bytes]:
    """Yield one JSON document."""
    yield b'{"records":['
    for n, row in enumerate(export.rows()):
        yield (b",\n" if n else b"\n") + orjson.dumps(row_json(row, export.names))
    yield b"\n]," + orjson.dumps(export.end())[1:] + b"\n"


def as_jsonl(export: Export) -> Iterator[bytes]:
    """Yield the payloads as they were signed, each held against its id.

    Raises:
        StoreError: ``entry-damaged``: a stored payload is not what was signed.
    """
    rows = export.rows()
    while batch := list(itertools.islice(rows, _BATCH)):
        with export.site.read() as reading:
            payloads = _payloads(reading, [row.index for row in batch])
        for row in batch:
            payload = payloads.get(row.index, b"")
            if hashlib.sha256(payload).hexdigest() != row.id:
                raise StoreError(f"entry {row.index}", code="entry-damaged", index=row.index)
            yield payload + b"\n"
    yield orjson.dumps({"bening": "export", **export.end()}) + b"\n"


def _payloads(reading: Reading, indexes: list[int]) -> dict[int, bytes]:
    marks = ", ".join("?" * len(indexes))
    found = reading.store.connection.execute(f"SELECT idx, body FROM acts WHERE idx IN ({marks})", indexes)
    return {index: body.encode("utf-8") for index, body in found.fetchall()}


def pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield ``parts`` gathered to pieces of about 64 KiB."""
    gathered, length = [], 0
    for part in parts:
        gathered.append(part)
        length += len(part)
        if length >= _PIECE:
            yield b"".join(gathered)
            gathered, length = [], 0
    yield b"".join(gathered)
