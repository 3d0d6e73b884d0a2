"""Backups that can be trusted: the two databases as one moment saw them, the documents incrementally, never a key.

    BACKUP/  ledger.db  inbox.db  bening.toml  documents/<aa>/<sha256>  staging/<sha256>

A restored ledger leaves a mark and signs nothing until ``recover`` has shown that nothing newer was published: an old
backup that went on by itself would fork the ledger.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ledger.durable import check_free_space, make_folder, sync_folder, write_over
from ledger.errors import StoreError
from ledger.publisher.fsck import Fault, check_home
from ledger.publisher.home import Home
from ledger.publisher.rebuild import rebuild_files
from ledger.publisher.schema import INBOX_VERSION, LEDGER_VERSION, open_checked
from ledger.publisher.store import Store

__all__ = ["back_up", "check_backup", "restore"]


def back_up(home: Home, target: Path) -> int:
    """Write a backup of ``home`` into ``target``, adding to what is there, and return its tree size.

    Raises:
        StoreError: the target belongs to another ledger, or the disk refuses.
    """
    make_folder(target, 0o700)
    _check_target(home, target)
    check_free_space(target, home.ledger_db.stat().st_size)
    _copy_database(home.inbox_db, target / "inbox.db", INBOX_VERSION)
    _copy_database(home.ledger_db, target / "ledger.db", LEDGER_VERSION)
    copy = _home_at(home, target)
    with Store(copy, read_only=True) as store:
        head = store.head()
        for sha256 in _document_hashes(store):
            source = next((one for one in (home.document(sha256), home.staged(sha256)) if one.is_file()), None)
            if source is None:
                raise StoreError(f"document {sha256} is missing", code="document-lost", sha256=sha256)
            _copy_file(source, target / "documents" / sha256[:2] / sha256)
        for withdrawn in store.roster().withdrawn:
            (target / "documents" / withdrawn[:2] / withdrawn).unlink(missing_ok=True)
    for waiting in home.staging.iterdir():
        if not waiting.name.startswith("."):
            _copy_file(waiting, target / "staging" / waiting.name)
    write_over(target / "bening.toml", (home.path / "bening.toml").read_bytes())
    return head.size if head else 0


def check_backup(target: Path) -> list[Fault]:
    """Restore a backup beside itself with linked documents, run ``fsck`` on it, and return the faults."""
    trial = target.absolute().parent / f".{target.name}.check"
    shutil.rmtree(trial, ignore_errors=True)
    try:
        return check_home(restore(target, trial, link=True))
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def restore(backup: Path, path: Path, *, link: bool = False) -> Home:
    """Make a home at the new folder ``path`` from a backup, marked as restored, and return it.

    Raises:
        StoreError: no backup, the folder is in use, or the disk refuses.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StoreError(f"{path} is in use", code="folder-in-use", path=str(path))
    if not (backup / "ledger.db").is_file() or not (backup / "bening.toml").is_file():
        raise StoreError(f"{backup} is no backup", code="not-a-backup", path=str(backup))
    make_folder(path, 0o750)
    check_free_space(path)
    write_over(path / "RESTORED", b"Restored from a backup. Run: bening recover --from URL|DIR\n")
    for name in ("ledger.db", "inbox.db"):
        _copy_file(backup / name, path / name)
    copy = os.link if link else _copy_file
    for source, target in _kept_files(backup, path):
        make_folder(target.parent)
        copy(source, target)
    make_folder(path / "staging", 0o700)
    write_over(path / "bening.toml", (backup / "bening.toml").read_bytes())
    home = Home.open(path)
    with Store(home) as store:
        rebuild_files(store)
    return home


def _kept_files(backup: Path, path: Path) -> Iterator[tuple[Path, Path]]:
    for source in sorted((backup / "documents").glob("??/*")):
        yield source, path / "public" / "documents" / source.parent.name / source.name
    for source in sorted((backup / "staging").glob("*")):
        yield source, path / "staging" / source.name


def _home_at(home: Home, path: Path) -> Home:
    return Home(path, home.origin, home.founding, home.log_keys, home.url)


def _check_target(home: Home, target: Path) -> None:
    if (target / "bening.toml").exists() and Home.open(target).founding != home.founding:
        raise StoreError(f"{target} holds another ledger's backup", code="not-our-home", path=str(target))


def _document_hashes(store: Store) -> list[str]:
    withdrawn = store.roster().withdrawn
    rows = store.connection.execute("SELECT DISTINCT sha256 FROM documents ORDER BY 1").fetchall()
    return [row[0] for row in rows if row[0] not in withdrawn]


def _copy_database(source: Path, target: Path, version: int) -> None:
    """Copy a live database as one moment saw it (SQLite's VACUUM INTO), and put it in place in one step."""
    beside = target.with_name(f".{target.name}.new")
    beside.unlink(missing_ok=True)
    connection = open_checked(source, version, read_only=True)
    try:
        connection.execute("VACUUM INTO ?", (str(beside),))
    finally:
        connection.close()
    _sync(beside)
    os.replace(beside, target)
    sync_folder(target.parent)


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file durably unless one of the same size is there."""
    if target.exists() and target.stat().st_size == source.stat().st_size and target.suffix != ".db":
        return
    make_folder(target.parent)
    check_free_space(target.parent, source.stat().st_size)
    beside = target.with_name(f".{target.name}.new")
    shutil.copyfile(source, beside)
    _sync(beside)
    os.replace(beside, target)
    sync_folder(target.parent)


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
