"""Backups that can be trusted: the two databases as one moment saw them, the documents incrementally, never a key.

    BACKUP/  ledger.db  inbox.db  bening.toml  documents/<aa>/<sha256>  staging/<sha256>

A restored ledger leaves a mark and signs nothing until ``recover`` has shown that nothing newer was published: an old
backup that went on by itself would fork the ledger.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from ledger.durable import check_free_space, make_folder, sync_folder, write_over
from ledger.errors import StoreError
from ledger.publisher.catalogue import keep_catalogue
from ledger.publisher.fsck import Fault, check_home
from ledger.publisher.home import Home
from ledger.publisher.rebuild import rebuild_files
from ledger.publisher.schema import INBOX_VERSION, LEDGER_VERSION, open_checked
from ledger.publisher.store import Store
from ledger.sqlite import driver
from ledger.tlog.merkle import Frontier, leaf_hash

__all__ = ["back_up", "check_backup", "restore"]

_DATABASES = ("ledger.db", "inbox.db")
_NEW = ".new"


def back_up(home: Home, target: Path, *, check: bool = False) -> tuple[int, list[Fault]]:
    """Write a backup of ``home`` into ``target``, adding to what is there; return its tree size and its faults.

    The new copies stand beside the last ones until they have been found sound: always that their entries lead to the
    stored root, with ``check`` everything, on a trial restore. Faulty copies are dropped and the last backup stays. The
    databases of the backup before are kept as ``*.previous``.

    Raises:
        StoreError: the target belongs to another ledger, the new copy is damaged, or the disk refuses.
    """
    make_folder(target, 0o700)
    _check_target(home, target)
    check_free_space(target, home.ledger_db.stat().st_size)
    if not (target / "bening.toml").exists():
        write_over(target / "bening.toml", (home.path / "bening.toml").read_bytes())
    try:
        _copy_database(home.inbox_db, target / f"inbox.db{_NEW}", INBOX_VERSION)
        _copy_database(home.ledger_db, target / f"ledger.db{_NEW}", LEDGER_VERSION)
        size = _check_copy(target / f"ledger.db{_NEW}")
        withdrawn = _copy_documents(home, target)
        faults = _on_trial(target) if check else []
        if not faults:
            _put_in_place(target)
            write_over(target / "bening.toml", (home.path / "bening.toml").read_bytes())
            for sha256 in withdrawn:
                (target / "documents" / sha256[:2] / sha256).unlink(missing_ok=True)
        return size, faults
    finally:
        for name in _DATABASES:
            (target / f"{name}{_NEW}").unlink(missing_ok=True)


def _check_copy(path: Path) -> int:
    """Require that the copied entries lead to the copied root, and return the tree size.

    Raises:
        StoreError: ``backup-damaged``: what was copied is not sound.
    """
    connection = open_checked(path, LEDGER_VERSION, read_only=True)
    try:
        rows = connection.execute("SELECT data FROM entries ORDER BY idx")
        frontier = Frontier.empty().extend(leaf_hash(row[0]) for row in rows)
        size, root = connection.execute("SELECT size, root FROM heads ORDER BY size DESC LIMIT 1").fetchone()
        if (frontier.size, frontier.root()) != (size, root):
            raise StoreError(f"{path}: entries do not lead to the root", code="backup-damaged", size=size)
    except driver().Error as error:
        raise StoreError(f"{path}: {error}", code="backup-damaged", size=0) from None
    finally:
        connection.close()
    return int(size)


def _copy_documents(home: Home, target: Path) -> Mapping[str, object]:
    """Copy the documents that the new copy names, and what waits; return the withdrawn ones."""
    with Store(home, read_only=True) as store:
        for sha256 in _document_hashes(store):
            source = next((one for one in (home.document(sha256), home.staged(sha256)) if one.is_file()), None)
            if source is None:
                raise StoreError(f"document {sha256} is missing", code="document-lost", sha256=sha256)
            _copy_file(source, target / "documents" / sha256[:2] / sha256)
        withdrawn = store.roster().withdrawn
    for waiting in home.staging.iterdir():
        if not waiting.name.startswith("."):
            _copy_file(waiting, target / "staging" / waiting.name)
    return withdrawn


def _put_in_place(target: Path) -> None:
    for name in _DATABASES:
        if (target / name).exists():
            os.replace(target / name, target / f"{name}.previous")
        os.replace(target / f"{name}{_NEW}", target / name)
    sync_folder(target)


def check_backup(target: Path) -> list[Fault]:
    """Restore a backup on trial, run ``fsck`` on it, and return the faults."""
    return _on_trial(target, suffix="")


def _on_trial(target: Path, *, suffix: str = ".new") -> list[Fault]:
    """Restore beside the backup with linked documents, and check all of it."""
    trial = target.absolute().parent / f".{target.name}.check"
    shutil.rmtree(trial, ignore_errors=True)
    try:
        return check_home(restore(target, trial, link=True, suffix=suffix))
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def restore(backup: Path, path: Path, *, link: bool = False, suffix: str = "") -> Home:
    """Make a home at the new folder ``path`` from a backup, marked as restored, and return it.

    ``link``: documents are linked, not copied; ``suffix``: of the databases' names, for a copy that is on trial.

    Raises:
        StoreError: no backup, the folder is in use, or the disk refuses.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StoreError(f"{path} is in use", code="folder-in-use", path=str(path))
    if not (backup / f"ledger.db{suffix}").is_file() or not (backup / "bening.toml").is_file():
        raise StoreError(f"{backup} is no backup", code="not-a-backup", path=str(backup))
    make_folder(path, 0o750)
    check_free_space(path)
    write_over(path / "RESTORED", b"Restored from a backup. Run: bening recover --from URL|DIR\n")
    for name in _DATABASES:
        _copy_file(backup / f"{name}{suffix}", path / name)
    copy = os.link if link else _copy_file
    for source, target in _kept_files(backup, path):
        make_folder(target.parent)
        copy(source, target)
    make_folder(path / "staging", 0o700)
    write_over(path / "bening.toml", (backup / "bening.toml").read_bytes())
    home = Home.open(path)
    with Store(home) as store:
        rebuild_files(store)
    if not link:
        keep_catalogue(home)
    return home


def _kept_files(backup: Path, path: Path) -> Iterator[tuple[Path, Path]]:
    for source in sorted((backup / "documents").glob("??/*")):
        yield source, path / "public" / "documents" / source.parent.name / source.name
    for source in sorted((backup / "staging").glob("*")):
        yield source, path / "staging" / source.name


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
    if target.exists() and target.stat().st_size == source.stat().st_size and target.suffix not in (".db", ".new"):
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
