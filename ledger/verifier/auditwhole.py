"""The complete check of an audit's state: what a run does not need, and what nobody may be accused without.

    file       SQLite's own check of every page
    leaves     the leaf hashes make the root that the head carries
    index      the acts' own bytes make the index again

It costs as much as the state is large, so it is made before an accusation, when it is asked for, and (but for the index)
whenever a small state is opened. What it finds is this machine's damage, never the ledger's.
"""

from __future__ import annotations

from typing import Any

from ledger.errors import LedgerError, StoreError
from ledger.index import SCHEMA, TABLES, Batch, Index
from ledger.records.record import parse_record
from ledger.sqlite import connect, driver
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.tiles import TILE_WIDTH
from ledger.verifier.auditschema import damaged
from ledger.verifier.auditstate import AuditState

__all__ = ["Certainty", "check_file", "check_leaves", "forget_files"]

_TOGETHER = 1024  # acts


class Certainty:
    """Makes sure, once in a run, that what an accusation stands on is sound; a state begun in this run is."""

    def __init__(self, state: AuditState) -> None:
        self.state = state
        self.needed = state.resumed

    def require(self) -> None:
        """Check the whole state, unless that has been done.

        Raises:
            StoreError: it is damaged: nothing can be said about the ledger.
        """
        if self.needed:
            check_file(self.state)
            check_leaves(self.state)
            check_index(self.state)
        self.needed = False


def forget_files(state: AuditState) -> None:
    """Forget what was seen of the files beside the tree, and what the acts gave to look at: all of it is made again."""
    with state.transaction():
        for table in ("buckets", "papers", "findings", "people", "delays", "late", "numbered", "marks", "disputed"):
            state.connection.execute(f"DELETE FROM {table}")


def check_file(state: AuditState) -> None:
    """Let SQLite check its file."""
    (problem,) = state.connection.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        raise damaged(state.folder, str(problem))


def check_leaves(state: AuditState) -> None:
    """Require that the leaf hashes stand in their rows and make the root of what has been read."""
    widths = state.rows("SELECT bundle, length(hashes) FROM leaves ORDER BY bundle")
    size = state.head.size
    expected = [(at // TILE_WIDTH, min(TILE_WIDTH, size - at) * HASH_SIZE) for at in range(0, size, TILE_WIDTH)]
    if widths != expected or state.root_at(size) != state.head.tree().root():
        raise damaged(state.folder, "leaf hashes")


def check_index(state: AuditState) -> None:
    """Make the index again from the acts' own bytes, and require that it is the kept one."""
    fresh = connect("")  # a file of SQLite's own, so that a large ledger does not fill the memory
    try:
        fresh.execute("PRAGMA synchronous = OFF")
        fresh.executescript(SCHEMA)
        fresh.execute("BEGIN")
        acts = state.connection.execute("SELECT idx, time, body FROM acts ORDER BY idx")
        while some := acts.fetchmany(_TOGETHER):
            batch = Batch(Index(fresh), with_ids=False)
            for place, time, body in some:
                batch.add(parse_record(body.encode("utf-8")), index=place, time=time)
            batch.write()
        for name, query in TABLES.items():
            if not _same(state.connection.execute(query), fresh.execute(query)):
                raise damaged(state.folder, name)
    except (LedgerError, ValueError, driver().Error) as error:
        raise error if isinstance(error, StoreError) else damaged(state.folder, str(error)) from None
    finally:
        fresh.close()


def _same(kept: Any, made: Any) -> bool:
    return all(row == made.fetchone() for row in kept) and made.fetchone() is None
