"""Documents on their way: staged under their hash while they wait, moved to ``public/`` when their act is in.

Names come from hashes only. A document is hashed while it is read, and once more when its act is admitted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ledger.durable import check_free_space, make_folder, sync_folder
from ledger.errors import AdmissionError, Reason, StoreError
from ledger.publisher.home import Home

__all__ = ["judge_documents", "move_documents", "stage", "sweep"]

_CHUNK = 1 << 20


def stage(home: Home, documents: dict[str, Path]) -> None:
    """Copy documents into the staging folder, each under the SHA-256 that it must have.

    Raises:
        AdmissionError: a file's bytes are not those of its hash.
        StoreError: the disk is full or refuses.
    """
    make_folder(home.staging, 0o700)
    for sha256, source in documents.items():
        if not home.staged(sha256).exists() and not home.document(sha256).exists():
            with _opened(source) as file:
                _stage_one(home, sha256, source.name, file)
    sync_folder(home.staging)


def judge_documents(home: Home, documents: Iterable[dict[str, Any]]) -> Iterator[Reason]:
    """Yield a reason for each document of a record that is not here with its stated size and hash."""
    for position, document in enumerate(documents):
        path, values = f"documents[{position}]", {"name": document["name"], "sha256": document["sha256"][:16]}
        here = next(
            (place for place in (home.staged(document["sha256"]), home.document(document["sha256"])) if place.is_file()), None
        )
        if here is None:
            yield Reason("document-missing", path, values)
        elif here.stat().st_size != document["size"]:
            yield Reason("document-size", path, values | {"stated": document["size"], "size": here.stat().st_size})
        elif _hash(here) != document["sha256"]:
            yield Reason("document-changed", path, values)


def move_documents(home: Home, hashes: Iterable[str]) -> None:
    """Move staged documents to their public place, durably; those already there stay.

    Raises:
        StoreError: a document of an integrated act is in neither place.
    """
    folders = set()
    for sha256 in hashes:
        target = home.document(sha256)
        if home.staged(sha256).exists():
            make_folder(target.parent)
            os.replace(home.staged(sha256), target)
            folders |= {target.parent}
        elif not target.exists():
            raise StoreError(f"document {sha256} is lost", code="document-lost", sha256=sha256)
    for folder in folders:
        sync_folder(folder)


def sweep(home: Home, *, keep: set[str], older_than: float) -> int:
    """Remove staged documents that no pending act needs and that are older than a POSIX time; return how many."""
    swept = 0
    for path in home.staging.iterdir() if home.staging.is_dir() else ():
        if path.name not in keep and path.stat().st_mtime < older_than:
            path.unlink(missing_ok=True)
            swept += 1
    return swept


def _opened(source: Path) -> BinaryIO:
    try:
        return open(source, "rb")
    except OSError as error:
        raise AdmissionError([Reason("document-missing", "", {"name": source.name, "sha256": str(error)})]) from None


def _stage_one(home: Home, sha256: str, name: str, file: BinaryIO) -> None:
    check_free_space(home.staging, os.fstat(file.fileno()).st_size)
    beside = home.staging / f".{sha256}.{os.getpid()}"
    found = hashlib.sha256()
    try:
        with open(beside, "wb") as copy:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if found.hexdigest() != sha256:
            raise AdmissionError([Reason("document-changed", "", {"name": name, "sha256": sha256[:16]})])
        os.replace(beside, home.staged(sha256))
    except OSError as error:
        raise StoreError(f"{beside}: {error}", code="cannot-write", path=str(home.staging), problem=str(error)) from None
    finally:
        beside.unlink(missing_ok=True)


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
