"""The store: entries and their leaf hashes, heads, signatures; ``ledger.db``, written only by the sequencer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import LedgerError, StoreError
from ledger.index import Index, key_of
from ledger.publisher.home import Home
from ledger.publisher.schema import LEDGER_VERSION, open_checked
from ledger.records.entry import parse_entry
from ledger.records.roster import Roster, apply_roster
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.merkle import Frontier

__all__ = ["Head", "Store"]


@dataclass(frozen=True, slots=True)
class Head:
    """The tree at one size: its ``root`` (32 bytes) and the time of its last entry."""

    size: int
    root: bytes
    time: str


class Store:
    """The open ``ledger.db`` of a home."""

    def __init__(self, home: Home, *, read_only: bool = False) -> None:
        self.home = home
        self.connection = open_checked(home.ledger_db, LEDGER_VERSION, read_only=read_only)
        self.index = Index(self.connection)
        founding = self.meta("founding")
        if founding is not None and (founding, self.meta("origin")) != (home.founding, home.origin):
            raise StoreError(f"{home.path}: bening.toml names another founding", code="not-our-home", path=str(home.path))

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def meta(self, key: str) -> str | None:
        """Return a fixed fact of this ledger."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def head(self) -> Head | None:
        """Return the newest committed head, signed or not."""
        return self._head("ORDER BY size DESC LIMIT 1")

    def head_at(self, size: int) -> Head | None:
        """Return the head of one size."""
        return self._head("WHERE size = ?", size)

    def signed_head(self) -> Head | None:
        """Return the newest head that carries signatures."""
        return self._head("WHERE size = (SELECT max(size) FROM frontiers)")

    def published_size(self) -> int:
        """Return the size of the newest checkpoint that is out, or 0."""
        return int(self.connection.execute("SELECT coalesce(max(size), 0) FROM published").fetchone()[0])

    def frontier(self, size: int) -> Frontier:
        """Return the frontier that was kept when the head of ``size`` was signed."""
        row = self.connection.execute("SELECT hashes FROM frontiers WHERE size = ?", (size,)).fetchone()
        return Frontier.empty() if row is None else Frontier.from_bytes(size, bytes(row[0]))

    def signature_lines(self, size: int) -> list[bytes]:
        """Return the signature lines of the head of ``size``: the log's in the order in which they were made."""
        rows = self.connection.execute("SELECT line FROM signatures WHERE size = ? ORDER BY rowid", (size,))
        return [bytes(row[0]) for row in rows.fetchall()]

    def leaves(self, start: int, end: int) -> list[bytes]:
        """Return the leaf hashes ``start … end-1``.

        Raises:
            StoreError: some are missing.
        """
        return self._rows("leaf", start, end)

    def entries(self, start: int, end: int) -> list[bytes]:
        """Return the bytes of entries ``start … end-1``.

        Raises:
            StoreError: some are missing.
        """
        return self._rows("data", start, end)

    def entry(self, index: int) -> bytes:
        """Return the bytes of one entry."""
        return self.entries(index, index + 1)[0]

    def index_of(self, entry_id: str) -> int | None:
        """Return the index of the entry with a payload of this id."""
        for index in self.index.places("id", entry_id):
            row = self.connection.execute("SELECT id FROM entries WHERE idx = ?", (index,)).fetchone()
            if row is not None and row[0] == entry_id:
                return index
        return None

    def places_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the index of each entry that has a payload of one of these ids."""
        known = self.index.known([key_of("id", one) for one in ids])
        return {one: index for one in ids if key_of("id", one) in known and (index := self.index_of(one)) is not None}

    def roster_entries(self, size: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield (index, bytes) of the roster's entries among the first ``size``, oldest first."""
        limit = 2**62 if size is None else size
        rows = self.connection.execute(
            "SELECT idx, data FROM entries WHERE idx IN (SELECT idx FROM rosters WHERE idx < ?) ORDER BY idx", (limit,)
        )
        for index, data in rows.fetchall():
            yield index, bytes(data)

    def roster(self, size: int | None = None) -> Roster:
        """Return the roster after the first ``size`` entries (all of them by default).

        Raises:
            StoreError: ``entry-damaged``: a stored roster event can no longer be read.
        """
        roster = Roster()
        for index, data in self.roster_entries(size):
            try:
                roster = apply_roster(roster, parse_entry(data).envelope, index=index)
            except LedgerError as error:
                raise StoreError(f"entry {index}: {error}", code="entry-damaged", index=index) from None
        return roster

    def checkpoint_note(self, size: int) -> bytes:
        """Return the signed note of the head of ``size``, from stored rows.

        Raises:
            StoreError: there is no such signed head.
        """
        head, lines = self.head_at(size), self.signature_lines(size)
        if head is None or not lines:
            raise StoreError(f"no signed head of size {size}", code="entries-missing", start=0, end=size)
        return format_checkpoint(Checkpoint(self.home.origin, size, head.root)) + b"\n" + b"".join(lines)

    def notes(self) -> list[tuple[str, str, str]]:
        """Return (time, what, detail) of what an operator has accepted."""
        return [tuple(row) for row in self.connection.execute("SELECT time, what, detail FROM notes ORDER BY n")]

    def _head(self, where: str, *values: object) -> Head | None:
        row = self.connection.execute(f"SELECT size, root, time FROM heads {where}", values).fetchone()
        return None if row is None else Head(row[0], bytes(row[1]), row[2])

    def _rows(self, column: str, start: int, end: int) -> list[Any]:
        rows = self.connection.execute(
            f"SELECT {column} FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx", (start, end)
        ).fetchall()
        if len(rows) != end - start:
            raise StoreError(f"entries {start} to {end} are not all there", code="entries-missing", start=start, end=end)
        return [bytes(row[0]) for row in rows]
