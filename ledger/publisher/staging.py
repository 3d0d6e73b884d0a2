"""Documents that wait: copied into ``staging/`` under their hash, hashed while they are read, durable before they are told of.

Names come from hashes only. Whoever writes there holds a lock, by which the sequencer tells what a dead process has left.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from ledger.durable import check_free_space, clear_unfinished, disk_trouble, sync_all, sync_files, sync_folder, told, write_whole
from ledger.errors import AdmissionError, Reason, StoreError
from ledger.publisher.home import Home

__all__ = ["Upload", "check_folder", "clear_uploads", "copied", "keep_all", "published_at", "stage", "staged_at", "sweep"]

_CHUNK = 1 << 20
_SMALL = 1 << 16  # together they are far below the watermark
_CROWD = 100  # from so many on they are not held open one by one
_TOGETHER = 5_000  # of a crowd, with one sync


def stage(home: Home, documents: dict[str, Path]) -> None:
    """Copy documents into the staging folder, each under the SHA-256 that it must have.

    Raises:
        AdmissionError: a file's bytes are not those of its hash.
        StoreError: the disk is full or refuses.
    """
    check_folder(home.staging)
    waiting = set(os.listdir(home.staging)) if len(documents) >= _CROWD else documents.keys()  # noqa: PTH208 (text, as below)
    kept = {sha256 for sha256 in documents if (sha256 in waiting and _is_kept(home, sha256)) or _is_published(home, sha256)}
    new = [one for one in documents.items() if one[0] not in kept]
    if len(new) < _CROWD:
        with contextlib.ExitStack() as opened:
            keep_all(home, [copied(home, opened, *one) for one in new])
    else:
        for start in range(0, len(new), _TOGETHER):
            _stage_crowd(home, new[start : start + _TOGETHER])
    if kept:  # whoever staged the others may have died before their names were durable
        with told(home.staging):
            sync_folder(home.staging)


def _stage_crowd(home: Home, documents: Sequence[tuple[str, Path]]) -> None:
    """Copy many documents under one lock, make them durable together, and rename them to where they wait."""
    beside = f"{home.path}/staging/.{secrets.token_hex(16)}"
    with told(beside), _locked_together(beside, len(documents)) as places:
        for place, (sha256, source) in zip(places, documents, strict=True):
            found = hashlib.sha256()
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                for piece in _pieces(home, source):
                    found.update(piece)
                    write_whole(handle, piece)
            finally:
                os.close(handle)
            if found.hexdigest() != sha256:
                raise _changed(source, sha256)
        sync_all(home.staging)
        for place, (sha256, _) in zip(places, documents, strict=True):
            os.replace(place, staged_at(home, sha256))
        sync_folder(home.staging)


@contextlib.contextmanager
def _locked_together(beside: str, count: int) -> Iterator[list[str]]:
    """Return names for ``count`` files that the lock on one, ``beside``, is for; what is left of them at the end goes."""
    places = [f"{beside}-{number}" for number in range(count)]
    handle = _locked_file(beside)
    try:
        yield places
    except BaseException:
        for place in places:
            with contextlib.suppress(OSError):
                os.unlink(place)  # noqa: PTH108 (text, as above)
        raise
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)  # noqa: PTH108
        os.close(handle)


def check_folder(folder: Path) -> None:
    """Require a folder of the home; one that has vanished will come back, and nothing is judged by its absence.

    Raises:
        StoreError: ``folder-missing``.
    """
    if not folder.is_dir():
        raise StoreError(f"{folder} is missing", code="folder-missing", path=str(folder), problem="missing")


def _is_kept(home: Home, sha256: str) -> bool:
    """Tell whether a document waits in staging; it is then as new to ``sweep`` as if it had come now."""
    try:
        os.utime(staged_at(home, sha256))
    except FileNotFoundError:
        return False
    except OSError:  # another user's; it is there
        pass
    return True


def staged_at(home: Home, sha256: str) -> str:
    """Return where a document waits, as text: a ``Path`` for each of many thousand documents takes a third of the time."""
    return f"{home.path}/staging/{sha256}"


def published_at(home: Home, sha256: str) -> str:
    """Return where a document is published, as text."""
    return f"{home.path}/public/documents/{sha256[:2]}/{sha256}"


def _is_published(home: Home, sha256: str) -> bool:
    return os.access(published_at(home, sha256), os.F_OK)


def _opened(source: Path | str) -> int:
    try:
        return os.open(source, os.O_RDONLY)
    except OSError as error:
        raise AdmissionError([Reason("document-missing", "", {"name": Path(source).name, "sha256": str(error)})]) from None


def _pieces(home: Home, source: Path | str) -> Iterator[bytes]:
    """Yield the bytes of a file that is to be copied.

    Raises:
        AdmissionError: it cannot be read.
        StoreError: there is no room for it.
    """
    file = _opened(source)
    try:
        piece = os.read(file, _SMALL)
        if len(piece) == _SMALL:
            check_free_space(home.staging, os.fstat(file).st_size)
        while piece:
            yield piece
            piece = os.read(file, _CHUNK) if len(piece) >= _SMALL else b""
    finally:
        os.close(file)


def copied(home: Home, opened: contextlib.ExitStack, sha256: str, source: Path | str) -> Upload:
    """Return a copy of ``source`` beside its place, closed with ``opened``; its bytes must be those of ``sha256``."""
    upload = opened.enter_context(Upload(home))
    try:
        for piece in _pieces(home, source):
            upload.write(piece)
    except OSError as error:
        raise upload.trouble(error) from None
    if upload.sha256 != sha256:
        raise _changed(source, sha256)
    return upload


def _changed(source: Path | str, sha256: str) -> AdmissionError:
    return AdmissionError([Reason("document-changed", "", {"name": Path(source).name, "sha256": sha256[:16]})])


def keep_all(home: Home, uploads: Sequence[Upload]) -> None:
    """Make documents durable under their hashes, many of them with one ``syncfs``.

    Raises:
        StoreError: the disk is full or refuses.
    """
    if not uploads:
        return
    try:
        sync_files([one.handle for one in uploads], home.staging)
        for one in uploads:
            os.replace(one.beside, staged_at(home, one.sha256))
            one.kept = True
        sync_folder(home.staging)
    except OSError as error:
        raise uploads[0].trouble(error) from None


class Upload:
    """One document on its way into ``staging/``: hashed while it is written, and gone again unless it is kept.

    Raises (all methods):
        StoreError: the disk is full or refuses.
    """

    def __init__(self, home: Home) -> None:
        self.home, self.size, self.kept = home, 0, False
        self.beside = f"{home.path}/staging/.{secrets.token_hex(16)}"
        self._found = hashlib.sha256()
        try:
            self.handle = _locked_file(self.beside)
        except OSError as error:
            raise self.trouble(error) from None

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1
        if not self.kept:
            with contextlib.suppress(OSError):  # a disk that takes nothing any more; it is cleared at the next start
                os.unlink(self.beside)  # noqa: PTH108 (text, as above)

    @property
    def sha256(self) -> str:
        """The hex SHA-256 of what has been written so far."""
        return self._found.hexdigest()

    def write(self, data: bytes) -> None:
        """Write the next piece."""
        try:
            write_whole(self.handle, data)
        except OSError as error:
            raise self.trouble(error) from None
        self._found.update(data)
        self.size += len(data)

    def trouble(self, error: OSError) -> StoreError:
        """Return what an error of the disk means here."""
        return disk_trouble(error, self.beside)


def _locked_file(path: str) -> int:
    """Make a new file that this process holds a lock on as long as it is open."""
    while True:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)  # ``clear_uploads`` of another process was quicker than the lock


def sweep(home: Home, *, keep: set[str], older_than: float) -> int:
    """Remove staged documents that no pending act needs and that are older than a POSIX time; return how many.

    So goes whatever an interrupted write has left in ``staging/`` and ``public/``. Only for the sequencer.
    """
    swept = clear_uploads(home) + clear_unfinished(home.public, leaving=["documents"])
    for one in _in_staging(home):
        with contextlib.suppress(FileNotFoundError):  # an upload that ended meanwhile
            if not one.name.startswith(".") and one.name not in keep and one.stat().st_mtime < older_than:
                os.unlink(one.path)  # noqa: PTH108 (text, as above)
                swept += 1
    return swept


def clear_uploads(home: Home) -> int:
    """Remove uploads of processes that have died, and return how many; whoever lives holds a lock on its own."""
    count = 0
    for one in sorted(_in_staging(home), key=lambda one: one.name, reverse=True):  # a lock goes after what it is for
        if one.name.startswith("."):
            lock = f"{home.path}/staging/{one.name.partition('-')[0]}"
            with contextlib.suppress(OSError), _held(lock):  # it has ended, lives, or is another user's
                os.unlink(one.path)  # noqa: PTH108 (text, as above)
                count += 1
    return count


@contextlib.contextmanager
def _held(path: str) -> Iterator[None]:
    """Hold the lock on a file that nobody else holds; where it is not there, nobody does.

    Raises:
        OSError: somebody does, or it cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _in_staging(home: Home) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(home.staging) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
