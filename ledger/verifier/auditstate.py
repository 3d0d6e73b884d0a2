"""What an audit keeps between runs: one SQLite file in a folder, written so that a kill at any moment loses nothing.

    acts, relations, documents, keys      ledger.index, made from the entries
    entries                               leaf hash and time of each entry that has been read
    rosters                               the roster payloads, with their places
    unchecked                             entries of a later version: counted, never called false
    todo                                  documents that have still to be seen in order
    evidence                              two signed checkpoints that cannot both be true
    head                                  one row: the position, the newest accepted checkpoint, and their checksum

Results and position move in one transaction. This machine's own damage and a lying ledger are different messages
(golang/go#38348): the state is checked when it is opened, and its index once more before anybody is accused because of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError, StoreError
from ledger.index import SCHEMA, TABLES, Index
from ledger.records.entry import NO_ROSTER
from ledger.records.envelope import Envelope, dump_envelope, load_envelope
from ledger.records.record import Record, parse_record
from ledger.records.roster import Roster, apply_roster, judge_roster
from ledger.sqlite import connect, driver, transaction
from ledger.tlog.merkle import Frontier

__all__ = ["AuditState", "Evidence", "Head", "open_state"]

_TABLES = """
CREATE TABLE IF NOT EXISTS entries (idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL, time TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS rosters (idx INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS unchecked (idx INTEGER PRIMARY KEY, code TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS todo (kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evidence (kept BLOB NOT NULL, shown BLOB NOT NULL, PRIMARY KEY (kept, shown)) STRICT;
CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), value TEXT NOT NULL, digest TEXT NOT NULL) STRICT;
"""
@dataclass(frozen=True, slots=True)
class Head:
    """How far an audit has read, and the newest checkpoint that it accepted.

    ``prev``, ``time`` and ``roster`` are what the next entry continues. ``blind`` tells why the roster is not known any
    more: an ``entry`` of a later version may have changed it, or a ``roster`` payload of a later version did.
    """

    founding: str
    size: int = 0
    frontier: str = ""
    prev: str = ""
    time: str = ""
    roster: str = NO_ROSTER
    blind: str = ""
    kept_size: int = -1
    kept_root: str = ""
    kept_note: str = ""

    def tree(self) -> Frontier:
        """Return the frontier of the entries that have been read."""
        return Frontier.from_bytes(self.size, bytes.fromhex(self.frontier))

    def grown(self, leaf: bytes, *, time: str, roster: str, blind: str) -> Head:
        """Return the head one entry later."""
        tree = self.tree().extend([leaf])
        return replace(
            self,
            size=tree.size,
            frontier=tree.to_bytes().hex(),
            prev=leaf.hex(),
            time=time,
            roster=roster,
            blind=blind,
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two checkpoints, both accepted by the policy, that cannot both be true; and the files that hold them."""

    kept: bytes
    shown: bytes
    files: tuple[str, str] = field(default=("", ""))


class AuditState:
    """The state of one audited ledger, on one connection; made by ``open_state``."""

    def __init__(self, folder: Path, connection: Any, founding: str) -> None:
        self.folder, self.connection = folder, connection
        self.index = Index(connection)
        self.head = self._load_head(founding)
        self.roster = self._load_roster()
        self._check_entries()

    def save(self, head: Head) -> None:
        """Keep ``head``; to be called inside the transaction that keeps the results."""
        value = json.dumps(asdict(head), sort_keys=True)
        digest = hashlib.sha256(value.encode("ascii")).hexdigest()
        self.connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (value, digest))
        self.head = head

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Return a transaction on the state."""
        return transaction(self.connection)

    def add_entry(self, index: int, leaf: bytes, time: str) -> None:
        """Keep the leaf hash and time of an entry."""
        self.connection.execute("INSERT INTO entries VALUES (?, ?, ?)", (index, leaf, time))

    def add_record(self, record: Record, *, index: int, time: str) -> None:
        """Keep an act, and note that its documents have still to be seen."""
        self.index.add(record, index=index, time=time)
        self._add_todo("document", [f"{one['sha256']} {one['size']}" for one in record.documents])

    def add_roster(self, envelope: Envelope, after: Roster, *, index: int) -> None:
        """Keep a roster payload, and the roster ``after`` it."""
        self.connection.execute("INSERT INTO rosters VALUES (?, ?)", (index, dump_envelope(envelope)))
        self.roster = after

    def add_unchecked(self, index: int, code: str, detail: str) -> None:
        """Keep that an entry could not be judged here."""
        self.connection.execute("INSERT INTO unchecked VALUES (?, ?, ?)", (index, code, detail[:500]))

    def unchecked(self) -> list[tuple[int, str, str]]:
        """Return (index, code, detail) of the entries that could not be judged."""
        rows = self.connection.execute("SELECT idx, code, detail FROM unchecked ORDER BY idx").fetchall()
        return [(index, code, detail) for index, code, detail in rows]

    def todo(self, kind: str) -> list[str]:
        """Return what of ``kind`` has still to be seen in order."""
        rows = self.connection.execute("SELECT name FROM todo WHERE kind = ? ORDER BY name", (kind,)).fetchall()
        return [name for (name,) in rows]

    def done(self, kind: str, names: list[str]) -> None:
        """Note that ``names`` have been seen in order."""
        with self.transaction():
            self.connection.executemany("DELETE FROM todo WHERE kind = ? AND name = ?", [(kind, name) for name in names])

    def again(self, kind: str, names: list[str]) -> None:
        """Note that ``names``, though once in order, have to be seen again."""
        with self.transaction():
            self._add_todo(kind, names)

    def documents(self) -> list[str]:
        """Return "sha256 size" of every document that an act names."""
        rows = self.connection.execute("SELECT DISTINCT sha256, size FROM documents ORDER BY 1, 2").fetchall()
        return [f"{sha256} {size}" for sha256, size in rows]

    def buckets(self) -> list[str]:
        """Return "kind/prefix" of every look-up bucket in which an act stands."""
        return [f"{kind}/{prefix}" for kind, prefix in self.index.buckets(0, 2**62)]

    def _add_todo(self, kind: str, names: list[str]) -> None:
        self.connection.executemany("INSERT OR IGNORE INTO todo VALUES (?, ?)", [(kind, name) for name in names])

    def root_at(self, size: int) -> bytes | None:
        """Return the root of the first ``size`` entries, or None where they have not been read."""
        if size > self.head.size:
            return None
        rows = self.connection.execute("SELECT leaf FROM entries WHERE idx < ? ORDER BY idx", (size,))
        return Frontier.empty().extend(leaf for (leaf,) in rows).root()

    def keep_evidence(self, kept: bytes, shown: bytes) -> tuple[str, str] | None:
        """Keep two checkpoints that cannot both be true, in the database and as files; return the files, None if not all is kept.

        Raises nothing where they cannot be written: that must never take the place of the contradiction itself.
        """
        names = _evidence_names(self.folder, kept, shown)
        try:
            with self.transaction():
                self.connection.execute("INSERT OR IGNORE INTO evidence VALUES (?, ?)", (kept, shown))
            for name, note in zip(names, (kept, shown), strict=True):
                Path(name).parent.mkdir(exist_ok=True)
                Path(name).write_bytes(note)
        except (OSError, StoreError, driver().Error):
            return None
        return names

    def evidence(self) -> list[Evidence]:
        """Return what has been kept as evidence, ever."""
        rows = self.connection.execute("SELECT kept, shown FROM evidence").fetchall()
        return [Evidence(kept, shown, _evidence_names(self.folder, kept, shown)) for kept, shown in rows]

    def check_index(self) -> None:
        """Make the index again from the acts' own bytes, and require that it is the kept one.

        Raises:
            StoreError: it is not: this machine's damage.
        """
        fresh = connect(":memory:")
        fresh.executescript(SCHEMA)
        index = Index(fresh)
        try:
            for place, time, body in self.connection.execute("SELECT idx, time, body FROM acts ORDER BY idx").fetchall():
                index.add(parse_record(body.encode("utf-8")), index=place, time=time)
            for query in TABLES.values():
                if fresh.execute(query).fetchall() != self.connection.execute(query).fetchall():
                    raise _damaged(self.folder, query)
        except (LedgerError, driver().Error) as error:
            raise error if isinstance(error, StoreError) else _damaged(self.folder, str(error)) from None
        finally:
            fresh.close()

    def _load_head(self, founding: str) -> Head:
        row = self.connection.execute("SELECT value, digest FROM head").fetchone()
        if row is None:
            return Head(founding)
        if hashlib.sha256(row[0].encode("utf-8")).hexdigest() != row[1]:
            raise _damaged(self.folder, "checksum")
        head = Head(**json.loads(row[0]))
        if head.founding != founding:
            raise StoreError(
                f"{self.folder} holds the audit of {head.founding}",
                code="audit-state-other", folder=str(self.folder), founding=head.founding[:16], expected=founding[:16],
            )  # fmt: skip
        return head

    def _load_roster(self) -> Roster:
        roster = Roster()
        rows = self.connection.execute("SELECT idx, envelope FROM rosters ORDER BY idx").fetchall()
        for index, data in rows:
            envelope = load_envelope(data)
            if judge_roster(roster, envelope, index=index):
                raise _damaged(self.folder, f"roster payload of entry {index}")
            roster = apply_roster(roster, envelope, index=index)
        if not self.head.blind and roster.hash != self.head.roster:
            raise _damaged(self.folder, "roster")
        return roster

    def _check_entries(self) -> None:
        count, last = self.connection.execute("SELECT count(*), max(idx) FROM entries").fetchone()
        if count != self.head.size or (count and last != count - 1):
            raise _damaged(self.folder, "entries")
        if self.root_at(self.head.size) != self.head.tree().root():
            raise _damaged(self.folder, "leaf hashes")


@contextlib.contextmanager
def open_state(folder: Path, founding: str) -> Iterator[AuditState]:
    """Open or begin the state in ``folder`` of the audit of the ledger ``founding``; one audit at a time.

    Raises:
        StoreError: it is damaged (``audit-state-damaged``), another ledger's (``audit-state-other``), in use by another
            audit (``audit-running``), or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StoreError(str(error), code="cannot-write", path=str(folder), problem=str(error)) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"another audit uses {folder}", code="audit-running", folder=str(folder)) from None
        with _translated(folder), contextlib.closing(connect(folder / "audit.db")) as connection:
            yield _opened(folder, connection, founding)
    finally:
        os.close(lock)


