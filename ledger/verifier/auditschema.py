"""The tables of an audit's state, and its head.

    acts, relations, …   ledger.index, made from the entries
    leaves               of the entries that have been read, one row for each bundle: their leaf hashes, their times, and a
                         checksum of their rows in ``acts`` and ``documents``
    rosters              the roster payloads, with their places
    unchecked            entries of a later version: counted, never called false
    buckets, papers      look-up files and documents: which were in order, and in which run they were seen last
    findings, people, delays, late, numbered   what the acts give to look at (``findings``)
    disputed             acts of keys that were revoked from before them on
    evidence             two signed checkpoints that cannot both be true
    marks                how far, and by which rules, the acts have been taken into the tables above
    head                 one row: the position, the newest accepted checkpoint, and their checksum

What an older version kept is read anew; the checkpoint that it accepted, and its evidence, stay.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ledger.errors import StoreError
from ledger.index import SCHEMA
from ledger.records.entry import NO_ROSTER
from ledger.sqlite import transaction
from ledger.tlog.merkle import Frontier

__all__ = ["Head", "damaged", "prepare", "read_head", "require_founding", "save_head"]

VERSION = 4

_NAME = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)")

_TABLES = """
CREATE TABLE IF NOT EXISTS leaves (
  bundle INTEGER PRIMARY KEY, newest TEXT NOT NULL, times TEXT NOT NULL, hashes BLOB NOT NULL, rows BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS rosters (idx INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS unchecked (idx INTEGER PRIMARY KEY, code TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS buckets (
  name TEXT PRIMARY KEY, length INTEGER NOT NULL, digest BLOB NOT NULL, stale INTEGER NOT NULL, seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS papers (
  sha256 TEXT NOT NULL, size INTEGER NOT NULL, stale INTEGER NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (sha256, size)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS papers_seen ON papers (stale, seen);
CREATE TABLE IF NOT EXISTS findings (
  rule TEXT NOT NULL, place INTEGER NOT NULL, n INTEGER NOT NULL, scope TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (rule, place, n, scope)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS people (idx INTEGER NOT NULL, who INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS delays (
  office TEXT NOT NULL, days INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (office, days)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS late (
  office TEXT NOT NULL, days INTEGER NOT NULL, idx INTEGER NOT NULL, ref TEXT NOT NULL, PRIMARY KEY (office, days DESC, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbered (office TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS disputed (idx INTEGER PRIMARY KEY, ref TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS evidence (kept BLOB NOT NULL, shown BLOB NOT NULL, PRIMARY KEY (kept, shown)) STRICT;
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
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


def read_head(folder: Path, connection: Any) -> Head | None:
    """Return the head that is kept, None where nothing has been; raises StoreError if it is damaged."""
    row = connection.execute("SELECT value, digest FROM head").fetchone()
    if row is None:
        return None
    if hashlib.sha256(row[0].encode("utf-8")).hexdigest() != row[1]:
        raise damaged(folder, "checksum")
    return Head(**json.loads(row[0]))


def require_founding(folder: Path, head: Head | None, founding: str) -> None:
    """Refuse a state that is another ledger's."""
    if head is not None and head.founding != founding:
        raise StoreError(
            f"{folder} holds the audit of {head.founding}",
            code="audit-state-other", folder=str(folder), founding=head.founding[:16], expected=founding[:16],
        )  # fmt: skip


def save_head(connection: Any, head: Head) -> None:
    """Write the head with its checksum."""
    value = json.dumps(asdict(head), sort_keys=True)
    digest = hashlib.sha256(value.encode("ascii")).hexdigest()
    connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (value, digest))


def prepare(folder: Path, connection: Any, founding: str) -> None:
    """Make the tables; empty those of an older version, but for its newest checkpoint and its evidence."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
    if version == VERSION and set(_NAME.findall(SCHEMA + _TABLES)) <= set(tables):
        return
    if version == VERSION:
        raise damaged(folder, "tables")
    if version > VERSION:
        raise StoreError(f"{folder} is of version {version}", code="audit-state-newer", folder=str(folder), version=version)
    earlier = read_head(folder, connection) if "head" in tables else None
    require_founding(folder, earlier, founding)
    with transaction(connection):
        for name in tables:
            if name not in ("head", "evidence") and not name.startswith("sqlite_"):
                connection.execute(f'DROP TABLE "{name}"')
        for statement in (SCHEMA + _TABLES).split(";"):
            connection.execute(statement)
        if earlier is not None:
            size, root, note = earlier.kept_size, earlier.kept_root, earlier.kept_note
            save_head(connection, Head(earlier.founding, kept_size=size, kept_root=root, kept_note=note))
        connection.execute(f"PRAGMA user_version = {VERSION}")


def damaged(folder: Path, problem: str) -> StoreError:
    """Return the error that says that this machine's notes are damaged, and that this accuses nobody."""
    return StoreError(f"{folder}: {problem}", code="audit-state-damaged", folder=str(folder), problem=problem)
