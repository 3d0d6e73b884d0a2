"""Files that survive a power cut: written beside, synced, renamed, and their folder synced.

A file of the log never changes once it is out. Writing it again is allowed only with the same bytes, which is what makes
the outbox idempotent. Many files at once share one ``syncfs`` instead of one ``fsync`` each (measured: 72 µs a file
instead of 534 µs).
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ledger.errors import StoreError

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = [
    "LEAST_FREE", "check_free_space", "clear_unfinished", "disk_trouble", "make_folder", "remove", "sync_all", "sync_files",
    "sync_folder", "sync_folders", "told", "write_files", "write_once", "write_over", "write_whole",
]  # fmt: skip

LEAST_FREE = 64 * 1024 * 1024
_FEW = 4
_CROWD = 64
_THREADS = 8
_SUFFIX = ".new"

_Place = tuple[str, str]  # beside, path
_Item = TypeVar("_Item")


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

    ``files`` may be made while they are written; of very many, several are written at once. ``within``: a folder that must be
    there. Where it has vanished, it is not made anew: it will come back.

    Raises:
        StoreError: one exists with other bytes, or the disk refuses; no half-written file is left.
    """
    new = ((os.fspath(path), data) for path, data in files if not (once and _is_there(path, data)))
    begun: list[_Place] = []
    try:
        _write(new, begun, within)
    except Exception as error:
        for beside, _ in begun:
            with contextlib.suppress(OSError):
                Path(beside).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise disk_trouble(error, begun[0][1] if begun else "") from error
        raise


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
    """Remove what an interrupted ``write_files`` left below ``folder``, and return how many files that were.

    Only for whoever alone writes there. Folders named in ``leaving`` are passed over.
    """
    count = 0
    for at, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one not in leaving]
        for name in names:
            if name.startswith(".") and name.endswith(_SUFFIX):
                with contextlib.suppress(OSError):
                    Path(at, name).unlink()
                    count += 1
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


def _write(files: Iterator[tuple[str, bytes]], begun: list[_Place], within: Path | None) -> None:
    """Write ``files`` beside their places, sync them, and rename them; ``begun`` names what may be there to be removed."""
    first = list(islice(files, _CROWD))
    if not first:
        return
    many, crowd = len(first) > _FEW, len(first) == _CROWD
    folders: dict[str, Path] = {}
    with _threads() if crowd else contextlib.nullcontext() as pool:
        _each(pool, partial(_write_beside, synced=not many), _placed(chain(first, files), begun, folders, within))
        if many:
            sync_all(next(iter(folders.values())))
        _each(pool, _replace_apart if crowd else _replace, _parts(begun))
    if many:
        sync_all(next(iter(folders.values())))
    else:
        sync_folders(folders.values())


def _placed(
    files: Iterable[tuple[str, bytes]], begun: list[_Place], folders: dict[str, Path], within: Path | None
) -> Iterator[list[tuple[str, bytes]]]:
    """Yield what to write beside the places of ``files``, some at a time; their folders are made before."""
    for part in _parts(files):
        for path, _ in part:
            folder, slash, name = path.rpartition("/")
            if folder not in folders:
                make_folder(place := Path(folder or slash), within=within)
                folders[folder] = place
            begun.append((f"{folder}{slash}.{name}{_SUFFIX}", path))
        places = begun[-len(part) :]
        yield [(beside, data) for (beside, _), (_, data) in zip(places, part, strict=True)]


def _parts(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    left = iter(items)
    while part := list(islice(left, _CROWD)):
        yield part


def _threads() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(_THREADS)


def _each(pool: ThreadPoolExecutor | None, work: Callable[[list[_Item]], None], parts: Iterable[list[_Item]]) -> None:
    """Do ``work`` on each part, in threads where there are some, a few parts ahead of them."""
    if pool is None:
        for part in parts:
            work(part)
        return
    running: deque[Future[None]] = deque()
    for part in parts:
        running.append(pool.submit(work, part))
        if len(running) > 2 * _THREADS:
            running.popleft().result()
    for one in running:
        one.result()


def _write_beside(files: list[tuple[str, bytes]], *, synced: bool) -> None:
    for beside, data in files:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            write_whole(handle, data)
            if synced:
                os.fsync(handle)
        finally:
            os.close(handle)


def _replace(places: list[_Place]) -> None:
    for beside, path in places:
        os.replace(beside, path)


def _replace_apart(places: list[_Place]) -> None:
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
