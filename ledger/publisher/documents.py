"""Documents on their way: staged under their hash while they wait, moved to ``public/`` when their act is in.

Names come from hashes only. A document is hashed while it is read, and once more when its act is admitted.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ledger.durable import check_free_space, make_folder, sync_files, sync_folder
from ledger.errors import AdmissionError, Reason, StoreError
from ledger.publisher.home import Home

__all__ = ["Upload", "judge_documents", "keep_all", "move_documents", "stage", "sweep"]

_CHUNK = 1 << 20
_AT_ONCE = 200  # files open at once


def stage(home: Home, documents: dict[str, Path]) -> None:
    """Copy documents into the staging folder, each under the SHA-256 that it must have.

    Raises:
        AdmissionError: a file's bytes are not those of its hash.
        StoreError: the disk is full or refuses.
    """
    make_folder(home.staging, 0o700)
    new = [one for one in documents.items() if not home.staged(one[0]).exists() and not home.document(one[0]).exists()]
    for start in range(0, len(new), _AT_ONCE):
        with contextlib.ExitStack() as opened:
            keep_all(home, [_copied(home, opened, *one) for one in new[start : start + _AT_ONCE]])


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
            _move(home, sha256, target)
            folders |= {target.parent}
        elif not target.exists():
            raise StoreError(f"document {sha256} is lost", code="document-lost", sha256=sha256)
    for folder in folders:
        sync_folder(folder)


def _move(home: Home, sha256: str, target: Path) -> None:
    """Move one document; what another user staged is copied and hashed again, so that nobody else owns what is public."""
    staged = home.staged(sha256)
    if staged.lstat().st_uid == os.geteuid():
        os.replace(staged, target)
        return
    try:
        with contextlib.ExitStack() as opened:
            copy = _copied(home, opened, sha256, staged)
            os.fsync(copy.file.fileno())
            os.replace(copy.beside, target)
    except AdmissionError as error:
        raise StoreError(f"document {sha256} was changed: {error}", code="document-lost", sha256=sha256) from None
    staged.unlink()


def sweep(home: Home, *, keep: set[str], older_than: float) -> int:
    """Remove staged documents that no pending act needs and that are older than a POSIX time; return how many."""
    swept = 0
    for path in home.staging.iterdir() if home.staging.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # an upload that ended meanwhile
            if path.name not in keep and path.stat().st_mtime < older_than:
                path.unlink()
                swept += 1
    return swept


def _opened(source: Path) -> BinaryIO:
    try:
        return open(source, "rb")
    except OSError as error:
        raise AdmissionError([Reason("document-missing", "", {"name": source.name, "sha256": str(error)})]) from None


def _copied(home: Home, opened: contextlib.ExitStack, sha256: str, source: Path) -> Upload:
    """Return a copy of ``source`` beside its place, closed with ``opened``; its bytes must be those of ``sha256``."""
    with _opened(source) as file:
        check_free_space(home.staging, os.fstat(file.fileno()).st_size)
        upload = opened.enter_context(Upload(home))
        try:
            while chunk := file.read(_CHUNK):
                upload.write(chunk)
        except OSError as error:
            raise upload.trouble(error) from None
    if upload.sha256 != sha256:
        raise AdmissionError([Reason("document-changed", "", {"name": source.name, "sha256": sha256[:16]})])
    return upload


def keep_all(home: Home, uploads: Sequence[Upload]) -> None:
    """Make documents durable under their hashes, many of them with one ``syncfs``.

    Raises:
        StoreError: the disk is full or refuses.
    """
    if not uploads:
        return
    try:
        sync_files([one.file for one in uploads])
        for one in uploads:
            os.replace(one.beside, home.staged(one.sha256))
        sync_folder(home.staging)
    except OSError as error:
        raise uploads[0].trouble(error) from None


class Upload:
    """One document on its way into ``staging/``: hashed while it is written, and gone again unless it is kept.

    Raises (all methods):
        StoreError: the disk is full or refuses.
    """

    def __init__(self, home: Home) -> None:
        self.home, self.size = home, 0
        self.beside = home.staging / f".{secrets.token_hex(16)}"
        self._found = hashlib.sha256()
        try:
            self.file = open(self.beside, "xb", buffering=0)  # noqa: SIM115 (closed by ``__exit__``)
        except OSError as error:
            raise self.trouble(error) from None

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.beside.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """The hex SHA-256 of what has been written so far."""
        return self._found.hexdigest()

    def write(self, data: bytes) -> None:
        """Write the next piece."""
        try:
            left = memoryview(data)
            while left:
                left = left[self.file.write(left) :]
        except OSError as error:
            raise self.trouble(error) from None
        self._found.update(data)
        self.size += len(data)

    def trouble(self, error: OSError) -> StoreError:
        """Return what an error of the disk means here."""
        code = "disk-full" if error.errno == errno.ENOSPC else "cannot-write"
        values = {"path": str(self.home.staging), "problem": str(error.strerror), "free": 0}
        return StoreError(f"{self.beside}: {error}", code=code, **values)


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
