"""The tables of a home's two databases, and their upgrade.

``ledger.db`` is append-only by triggers. BEFORE UPDATE and DELETE alone would not do: ``INSERT OR REPLACE`` overwrites a
row without firing them while ``recursive_triggers`` is off, so a BEFORE INSERT trigger refuses a key that exists. The
index tables are derived and carry no triggers. There is no table of tiles: tiles are derived from leaf hashes.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from ledger.errors import StoreError
from ledger.index import SCHEMA as INDEX_SCHEMA
from ledger.sqlite import connect, driver

__all__ = ["INBOX_VERSION", "LEDGER_VERSION", "create_inbox", "create_ledger", "expected_schema", "open_checked"]

LEDGER_VERSION = 2
INBOX_VERSION = 1

_LEDGER = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE entries (
  idx INTEGER PRIMARY KEY, id TEXT NOT NULL, leaf BLOB NOT NULL CHECK (length(leaf) = 32), data BLOB NOT NULL
) STRICT;
CREATE TABLE rosters (idx INTEGER PRIMARY KEY REFERENCES entries (idx)) STRICT;
CREATE TABLE heads (
  size INTEGER PRIMARY KEY, root BLOB NOT NULL CHECK (length(root) = 32), time TEXT NOT NULL
) STRICT;
CREATE TABLE frontiers (size INTEGER PRIMARY KEY REFERENCES heads (size), hashes BLOB NOT NULL) STRICT;
CREATE TABLE signatures (
  size INTEGER NOT NULL REFERENCES heads (size), key TEXT NOT NULL, line BLOB NOT NULL, PRIMARY KEY (size, key)
) STRICT;
CREATE TABLE published (size INTEGER PRIMARY KEY REFERENCES heads (size), time TEXT NOT NULL) STRICT;
CREATE TABLE notes (n INTEGER PRIMARY KEY, time TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
"""

_KEYS = {
    "meta": "key = NEW.key",
    "entries": "idx = NEW.idx",
    "rosters": "idx = NEW.idx",
    "heads": "size = NEW.size",
    "frontiers": "size = NEW.size",
    "signatures": "size = NEW.size AND key = NEW.key",
    "published": "size = NEW.size",
    "notes": "n = NEW.n",
}

_INBOX = """
CREATE TABLE submissions (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, time INTEGER NOT NULL, envelope BLOB NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'integrated', 'refused')), reasons TEXT
) STRICT;
CREATE INDEX submissions_id ON submissions (id);
CREATE INDEX submissions_pending ON submissions (n) WHERE state = 'pending';
"""


def _triggers() -> str:
    made = []
    for table, same in _KEYS.items():
        for event in ("UPDATE", "DELETE"):
            made.append(
                f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
            )
        made.append(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
        )
    return "\n".join(made)


def create_ledger(path: Path) -> None:
    """Make an empty ``ledger.db``."""
    _create(path, _LEDGER + _triggers() + INDEX_SCHEMA, LEDGER_VERSION)


def create_inbox(path: Path) -> None:
    """Make an empty ``inbox.db``."""
    _create(path, _INBOX, INBOX_VERSION)


@functools.cache
def expected_schema(name: str) -> frozenset[tuple[str, str, str, str]]:
    """Return (type, name, table, SQL) of all that ``ledger.db`` or ``inbox.db`` is made of, by the name without ``.db``."""
    connection = connect(":memory:")
    try:
        for statement in _statements({"ledger": _LEDGER + _triggers() + INDEX_SCHEMA, "inbox": _INBOX}[name]):
            connection.execute(statement)
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        return frozenset(connection.execute(query).fetchall())
    finally:
        connection.close()


def open_checked(path: Path, version: int, *, read_only: bool = False) -> Any:
    """Open a database of the home and check that this program knows its version.

    Raises:
        StoreError: missing, no database, or of another version.
    """
    if not path.is_file():
        raise StoreError(f"{path} is missing", code="database", path=str(path), problem="missing")
    connection = connect(path, read_only=read_only)
    try:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
    except driver().Error as error:
        raise StoreError(f"{path}: {error}", code="database", path=str(path), problem=str(error)) from None
    if found != version:
        connection.close()
        code = "store-older" if 0 < found < version else "store-version"
        values = {"path": str(path), "home": str(path.parent), "found": found, "known": version}
        raise StoreError(f"{path} has version {found}", code=code, **values)
    return connection


def _create(path: Path, schema: str, version: int) -> None:
    from sqlite_utils import Database, Migrations

    connection = connect(path)
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL")
    migrations = Migrations("bening")

    def first(database: Database) -> None:
        for statement in _statements(schema):
            database.conn.execute(statement)

    migrations(name="0001")(first)
    migrations.apply(Database(connection))
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def _statements(schema: str) -> list[str]:
    """Split a schema at the semicolons that end a statement; a trigger ends with ``END;``."""
    statements, current = [], ""
    for part in schema.split(";"):
        current += part
        if "CREATE TRIGGER" in current and not current.rstrip().endswith("END"):
            current += ";"
            continue
        if current.strip():
            statements.append(current)
        current = ""
    return statements
