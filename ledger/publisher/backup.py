"""Backups that can be trusted: the databases as one moment saw them, the documents incrementally, never a key.

The layout is ``snapshot``'s. Whatever ends a backup half-way, the snapshot before is as it was: a new one is built under
another name, and takes its place with one rename when it has been found sound.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from ledger.durable import check_free_space, make_folder, sync_folder, told, write_over
from ledger.errors import LedgerError, StoreError
from ledger.publisher.compare import compare
from ledger.publisher.fsck import Fault, check_home
from ledger.publisher.home import Home
from ledger.publisher.restore import restore
from ledger.publisher.schema import INBOX_VERSION, LEDGER_VERSION, open_checked
from ledger.publisher.snapshot import (
    DOCUMENTS,
    FACTS,
    MANIFEST,
    SNAPSHOTS,
    Snapshot,
    file_hash,
    find,
    format_manifest,
    names,
    wrong_files,
)
from ledger.publisher.store import Store
from ledger.records.envelope import load_envelope
from ledger.records.record import parse_record
from ledger.sqlite import connect, database_trouble, driver
from ledger.tlog.merkle import Frontier, leaf_hash

__all__ = ["back_up", "check_backup", "restore"]

_KEPT = 2
_PAGES = 2048
_CHUNK = 1 << 20
_NEW, _TRIAL, _LOCK = ".new", ".trial", ".lock"


def back_up(home: Home, target: Path, *, check: bool = False) -> tuple[int, list[Fault]]:
    """Add a snapshot of ``home`` to the backup in ``target``; return its tree size and what is wrong.

    It is kept only if its entries lead to its root; with ``check`` only if, restored on trial, ``fsck`` finds nothing in
    it and its public files are those of ``home``. A document that cannot be had is a fault, but no reason to keep nothing.

    Raises:
        StoreError: the target belongs to another ledger or another backup runs, the copy is damaged, or the disk refuses.
    """
    make_folder(target, 0o700)
    with _locked(target), _translated(target):
        _check_target(home, target)
        new = target / SNAPSHOTS / _NEW
        for left in (new, target / _TRIAL):
            shutil.rmtree(left, ignore_errors=True)
        make_folder(new / "staging")
        snapshot, faults = _build(home, target, new, check=check)
        if check:
            faults += _on_trial(target, new, home)
        if all(one.code.startswith("document-") for one in faults):
            _put_in_place(target, new, snapshot)
            _note(home, target, snapshot, faults, check=check)
        else:
            shutil.rmtree(new)
        return snapshot.size, faults


def check_backup(target: Path) -> list[Fault]:
    """Restore a backup's newest snapshot on trial, run ``fsck`` on it, and return the faults."""
    return _on_trial(target, find(target), None)


def _build(home: Home, target: Path, new: Path, *, check: bool) -> tuple[Snapshot, list[Fault]]:
    """Write everything of a snapshot into ``new``, its facts last."""
    check_free_space(target, home.ledger_db.stat().st_size + home.inbox_db.stat().st_size)
    _copy_database(home.inbox_db, new / "inbox.db", INBOX_VERSION)  # first: what is settled meanwhile is in both, not in neither
    _copy_database(home.ledger_db, new / "ledger.db", LEDGER_VERSION)
    settings = (home.path / "bening.toml").read_bytes()
    if b"PRIVATE KEY" in settings:
        raise StoreError(f"{home.path}/bening.toml holds a key", code="key-in-settings", path=str(home.path / "bening.toml"))
    write_over(new / "bening.toml", settings)
    size, root = _check_copy(new / "ledger.db")
    files = {name: file_hash(new / name) or "" for name in ("bening.toml", "inbox.db", "ledger.db")}
    withdrawn, faults = _copy_documents(home, target, new, files, check=check)
    manifest = format_manifest(files)
    write_over(new / MANIFEST, manifest)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    snapshot = Snapshot(
        home.origin, home.founding, size, root, now, hashlib.sha256(manifest).hexdigest(), tuple(sorted(withdrawn))
    )
    write_over(new / FACTS, snapshot.to_bytes())
    return snapshot, faults


def _copy_database(source: Path, target: Path, version: int) -> None:
    """Copy a live database as one moment saw it (SQLite's online backup API), into one file without a log.

    The copy reads inside one transaction: it does not begin again when somebody writes, so it ends.
    """
    reading = open_checked(source, version, read_only=True)
    with contextlib.closing(reading), contextlib.closing(connect(target)) as writing:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        reading.backup(writing, pages=_PAGES)
        reading.execute("ROLLBACK")
        writing.execute("PRAGMA journal_mode = DELETE")
    _sync(target)


def _check_copy(path: Path) -> tuple[int, str]:
    """Require that the copied entries lead to the copied root, and return tree size and root.

    Raises:
        StoreError: ``backup-damaged``: what was copied is not sound.
    """
    with contextlib.closing(open_checked(path, LEDGER_VERSION, read_only=True)) as connection:
        try:
            rows = connection.execute("SELECT data FROM entries ORDER BY idx")
            frontier = Frontier.empty().extend(leaf_hash(row[0]) for row in rows)
            size, root = connection.execute("SELECT size, root FROM heads ORDER BY size DESC LIMIT 1").fetchone()
        except (driver().Error, TypeError) as error:
            raise StoreError(f"{path}: {error}", code="backup-damaged", size=0) from None
    if (frontier.size, frontier.root()) != (size, root):
        raise StoreError(f"{path}: entries do not lead to the root", code="backup-damaged", size=size)
    return int(size), bytes(root).hex()


