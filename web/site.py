"""One published ledger, as the process that answers HTTP reads it: one snapshot for each request, and no private key.

What is committed but not yet published is not shown: only with its checkpoint out does an act stand here.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ledger.catalog.catalog import Catalog
from ledger.catalog.memory import Memory
from ledger.errors import StoreError
from ledger.index import Index
from ledger.publisher.home import Home
from ledger.publisher.store import Head, Store
from ledger.publisher.tiles import make_proofs
from ledger.records.entry import Entry, parse_entry
from ledger.records.record import RECORD_TYPE, Record, parse_record
from ledger.records.replay import Act
from ledger.records.roster import Roster

__all__ = ["PublishedActs", "Reading", "Site"]


class PublishedActs(Index):
    """The acts of the first ``size`` entries; later ones are not there yet."""

    def __init__(self, connection: Any, size: int) -> None:
        super().__init__(connection)
        self.size = size

    def relating_to(self, ref: str) -> Sequence[tuple[str, Act]]:
        """Return (relation type, act) of each published act that names ``ref``, oldest first."""
        return [(kind, act) for kind, act in super().relating_to(ref) if act.index < self.size]

    def body(self, ref: str) -> dict[str, Any] | None:
        """Return the whole record that carries ``ref``."""
        return super().body(ref) if self.by_ref(ref) else None

    def payload(self, index: int) -> bytes | None:
        """Return the record's exact bytes of the published act at ``index``."""
        row = self.connection.execute("SELECT body FROM acts WHERE idx = ? AND idx < ?", (index, self.size)).fetchone()
        return None if row is None else str(row[0]).encode("utf-8")

    def _many(self, where: str, values: Sequence[object]) -> list[Act]:
        return [act for act in super()._many(where, values) if act.index < self.size]


class Reading:
    """One snapshot: everything a request reads belongs to one published checkpoint, of ``size`` entries."""

    def __init__(self, site: Site, store: Store, catalog: Catalog) -> None:
        self.site, self.store, self.catalog = site, store, catalog
        self.home = site.home
        self.size = store.published_size()
        self.acts = PublishedActs(store.connection, self.size)

    @functools.cached_property
    def head(self) -> Head:
        """The published head: its root, and the time of its last entry."""
        head = self.store.head_at(self.size)
        if head is None:
            raise StoreError(f"no head of size {self.size}", code="entries-missing", start=0, end=self.size)
        return head

    @functools.cached_property
    def roster(self) -> Roster:
        """The roster after the published entries."""
        return self.site.roster_of(self.store, self.size)

    @functools.cached_property
    def checkpoint(self) -> bytes:
        """The signed note of the published checkpoint."""
        return self.store.checkpoint_note(self.size)

    def entry(self, index: int) -> Entry | None:
        """Return the published entry at ``index``; None where none is."""
        return parse_entry(self.store.entry(index)) if 0 <= index < self.size else None

    def record(self, index: int) -> tuple[Entry, Record] | None:
        """Return entry and record of the act at ``index``; None where no act is (a roster event has no record)."""
        entry = self.entry(index)
        if entry is None or entry.envelope.payload_type != RECORD_TYPE:
            return None
        return entry, parse_record(entry.envelope.payload)

    def proof(self, index: int) -> bytes:
        """Return the ``.tlog-proof`` of a published entry, under this very checkpoint."""
        return make_proofs(self.store, [index], self.size)[0]


class Site:
    """A home, opened once; each thread keeps its own connections."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._here = threading.local()
        self._rosters: dict[int, Roster] = {}
        self._memory = Memory()

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """Read one snapshot of the ledger until the block ends."""
        store, catalog = self._opened()
        store.connection.execute("BEGIN")
        try:
            yield Reading(self, store, catalog)
        finally:
            store.connection.execute("ROLLBACK")

    def roster_of(self, store: Store, size: int) -> Roster:
        """Return the roster after ``size`` entries; replayed once for each of its payloads."""
        query = "SELECT max(idx) FROM rosters WHERE idx < ?"
        last = int(store.connection.execute(query, (size,)).fetchone()[0])
        if last not in self._rosters:
            self._rosters = {last: store.roster(size)}
        return self._rosters[last]

    def _opened(self) -> tuple[Store, Catalog]:
        if not hasattr(self._here, "store"):
            self._here.store = Store(self.home, read_only=True)
            self._here.catalog = Catalog(self.home.search_db, read_only=True, memory=self._memory)
        return self._here.store, self._here.catalog
