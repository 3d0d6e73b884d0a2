"""Files that survive a power cut: written beside, synced, renamed, and their folder synced.

A file of the log never changes once it is out. Writing it again is allowed only with the same bytes, which is what makes
the outbox idempotent. Many files at once share one ``syncfs`` instead of one ``fsync`` each (measured: 72 µs a file
instead of 534 µs).
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from ledger.errors import StoreError

__all__ = [
    "LEAST_FREE", "check_free_space", "clear_unfinished", "disk_trouble", "make_folder", "remove", "sync_all", "sync_files",
    "sync_folder", "sync_folders", "told", "write_files", "write_once", "write_over", "write_whole",
]  # fmt: skip

LEAST_FREE = 64 * 1024 * 1024
_FEW = 4
_CROWD = 64
_THREADS = 8
_SUFFIX = ".new"


def check_free_space(folder: Path, wanted: int = 0) -> None:
    """Refuse to write where less than ``LEAST_FREE`` bytes would stay free.

    Raises:
        StoreError: ``disk-full``, or ``folder-missing``.
    """
    with told(folder):
        free = shutil.disk_usage(folder).free
    if free - wanted < LEAST_FREE:
        raise StoreError(
            f"{folder}: {free} bytes free", code="disk-full", path=str(folder), free=free // 2**20, problem="watermark"
        )


def disk_trouble(error: OSError, place: Path | str) -> StoreError:
    """Return what an error of the disk means for whoever wanted to write at ``place``."""
    code = {errno.ENOSPC: "disk-full", errno.EDQUOT: "disk-full", errno.ENOENT: "folder-missing"}.get(error.errno or 0)
    path = str(error.filename or place)
    return StoreError(f"{path}: {error}", code=code or "cannot-write", path=path, problem=str(error.strerror or error), free=0)


@contextlib.contextmanager
def told(place: Path | str) -> Iterator[None]:
    """Tell an error of the disk in the block as ours.

    Raises:
        StoreError: ``disk-full``, ``folder-missing`` or ``cannot-write``.
    """
    try:
        yield
    except OSError as error:
        raise disk_trouble(error, place) from error


def write_once(path: Path, data: bytes) -> None:
    """Write a file that must never change; the same bytes again are fine.

    Raises:
        StoreError: it exists with other bytes, or cannot be written.
    """
    write_files([(path, data)], once=True)


def write_over(path: Path, data: bytes) -> None:
    """Replace a file in one step."""
    write_files([(path, data)], once=False)


def write_files(files: Iterable[tuple[Path | str, bytes]], *, once: bool, within: Path | None = None) -> None:
    """Write many files durably; ``once`` as in ``write_once``. All are durable when this returns.

    ``files`` may be made while they are written. ``within``: a folder that must be there. Where it has vanished, it is not
    made anew: it will come back.

    Raises:
        StoreError: one exists with other bytes, or the disk refuses; no half-written file is left.
    """
    new = ((os.fspath(path), data) for path, data in files if not (once and _is_there(path, data)))
    first = list(islice(new, _CROWD))
    try:
        if len(first) == _CROWD:
            _write_crowd(chain(first, new), within)
        elif first:
            _write(first, within)
    except OSError as error:
        raise disk_trouble(error, first[0][0]) from error


def make_folder(path: Path, mode: int = 0o755, *, within: Path | None = None) -> None:
    """Make a folder and those above it, durably; ``within`` itself must be there.

    Raises:
        StoreError: the disk refuses, or (``folder-missing``) ``within`` is gone.
    """
    if path.is_dir():
        return
    if path == within:
        raise StoreError(f"{path} is missing", code="folder-missing", path=str(path), problem="missing")
    make_folder(path.parent, within=within)
    with told(path):
        path.mkdir(mode=mode, exist_ok=True)
        sync_folder(path.parent)


def clear_unfinished(folder: Path, *, leaving: Sequence[str] = ()) -> int:
    """Remove what an interrupted ``write_files`` left below ``folder``, and return how many files and folders that were.

    Only for whoever alone writes there. Folders named in ``leaving`` are passed over.
    """
    count = 0
    for at, folders, names in os.walk(folder):
        for name in [*names, *folders]:
            if name.startswith(".") and name.endswith(_SUFFIX):
                with contextlib.suppress(OSError):
                    remove(Path(at, name))
                    count += 1
        folders[:] = [one for one in folders if one not in leaving and not one.endswith(_SUFFIX)]
    return count


def remove(path: Path) -> None:
    """Remove a file or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folders(folders: Iterable[Path]) -> None:
    """Make the names in folders of one file system durable: one ``fsync`` each, or one ``syncfs`` for many."""
    found = list(dict.fromkeys(folders))
    if len(found) > _FEW:
        sync_all(found[0])
    else:
        for folder in found:
            sync_folder(folder)