def _copy_documents(
    home: Home, target: Path, new: Path, files: dict[str, str], *, check: bool
) -> tuple[Mapping[str, object], list[Fault]]:
    """Copy what documents the backup lacks, and what waits; enter both into ``files``. Return the withdrawn, and faults."""
    faults = []
    with Store(home, read_only=True) as store:
        withdrawn = store.roster().withdrawn
        size = _size_of(new / "ledger.db")
        query = "SELECT DISTINCT sha256 FROM documents WHERE idx < ? ORDER BY 1"
        wanted = [row[0] for row in store.connection.execute(query, (size,)).fetchall() if row[0] not in withdrawn]
    for sha256 in wanted:
        path = f"{DOCUMENTS}/{sha256[:2]}/{sha256}"
        kept = target / path
        if (kept.exists() and not check) or file_hash(kept) == sha256 or _copy(home, sha256, kept):
            files[path] = sha256
        else:
            is_there = home.document(sha256).exists()
            faults.append(Fault("document-differs" if is_there else "document-missing", {"sha256": sha256}))
    for sha256 in _waiting(new / "inbox.db"):
        if _copy(home, sha256, new / "staging" / sha256):
            files[f"staging/{sha256}"] = sha256
    return withdrawn, faults


def _copy(home: Home, sha256: str, target: Path) -> bool:
    """Copy a published or waiting document durably; False where none with these bytes is there."""
    for source in (home.document(sha256), home.staged(sha256), home.document(sha256)):  # it may move while it is looked for
        with contextlib.suppress(FileNotFoundError), open(source, "rb") as reading:
            check_free_space(target.parent if target.parent.is_dir() else target.parent.parent.parent, source.stat().st_size)
            make_folder(target.parent)
            beside = target.with_name(f".{target.name}.new")
            found = hashlib.sha256()
            with open(beside, "wb") as writing:
                while chunk := reading.read(_CHUNK):
                    found.update(chunk)
                    writing.write(chunk)
                writing.flush()
                os.fsync(writing.fileno())
            if found.hexdigest() == sha256:
                os.replace(beside, target)
                sync_folder(target.parent)
                return True
            beside.unlink()
    return False


def _waiting(inbox: Path) -> set[str]:
    """Return the hashes of the documents that the pending submissions of a copied inbox name."""
    with contextlib.closing(open_checked(inbox, INBOX_VERSION, read_only=True)) as connection:
        rows = connection.execute("SELECT envelope FROM submissions WHERE state = 'pending'").fetchall()
    found: set[str] = set()
    for (data,) in rows:
        with contextlib.suppress(LedgerError):  # a roster event, or what will be refused
            found |= {one["sha256"] for one in parse_record(load_envelope(bytes(data)).payload).documents}
    return found


def _put_in_place(target: Path, new: Path, snapshot: Snapshot) -> None:
    """Give the new snapshot its name; then drop old ones, and what was withdrawn."""
    number = int(names(target)[-1]) + 1 if names(target) else 1
    new.rename(new.with_name(f"{number:08d}"))
    sync_folder(new.parent)
    for name in names(target)[:-_KEPT]:
        shutil.rmtree(new.parent / name)
    for sha256 in snapshot.withdrawn:
        (target / DOCUMENTS / sha256[:2] / sha256).unlink(missing_ok=True)


def _note(home: Home, target: Path, snapshot: Snapshot, faults: list[Fault], *, check: bool) -> None:
    found = {"time": snapshot.time, "backup": str(target.absolute()), "size": snapshot.size, "checked": check}
    write_over(home.backup_note, json.dumps(found | {"faults": len(faults)}).encode("ascii"))


def _on_trial(target: Path, folder: Path, live: Home | None) -> list[Fault]:
    """Restore a snapshot inside the backup with linked documents, check all of it, and hold it against the ``live`` home."""
    wrong = [Fault("backup-file", {"path": path}) for path in wrong_files(target, folder)]
    if wrong:
        return wrong
    trial = target / _TRIAL
    shutil.rmtree(trial, ignore_errors=True)
    try:
        restored = restore(target, trial, link=True, folder=folder)
        faults = check_home(restored)
        return faults + (list(compare(restored, live)) if live is not None else [])
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def _check_target(home: Home, target: Path) -> None:
    if names(target) and Snapshot.load(find(target)).founding != home.founding:
        raise StoreError(f"{target} holds another ledger's backup", code="not-our-home", path=str(target))


def _size_of(path: Path) -> int:
    with contextlib.closing(open_checked(path, LEDGER_VERSION, read_only=True)) as connection:
        return int(connection.execute("SELECT max(size) FROM heads").fetchone()[0])


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Hold the backup for one run."""
    with open(target / _LOCK, "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"{target} is being written", code="backup-running", path=str(target)) from None
        yield


@contextlib.contextmanager
def _translated(target: Path) -> Iterator[None]:
    """Tell an error of the disk or of a database as ours."""
    try:
        with told(target):
            yield
    except driver().Error as error:
        raise database_trouble(error, target) from error


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
