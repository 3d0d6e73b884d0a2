"""The complete check of an audit's state: what a run does not need, and what nobody may be accused without.

    file       SQLite's own check of every page
    leaves     the leaf hashes make the root that the head carries
    index      the rows of the acts have the checksums of when they were read, and make the rest of the index again

It costs as much as the state is large, so it is made before an accusation, when it is asked for, and (but for the index)
whenever a small state is opened. What it finds is this machine's damage, never the ledger's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.errors import LedgerError, StoreError
from ledger.index import SCHEMA, TABLES, Rows
from ledger.sqlite import connect, driver
from ledger.tlog.merkle import HASH_SIZE
from ledger.tlog.tiles import TILE_WIDTH
from ledger.verifier.auditschema import damaged
from ledger.verifier.auditstate import AuditState, checksum

__all__ = ["Certainty", "check_file", "check_leaves", "forget_files"]

_BEYOND = 2**62


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
    """Require that the rows are those that were kept, and that the index made of them again is the kept one."""
    fresh = connect("")  # a file of SQLite's own, so that a large ledger does not fill the memory
    try:
        fresh.execute("PRAGMA synchronous = OFF")
        fresh.executescript(SCHEMA)
        fresh.execute("BEGIN")
        for acts, documents in _kept_rows(state):
            made = Rows(whole=False)
            for act in acts:
                made.add_found(act, [one for one in documents if one[0] == act[0]])
            made.write(fresh)
        for name in ("relations", "keys"):
            if not _same(state.connection.execute(TABLES[name]), fresh.execute(TABLES[name])):
                raise damaged(state.folder, name)
    except (LedgerError, ValueError, driver().Error) as error:
        raise error if isinstance(error, StoreError) else damaged(state.folder, str(error)) from None
    finally:
        fresh.close()


def _kept_rows(state: AuditState) -> Iterator[tuple[list[Any], list[Any]]]:
    """Yield the rows of acts and documents, bundle by bundle, each held against its checksum; those of this run, as they are."""
    size = state.head.size
    for number, digest in state.rows("SELECT bundle, rows FROM leaves ORDER BY bundle"):
        start = number * TILE_WIDTH
        kept = state.rows_between(start, min(start + TILE_WIDTH, size))
        if checksum(*kept) != digest:
            raise damaged(state.folder, f"acts from entry {start} on")
        yield kept
    yield state.rows_between(size, _BEYOND)


def _same(kept: Any, made: Any) -> bool:
    return all(row == made.fetchone() for row in kept) and made.fetchone() is None