def sync_files(handles: Sequence[int], folder: Path) -> None:
    """Make the bytes of open files in one folder durable: one ``fsync`` each, or one ``syncfs`` for many.

    Raises:
        OSError: the disk refuses.
    """
    if len(handles) > _FEW:
        sync_all(folder)
    else:
        for handle in handles:
            os.fsync(handle)


def write_whole(handle: int, data: bytes) -> None:
    """Write all of ``data`` to an open file.

    Raises:
        OSError: the disk refuses.
    """
    count = os.write(handle, data)
    while count < len(data):
        count += os.write(handle, memoryview(data)[count:])


def _is_there(path: Path | str, data: bytes) -> bool:
    try:
        found = Path(path).read_bytes()
    except FileNotFoundError:
        return False
    if found != data:
        raise StoreError(f"{path} exists with other bytes", code="file-differs", path=str(path))
    return True


def _write(files: Sequence[tuple[str, bytes]], within: Path | None) -> None:
    """Write ``files`` beside their places, sync them, and rename them."""
    many, folders = len(files) > _FEW, _Folders(within)
    places = [(folders.beside(path), path) for path, _ in files]
    try:
        for (beside, _), (_, data) in zip(places, files, strict=True):
            _write_one(beside, data, synced=not many)
        if many:
            sync_all(folders.made[0])
        for beside, path in places:
            os.replace(beside, path)
        if many:
            sync_all(folders.made[0])
        else:
            sync_folders(folders.made)
    except OSError:
        for beside, _ in places:
            with contextlib.suppress(OSError):
                Path(beside).unlink(missing_ok=True)
        raise


def _write_crowd(files: Iterable[tuple[str, bytes]], within: Path | None) -> None:
    """Write very many files, in a folder of their own that goes again, sync them, and rename them into their places.

    In a new folder they are made faster than beside what they replace: some file systems look there for room that was just freed.
    """
    from concurrent.futures import ThreadPoolExecutor

    folders, places, scratch = _Folders(within), list[tuple[str, str]](), ""
    try:
        for path, data in files:
            folders.beside(path)
            if not scratch:
                scratch = f"{folders.made[0]}/.{secrets.token_hex(8)}{_SUFFIX}"
                os.mkdir(scratch)  # noqa: PTH102 (text: many)
            places.append((f"{scratch}/.{len(places)}{_SUFFIX}", path))
            _write_one(places[-1][0], data, synced=False)
        sync_all(folders.made[0])
        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(_replace_apart, [places[at : at + _CROWD] for at in range(0, len(places), _CROWD)]))
        sync_all(folders.made[0])
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)


class _Folders:
    """The folders of files that are about to be written, made where they are missing; ``made`` are those so far."""

    def __init__(self, within: Path | None) -> None:
        self.within, self.made = within, list[Path]()
        self._known: set[str] = set()

    def beside(self, path: str) -> str:
        """Return where a file is written before it is whole."""
        folder, slash, name = path.rpartition("/")
        if folder not in self._known:
            place = Path(folder or slash)
            make_folder(place, within=self.within)
            self._known.add(folder)
            self.made.append(place)
        return f"{folder}{slash}.{name}{_SUFFIX}"


def _write_one(path: str, data: bytes, *, synced: bool) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        write_whole(handle, data)
        if synced:
            os.fsync(handle)
    finally:
        os.close(handle)


def _replace_apart(places: list[tuple[str, str]]) -> None:
    """Rename files into their places; what they replace is freed when it is closed, and so without the folder's lock.

    A disk may have to be told of every block that is free, and then several threads wait together.
    """
    for beside, path in places:
        try:
            old = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            os.replace(beside, path)
            continue
        try:
            os.replace(beside, path)
        finally:
            os.close(old)


def sync_all(folder: Path) -> None:
    """Flush the file system of ``folder`` (syncfs(2)); where there is none, flush everything."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syncfs(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(handle)
