"""The entries alone, judged again in order as admission judged them; and the index of acts that follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError, Reason
from ledger.index import SCHEMA, TABLES, Index
from ledger.publisher.fault import Fault
from ledger.records.entry import NO_ROSTER, first_prev, parse_entry
from ledger.records.record import RECORD_TYPE, parse_record
from ledger.records.replay import judge
from ledger.records.roster import Roster, apply_roster
from ledger.sqlite import connect
from ledger.tlog.merkle import Frontier, leaf_hash

__all__ = ["Replay"]


class Replay:
    """Entries read in order against a roster and an index of their own; ``roster``, ``frontier`` and ``time`` are after the last.

    ``id`` and ``is_roster`` tell of the newest entry; ``known`` is false once an entry could not be read, so that what
    follows from all of them is not known any more.
    """

    def __init__(self, path: Path, origin: str) -> None:
        """``path`` is the database that faults are told of."""
        self.path, self.connection = path, connect(":memory:")
        self.connection.executescript(SCHEMA)
        self.index = Index(self.connection)
        self.roster, self.frontier = Roster(), Frontier.empty()
        self.prev, self.time = first_prev(origin), ""
        self.id, self.is_roster, self.known = "", False, True

    def close(self) -> None:
        """Drop the index that was made here."""
        self.connection.close()

    def read(self, index: int, data: bytes) -> Iterator[Fault]:
        """Yield the faults of the entry at ``index``, the next one."""
        self.id, self.is_roster = "", False
        yield from self._entry(index, data)
        leaf = leaf_hash(data)
        self.prev, self.frontier = leaf.hex(), self.frontier.extend([leaf])

    def _entry(self, index: int, data: bytes) -> Iterator[Fault]:
        try:
            entry = parse_entry(data)
        except LedgerError as error:
            self.known = False
            yield self._fault("entry", index, problem=str(error))
            return
        self.id, self.is_roster = entry.envelope.id, entry.envelope.payload_type != RECORD_TYPE
        if entry.prev != self.prev:
            yield self._fault("chain", index)
        if entry.roster != (self.roster.hash if index else NO_ROSTER):
            yield self._fault("roster-hash", index)
        if entry.time < self.time:
            yield self._fault("time", index)
        self.time = entry.time
        reasons: list[Reason] = judge(self.roster, self.index, entry.envelope, index=index, time=entry.time)
        if reasons:
            self.known = False
            yield self._fault("judgement", index, problem="; ".join(map(str, reasons)))
        elif not self.is_roster:
            self.index.add(parse_record(entry.envelope.payload), index=index, time=entry.time)
        else:
            self.roster = apply_roster(self.roster, entry.envelope, index=index)
            self.index.add_id(entry.envelope.id, index)

    def compare(self, connection: Any) -> Iterator[Fault]:
        """Yield the differences between the index kept in a database and the one made here."""
        for table, query in TABLES.items():
            both = zip_longest(connection.execute(query), self.connection.execute(query))
            if any(kept != made for kept, made in both):
                yield Fault("index", {"table": table, "path": str(self.path)})

    def _fault(self, code: str, index: int, **values: object) -> Fault:
        return Fault(code, {"index": index, "path": str(self.path), **values})
