"""Documents of acts: judged where they wait or are published, and moved to ``public/`` when their act is in.

A document is hashed once more when its act is admitted.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ledger.durable import make_folder, sync_folders, told
from ledger.errors import AdmissionError, Reason, StoreError
from ledger.publisher.home import Home
from ledger.publisher.staging import check_folder, copied, published_at, staged_at

__all__ = ["judge_documents", "move_documents"]

_CHUNK = 1 << 20


def judge_documents(home: Home, documents: Iterable[dict[str, Any]]) -> Iterator[Reason]:
    """Yield a reason for each document of a record that is not here with its stated size and hash.

    Raises:
        StoreError: ``folder-missing``: the folder of what waits, or of what is published, is not there.
    """
    for position, document in enumerate(documents):
        reason = _judge_document(home, f"documents[{position}]", document)
        if reason is not None:
            yield reason


def _judge_document(home: Home, path: str, document: dict[str, Any]) -> Reason | None:
    values = {"name": document["name"], "sha256": document["sha256"][:16]}
    handle = _found(home, document["sha256"])
    if handle is None:
        check_folder(home.staging)
        check_folder(home.public)
        return Reason("document-missing", path, values)
    try:
        size = os.fstat(handle).st_size
        if size != document["size"]:
            return Reason("document-size", path, values | {"stated": document["size"], "size": size})
        if _hash_of(handle, size) != document["sha256"]:
            return Reason("document-changed", path, values)
    finally:
        os.close(handle)
    return None


def _found(home: Home, sha256: str) -> int | None:
    """Return the document where it waits or where it is published, opened."""
    for place in (staged_at(home, sha256), published_at(home, sha256)):
        with contextlib.suppress(FileNotFoundError):
            return os.open(place, os.O_RDONLY)
    return None


def _hash_of(handle: int, size: int) -> str:
    found = hashlib.sha256()
    while chunk := os.read(handle, min(size + 1, _CHUNK)):
        found.update(chunk)
    return found.hexdigest()


def move_documents(home: Home, hashes: Iterable[str]) -> None:
    """Move staged documents to their public place, durably; those already there stay.

    Raises:
        StoreError: a document of an integrated act is in neither place.
    """
    folders: set[str] = set()
    with told(home.public):
        for sha256 in hashes:
            if _move(home, sha256, folders):
                folders.add(sha256[:2])
            elif not home.document(sha256).exists():
                check_folder(home.staging)
                check_folder(home.public)
                raise StoreError(f"document {sha256} is lost", code="document-lost", sha256=sha256)
        sync_folders(home.public / "documents" / one for one in sorted(folders))


def _move(home: Home, sha256: str, folders: Collection[str]) -> bool:
    """Move one document; tell whether it waited. ``folders`` are known to be there, by their names.

    What another user staged is copied and hashed again, so that nobody else owns what is public.
    """
    staged, target = staged_at(home, sha256), published_at(home, sha256)
    try:
        owner = os.lstat(staged).st_uid
    except FileNotFoundError:
        return False
    if sha256[:2] not in folders:
        make_folder(home.document(sha256).parent, within=home.public)
    if owner == os.geteuid():
        os.replace(staged, target)
        return True
    try:
        with contextlib.ExitStack() as opened:
            copy = copied(home, opened, sha256, staged)
            os.fsync(copy.handle)
            os.replace(copy.beside, target)
    except AdmissionError as error:
        raise StoreError(f"document {sha256} was changed: {error}", code="document-lost", sha256=sha256) from None
    os.unlink(staged)  # noqa: PTH108 (text, as above)
    return True
