"""The tables of ``search.db``.

    acts      one row an act: what lists show; kind, form, office, year and method by way of a profile
    profiles  each combination of kind, form, office, year and method that occurs, and how often
    facets    values of facets by code, and how often each occurs
    terms     FTS5 over the terms of each act (``folding``), without positions and without the texts themselves
    words     the words of letters that acts have: what a beginning may mean
    hot       terms that many acts have, as bitmaps of whole blocks (``blocks``)
    columns   profile and supplier of each act of whole blocks
    samples   how often terms occur in every sixteenth act of the block that grows
    meta      size and leaf: up to which entry it reaches; founding, utc_offset; sealed: the last term of a block that is
              being written; withdrawn: how many texts were taken out
    texts     the texts of documents, compressed, for snippets; fed: the terms of acts that have such texts

FTS5 answers what is rare, bitmaps what is frequent, so that an exact count never walks through a long list.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ledger.errors import StoreError
from ledger.sqlite import connect, driver, transaction

__all__ = ["ACT_COLUMNS", "VERSION", "create", "meta", "open_existing", "remove_files", "set_meta"]

VERSION = 1
ACT_COLUMNS = "idx, time, id, ref, profile, number, title, signed_on, currency, value, supplier, documents"

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE facets (
  code INTEGER PRIMARY KEY, facet TEXT NOT NULL, value TEXT NOT NULL, count INTEGER NOT NULL, UNIQUE (facet, value)
) STRICT;
CREATE INDEX facets_count ON facets (facet, count);
CREATE TABLE profiles (
  id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, form INTEGER NOT NULL, office INTEGER NOT NULL, year INTEGER NOT NULL,
  method INTEGER NOT NULL, count INTEGER NOT NULL, UNIQUE (kind, form, office, year, method)
) STRICT;
CREATE TABLE acts (
  idx INTEGER PRIMARY KEY, time INTEGER NOT NULL, id BLOB NOT NULL, ref TEXT NOT NULL, profile INTEGER NOT NULL,
  number TEXT, title TEXT NOT NULL, signed_on TEXT NOT NULL, currency TEXT, value TEXT, amount BLOB,
  supplier INTEGER NOT NULL, documents INTEGER NOT NULL
) STRICT;
CREATE INDEX acts_signed ON acts (signed_on);
CREATE INDEX acts_amount ON acts (amount) WHERE amount IS NOT NULL;
CREATE VIRTUAL TABLE terms USING fts5 (text, content='', detail=none, columnsize=0, tokenize="ascii tokenchars '+/#$=^'");
CREATE TABLE words (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE hot (term TEXT NOT NULL, block INTEGER NOT NULL, bits BLOB NOT NULL, UNIQUE (term, block)) STRICT;
CREATE TABLE columns (block INTEGER PRIMARY KEY, profiles BLOB NOT NULL, suppliers BLOB NOT NULL) STRICT;
CREATE TABLE samples (term TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE texts (
  idx INTEGER NOT NULL, sha256 TEXT NOT NULL, text BLOB NOT NULL, PRIMARY KEY (idx, sha256)
) STRICT;
CREATE INDEX texts_sha256 ON texts (sha256);
CREATE TABLE fed (idx INTEGER PRIMARY KEY, own BLOB NOT NULL, terms BLOB NOT NULL) STRICT;
"""


def create(path: Path, facts: dict[str, str]) -> Any:
    """Make an empty catalogue in place of what is at ``path``, and return a connection to it."""
    remove_files(path)
    connection = connect(path)
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL")
    with transaction(connection):
        for statement in _SCHEMA.split(";"):
            if statement.strip():
                connection.execute(statement)
        connection.execute("INSERT INTO terms (terms, rank) VALUES ('secure-delete', 1)")
        for key, value in facts.items():
            set_meta(connection, key, value)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    return connection


def open_existing(path: Path, *, read_only: bool) -> Any | None:
    """Return a connection to the catalogue at ``path``; None where there is none of this version.

    Raises:
        StoreError: it is damaged or cannot be read.
    """
    if not path.is_file():
        return None
    connection = connect(path, read_only=read_only)
    try:
        connection.execute("PRAGMA cache_size = -16000")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
    except driver().Error as error:
        connection.close()
        raise StoreError(f"{path}: {error}", code="catalogue-damaged", path=str(path), problem=str(error)) from None
    if found == VERSION:
        return connection
    connection.close()
    return None


def remove_files(path: Path) -> None:
    """Remove a catalogue; whoever reads it keeps reading the removed one until the next request."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def meta(connection: Any, key: str) -> str:
    """Return a fact of the catalogue, empty where it is not there."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return "" if row is None else str(row[0])


def set_meta(connection: Any, key: str, value: str) -> None:
    """Keep a fact of the catalogue."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
