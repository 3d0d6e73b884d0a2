"""The one way in which Bening opens SQLite.

Versions 3.7.0 to 3.51.2 can corrupt a database when several connections write and checkpoint at once (the WAL-reset bug,
fixed in 3.51.3). PyPI's ``pysqlite3`` carries a newer one and is preferred; an older library is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ledger.errors import StoreError

__all__ = ["LEAST_VERSION", "check_version", "connect", "database_trouble", "driver", "transaction"]

LEAST_VERSION = (3, 51, 3)


def driver() -> ModuleType:
    """Return the DB-API module: ``pysqlite3`` where it is installed, else the standard library's."""
    try:
        import pysqlite3
    except ImportError:
        import sqlite3

        return sqlite3
    module: ModuleType = pysqlite3
    return module


def check_version(version: tuple[int, ...] | None = None) -> None:
    """Refuse an SQLite library with the WAL-reset bug.

    Raises:
        StoreError: older than ``LEAST_VERSION``.
    """
    found = version or driver().sqlite_version_info
    if tuple(found) < LEAST_VERSION:
        shown, least = (".".join(map(str, one)) for one in (found, LEAST_VERSION))
        raise StoreError(f"SQLite {shown} is older than {least}", code="old-sqlite", found=shown, least=least)


def connect(path: Path | str, *, read_only: bool = False) -> Any:
    """Return a connection in autocommit mode; transactions are begun by hand.

    Raises:
        StoreError: an SQLite library that must not be used, or a file that is no database of ours.
    """
    check_version()
    sqlite = driver()
    try:
        uri = Path(path).absolute().as_uri() + "?mode=ro" if read_only else str(path)
        connection = sqlite.connect(uri, uri=read_only, isolation_level=None, timeout=10, check_same_thread=False)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite.Error as error:
        raise StoreError(f"{path}: {error}", code="database", path=str(path), problem=str(error)) from None
    except UnicodeDecodeError as error:  # what SQLite says, with a damaged schema quoted in it
        problem = error.object.decode("utf-8", "replace")
        raise StoreError(f"{path}: {problem}", code="database", path=str(path), problem=problem) from None
    return connection


@contextlib.contextmanager
def transaction(connection: Any) -> Iterator[None]:
    """Run the body in one ``BEGIN IMMEDIATE`` transaction: all of it is kept, or nothing.

    Raises:
        StoreError: the database refused; nothing was kept, or, where COMMIT itself failed, it is not known.
    """
    sqlite = driver()
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite.Error):  # SQLite has already rolled back, or cannot; closing it does the same
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    except sqlite.Error as error:
        raise database_trouble(error) from error


def database_trouble(error: Exception, path: Path | str = "") -> StoreError:
    """Return what an error of SQLite means: ``disk-full`` or ``database``."""
    code = "disk-full" if "is full" in str(error) else "database"
    return StoreError(f"database: {error}", code=code, path=str(path), problem=str(error), free=0)
