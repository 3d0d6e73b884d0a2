"""Files that survive a power cut: written beside, synced, renamed, and their folder synced.

A file of the log never changes once it is out. Writing it again is allowed only with the same bytes, which is what makes
the outbox idempotent. Many files at once share one ``syncfs`` instead of one ``fsync`` each (measured: 72 µs a file
instead of 534 µs).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from ledger.errors import StoreError

__all__ = [
    "LEAST_FREE", "check_free_space", "make_folder", "remove", "sync_files", "sync_folder", "write_files", "write_once",
    "write_over",
]  # fmt: skip

LEAST_FREE = 64 * 1024 * 1024
_FEW = 4


def check_free_space(folder: Path, wanted: int = 0) -> None:
    """Refuse to write where less than ``LEAST_FREE`` bytes would stay free.

    Raises:
        StoreError: code ``disk-full``.
    """
    free = shutil.disk_usage(folder).free
    if free - wanted < LEAST_FREE:
        raise StoreError(
            f"{folder}: {free} bytes free", code="disk-full", path=str(folder), free=free // 2**20, problem="watermark"
        )


def write_once(path: Path, data: bytes) -> None:
    """Write a file that must never change; the same bytes again are fine.

    Raises:
        StoreError: it exists with other bytes, or cannot be written.
    """
    write_files([(path, data)], once=True)


def write_over(path: Path, data: bytes) -> None:
    """Replace a file in one step."""
    write_files([(path, data)], once=False)


def write_files(files: Iterable[tuple[Path, bytes]], *, once: bool) -> None:
    """Write many files durably; ``once`` as in ``write_once``. All are durable when this returns.

    Raises:
        StoreError: one exists with other bytes, or the disk refuses.
    """
    try:
        _write([(path, data) for path, data in files if not (once and _is_there(path, data))])
    except OSError as error:
        code = "disk-full" if error.errno == 28 else "cannot-write"
        raise StoreError(f"cannot write: {error}", code=code, path=str(error.filename), problem=str(error.strerror)) from error


def make_folder(path: Path, mode: int = 0o755) -> None:
    """Make a folder and those above it, durably."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=mode, exist_ok=True)
    sync_folder(path.parent)


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


def sync_files(files: Sequence[IO[bytes]]) -> None:
    """Make the bytes of open files of one folder durable: one ``fsync`` each, or one ``syncfs`` for many.

    Raises:
        OSError: the disk refuses.
    """
    if len(files) > _FEW:
        _syncfs(Path(files[0].name).parent)
    else:
        for file in files:
            os.fsync(file.fileno())


def _is_there(path: Path, data: bytes) -> bool:
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return False
    if found != data:
        raise StoreError(f"{path} exists with other bytes", code="file-differs", path=str(path))
    return True


def _write(files: list[tuple[Path, bytes]]) -> None:
    if not files:
        return
    many = len(files) > _FEW
    folders = list(dict.fromkeys(path.parent for path, _ in files))
    for folder in folders:
        make_folder(folder)
    for path, data in files:
        with open(_beside(path), "wb") as file:
            file.write(data)
            file.flush()
            if not many:
                os.fsync(file.fileno())
    if many:
        _syncfs(folders[0])
    for path, _ in files:
        os.replace(_beside(path), path)
    if many:
        _syncfs(folders[0])
    else:
        for folder in folders:
            sync_folder(folder)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _syncfs(folder: Path) -> None:
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