def _opened(folder: Path, connection: Any, founding: str) -> AuditState:
    (problem,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        raise _damaged(folder, str(problem))
    connection.executescript(SCHEMA + _TABLES)
    try:
        return AuditState(folder, connection, founding)
    except StoreError:
        raise
    except (LedgerError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}") from None


@contextlib.contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """Turn SQLite's complaints about what is in the file into damage; about disk or locks, they stay what they are."""
    sqlite = driver()
    try:
        yield
    except sqlite.OperationalError as error:
        raise StoreError(str(error), code="database", path=str(folder), problem=str(error)) from None
    except sqlite.Error as error:
        raise _damaged(folder, str(error)) from None
    except StoreError as error:
        if error.code == "database" and any(word in str(error) for word in ("not a database", "malformed")):
            raise _damaged(folder, str(error)) from None
        raise


def _damaged(folder: Path, problem: str) -> StoreError:
    return StoreError(f"{folder}: {problem}", code="audit-state-damaged", folder=str(folder), problem=problem)


def _evidence_names(folder: Path, kept: bytes, shown: bytes) -> tuple[str, str]:
    name = hashlib.sha256(kept + shown).hexdigest()[:12]
    return str(folder / "evidence" / f"{name}-kept.txt"), str(folder / "evidence" / f"{name}-shown.txt")
