"""``restore``: a home from a backup's snapshot, marked so that it signs nothing until ``recover``.

An old backup that went on by itself would fork the ledger. So a restored home keeps the mark until ``recover`` has shown
that nothing newer was published.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ledger.durable import check_free_space, make_folder, sync_folder, told, write_over
from ledger.errors import StoreError
from ledger.publisher.catalogue import keep_catalogue
from ledger.publisher.home import Home
from ledger.publisher.rebuild import rebuild_files
from ledger.publisher.snapshot import DOCUMENTS, MANIFEST, find, parse_manifest, wrong_files
from ledger.publisher.store import Store
from ledger.publisher.upgrade import migrate
from ledger.sqlite import connect

__all__ = ["restore"]

_PATIENCE = 24 * 3600.0  # seconds for the catalogue
_MARK = b"Restored from a backup. Run: bening recover --from URL|DIR\n"


def restore(backup: Path, path: Path, *, name: str | None = None, link: bool = False, folder: Path | None = None) -> Home:
    """Make a home at the new folder ``path`` from a backup, marked as restored, and return it.

    ``name``: of an older snapshot; ``link``: documents are linked, not copied; ``folder``: of a snapshot that has no name yet.
    A database of an earlier version is brought up to this one.

    Raises:
        StoreError: no backup, a damaged file in it (before anything is written), the folder is in use, or the disk refuses.
    """
    snapshot = folder or find(backup, name)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StoreError(f"{path} is in use", code="folder-in-use", path=str(path))
    wrong = list(wrong_files(backup, snapshot)) if folder is None else []
    if wrong:
        raise StoreError(f"{wrong[0]} is damaged", code="backup-file", path=wrong[0], more=len(wrong) - 1)
    try:
        with told(path):
            return _restore(backup, snapshot, path, link=link)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)  # nothing was there before
        raise


def _restore(backup: Path, snapshot: Path, path: Path, *, link: bool) -> Home:
    make_folder(path, 0o750)
    _fill(backup, snapshot, path, link=link)
    home = Home.open(path)
    migrate(home)
    with Store(home) as store:
        rebuild_files(store)
    if not link:
        keep_catalogue(home, _PATIENCE)
    return home


def _fill(backup: Path, snapshot: Path, path: Path, *, link: bool) -> None:
    """Copy everything, ``bening.toml`` last: before it is there, this is no home."""
    check_free_space(path)
    write_over(path / "RESTORED", _MARK)
    make_folder(path / "staging", 0o700)
    for source, target in _files(backup, snapshot, path):
        make_folder(target.parent)
        if link and source.is_relative_to(backup / DOCUMENTS):
            os.link(source, target)
        else:
            _copy(source, target)
    for database in ("ledger.db", "inbox.db"):
        with contextlib.closing(connect(path / database)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    write_over(path / "bening.toml", (snapshot / "bening.toml").read_bytes())


def _files(backup: Path, snapshot: Path, path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield source and place of each file that the manifest names, but of ``bening.toml`` and what was withdrawn since."""
    for name in parse_manifest((snapshot / MANIFEST).read_bytes()):
        if name.startswith(DOCUMENTS):
            if (backup / name).exists():
                yield backup / name, path / "public" / name
        elif name != "bening.toml":
            yield snapshot / name, path / name


def _copy(source: Path, target: Path) -> None:
    check_free_space(target.parent, source.stat().st_size)
    beside = target.with_name(f".{target.name}.new")
    shutil.copyfile(source, beside)
    with open(beside, "rb") as file:
        os.fsync(file.fileno())
    os.replace(beside, target)
    sync_folder(target.parent)
