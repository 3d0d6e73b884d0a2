"""``upgrade``: a home whose ``ledger.db`` an earlier version wrote. The old database is read, never changed, and kept.

copy     a new, empty database of today's tables beside the home's own; every row of the tables that are not derived
compare  row by row, as bytes
derive   the index of acts, again from the entries
fsck     the copy, against the public files that are there: each must be what the new database would write
cut over ledger.db is kept as ledger.db.v1, and the copy takes its name
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ledger.durable import check_free_space, make_folder, sync_folder
from ledger.errors import StoreError
from ledger.publisher.fsck import Fault, check_home
from ledger.publisher.home import Home
from ledger.publisher.rebuild import rebuild_index
from ledger.publisher.schema import LEDGER_VERSION, create_ledger
from ledger.publisher.store import Store
from ledger.sqlite import connect, driver, transaction

__all__ = ["Upgrade", "migrate", "upgrade", "version_of"]

_TABLES = ("meta", "entries", "rosters", "heads", "frontiers", "signatures", "published", "notes")
_BESIDE = ".upgrade"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade found: the version that was there, the tree size, the faults; ``done``: it has been cut over."""

    found: int
    size: int
    faults: list[Fault]
    done: bool


def upgrade(home: Home, *, check: bool = False, progress: Callable[[int, int], None] | None = None) -> Upgrade:
    """Bring a home up to this version under the lock; with ``check`` only on a copy, and say what would become of it.

    Raises:
        StoreError: a sequencer or the site is running, the version is unknown, or rows do not come across as they were.
    """
    with home.lock() as ours:
        if not ours:
            raise StoreError("a sequencer is running", code="sequencer-running", path=str(home.path))
        found = version_of(home.ledger_db)
        with _copied(home, found) as copy:
            with Store(copy, read_only=True) as store:
                size = store.published_size()
            faults = check_home(copy, progress)
            done = not faults and not check and found != LEDGER_VERSION
            if done:
                _cut_over(home, copy, found)
        return Upgrade(found, size, faults, done)


def migrate(home: Home) -> int:
    """Bring the database of a home that nobody uses yet up to this version, and return the version that it had.

    Raises:
        StoreError: as ``upgrade``.
    """
    found = version_of(home.ledger_db)
    if found != LEDGER_VERSION:
        with _copied(home, found) as copy:
            _cut_over(home, copy, found)
    return found


def version_of(path: Path) -> int:
    """Return the version of a ``ledger.db``.

    Raises:
        StoreError: ``store-version``: it is none that this program can bring up to its own.
    """
    with contextlib.closing(connect(path, read_only=True)) as connection:
        try:
            found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        except driver().Error as error:
            raise StoreError(f"{path}: {error}", code="database", path=str(path), problem=str(error)) from None
    if not 1 <= found <= LEDGER_VERSION:
        raise StoreError(
            f"{path} has version {found}", code="store-version", path=str(path), found=found, known=LEDGER_VERSION
        )
    return found


@contextlib.contextmanager
def _copied(home: Home, found: int) -> Iterator[Home]:
    """Make a home beside, of the same public files and a database of this version, for as long as the block lasts."""
    beside = home.path / _BESIDE
    shutil.rmtree(beside, ignore_errors=True)
    check_free_space(home.path, 2 * home.ledger_db.stat().st_size)
    make_folder(beside, 0o700)
    try:
        for name in ("public", "staging", "inbox.db", "bening.toml"):
            (beside / name).symlink_to((home.path / name).absolute())
        copy = replace(home, path=beside)
        create_ledger(copy.ledger_db)
        _copy_rows(home.ledger_db, copy)
        yield copy
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _copy_rows(old: Path, copy: Home) -> None:
    with Store(copy) as store:
        reading = connect(old, read_only=True)
        with contextlib.closing(reading):
            reading.execute("BEGIN")
            with transaction(store.connection):
                for table in _TABLES:
                    names = _columns(store.connection, table)
                    rows = reading.execute(f"SELECT {names} FROM {table} ORDER BY rowid")
                    marks = ", ".join("?" * (names.count(",") + 1))
                    store.connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
            for table in _TABLES:
                _compare(reading, store.connection, table)
        rebuild_index(store)


def _compare(old: Any, new: Any, table: str) -> None:
    """Require that every row of a table has come across, in its order.

    Raises:
        StoreError: ``upgrade-differs``.
    """
    query = f"SELECT {_columns(new, table)} FROM {table} ORDER BY rowid"
    if any(one != other for one, other in zip_longest(old.execute(query), new.execute(query))):
        raise StoreError(f"rows of {table} differ", code="upgrade-differs", table=table)


def _columns(connection: Any, table: str) -> str:
    return ", ".join(row[1] for row in connection.execute(f"PRAGMA table_info({table})").fetchall())


def _cut_over(home: Home, copy: Home, found: int) -> None:
    """Put the new database in the old one's place, in one step; whatever was in the old one's log is in it first."""
    with contextlib.closing(connect(home.ledger_db)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if home.ledger_db.with_name("ledger.db-wal").exists():  # the last to close a database removes its log
        raise StoreError(f"{home.ledger_db} is in use", code="database-in-use", path=str(home.ledger_db))
    kept = home.ledger_db.with_name(f"ledger.db.v{found}")
    kept.unlink(missing_ok=True)
    os.link(home.ledger_db, kept)
    os.replace(copy.ledger_db, home.ledger_db)
    sync_folder(home.path)
