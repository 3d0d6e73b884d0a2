"""A disk that fails: every call that changes a file or a database is counted, and one of them can be made to fail.

    before        nothing happened, and an error is reported
    after         it happened, and an error is reported all the same
    short         half of the bytes are written, then the disk is full
    crash-before  the process dies: nothing that comes after has any effect, not even a ``finally``
    crash-after   it happened, then the process dies

``cut_power`` takes back everything that was never made durable: renames, new folders and removals whose folder was not
synced, and half of the bytes of files that were not. SQLite's own files are left to SQLite (``synchronous=FULL``).
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from ledger import durable
from ledger import sqlite as our_sqlite

__all__ = ["MODES", "Crash", "Disk", "Plan"]

MODES = ("before", "after", "short", "crash-before", "crash-after")
_CHANGES = {"BEGIN", "COMMIT", "INSERT", "UPDATE", "DELETE"}


class Crash(BaseException):
    """The process has died."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which call fails (from 1), and how; ``full``: with ENOSPC instead of EIO."""

    at: int
    mode: str
    full: bool = False


class Disk:
    """What lies below ``root``, with at most one planned fault for each time it is ``installed``."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.plan: Plan | None = None
        self.calls: list[str] = []
        self.dead = self.struck = False
        self._undo: list[tuple[str, str, Callable[[], None]]] = []  # kind, the folder or file whose sync settles it, how

    @contextlib.contextmanager
    def installed(self, plan: Plan | None = None) -> Iterator[Disk]:
        """Stand between this process and the system until the block ends."""
        self.plan, self.calls, self.dead, self.struck = plan, [], False, False
        module = our_sqlite.driver()
        with contextlib.ExitStack() as patched:
            for name, wrapped in self._calls().items():
                patched.enter_context(mock.patch.object(os, name, wrapped))
            patched.enter_context(mock.patch.object(builtins, "open", self._opening(builtins.open)))
            patched.enter_context(mock.patch.object(durable, "sync_all", self._syncing_all(durable.sync_all)))
            for name in ("outbox", "staging"):
                patched.enter_context(mock.patch(f"ledger.publisher.{name}.sync_all", durable.sync_all))
            patched.enter_context(mock.patch.object(our_sqlite, "driver", return_value=_Driver(module, self)))
            yield self

    def cut_power(self) -> None:
        """Lose whatever was not durable, newest first."""
        for _, _, undo in reversed(self._undo):
            undo()
        self._undo = []

    # -- one call

    def call(self, what: str, path: str, real: Callable[[], Any], trouble: Callable[[bool], Exception]) -> Any:
        """Do one call that changes something, or fail as planned."""
        if self.dead:
            raise Crash(what)
        self.calls.append(f"{what} {path.removeprefix(self.root)}")
        plan = self.plan
        if plan is None or len(self.calls) != plan.at:
            return real()
        self.struck = True
        if plan.mode in ("after", "crash-after"):
            result = real()
            if what == "open":  # whoever asked for it never had it
                os.close(result) if isinstance(result, int) else result.close()
        if plan.mode.startswith("crash"):
            self.dead = True
            raise Crash(what)
        raise trouble(plan.full or plan.mode == "short")

    def changing(self, what: str, path: str, real: Callable[[], Any]) -> Any:
        """Do one call on a file of ours."""
        return self.call(what, path, real, lambda full: _os_error(full, path))

    def is_ours(self, path: object) -> str | None:
        """Return the absolute path where it is below the root."""
        if not isinstance(path, (str, os.PathLike)):
            return None
        found = os.path.abspath(os.fspath(path))  # noqa: PTH100
        return found if found.startswith(self.root) else None

    # -- the calls

    def _calls(self) -> dict[str, Callable[..., Any]]:
        real = {name: getattr(os, name) for name in ("replace", "rename", "link", "mkdir", "unlink", "rmdir", "fsync")}

        def moving(name: str) -> Callable[..., Any]:
            def wrapped(source: Any, target: Any, **options: Any) -> Any:
                path = self.is_ours(target)
                if path is None:
                    return real[name](source, target, **options)
                return self.changing(name, path, lambda: self._moved(real[name], str(source), path))

            return wrapped

        def single(name: str) -> Callable[..., Any]:
            def wrapped(path: Any, *args: Any, dir_fd: int | None = None, **options: Any) -> Any:
                at = path if dir_fd is None else os.path.join(os.readlink(f"/proc/self/fd/{dir_fd}"), path)  # noqa: PTH118, PTH115
                found = self.is_ours(at)
                if found is None or found.endswith(("-wal", "-shm")):
                    return real[name](path, *args, dir_fd=dir_fd, **options)
                return self.changing(name, found, lambda: self._done(name, found, lambda: real[name](found, *args, **options)))

            return wrapped

        def syncing(handle: int) -> None:
            path = self.is_ours(os.readlink(f"/proc/self/fd/{handle}"))  # noqa: PTH115
            if path is None:
                return real["fsync"](handle)
            return self.changing("fsync", path, lambda: (real["fsync"](handle), self._settle(path))[0])

        moves = {name: moving(name) for name in ("replace", "rename", "link")}
        singles = {name: single(name) for name in ("mkdir", "unlink", "rmdir")}
        return moves | singles | {"fsync": syncing, "open": self._opening_low(os.open), "write": self._writing_low(os.write)}

    def _moved(self, real: Callable[..., Any], source: str, target: str) -> None:
        before = _read(target)
        moved = _read(source)
        real(source, target)
        self._undo = [(kind, target if kind == "data" and at == source else at, undo) for kind, at, undo in self._undo]

        def undo() -> None:
            _put(target, before)
            if os.path.isdir(os.path.dirname(source)):  # noqa: PTH112, PTH120
                _put(source, moved)

        self._undo.append(("name", os.path.dirname(target), undo))  # noqa: PTH120

    def _done(self, name: str, path: str, real: Callable[[], Any]) -> Any:
        before = _read(path) if name == "unlink" else None
        result = real()
        folder = os.path.dirname(path)  # noqa: PTH120
        if name == "mkdir":
            self._undo.append(("name", folder, lambda: shutil.rmtree(path, ignore_errors=True)))
        elif name == "unlink":
            self._undo.append(("name", folder, lambda: os.path.isdir(folder) and _put(path, before)))  # noqa: PTH112
        return result

    def _syncing_all(self, real: Callable[[Path], None]) -> Callable[[Path], None]:
        def wrapped(folder: Path) -> None:
            self.changing("syncfs", str(folder), lambda: (real(folder), self._undo.clear())[0])

        return wrapped

    def _settle(self, path: str) -> None:
        """What a sync of a file or a folder makes durable: its bytes, or the names in it."""
        self._undo = [one for one in self._undo if one[1] != path]

    def _opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            path = self.is_ours(file)
            if path is None or not set(mode) & set("wxa+"):
                return real(file, mode, *args, **options)
            opened = self.changing("open", path, lambda: real(file, mode, *args, **options))
            self._undo.append(("data", path, lambda: _halve(path)))
            return _File(opened, path, self)

        return wrapped

    def _opening_low(self, real: Callable[..., int]) -> Callable[..., int]:
        def wrapped(file: Any, flags: int, *args: Any, **options: Any) -> int:
            path = self.is_ours(file)
            if path is None or not flags & (os.O_WRONLY | os.O_RDWR) or path.endswith("/lock"):
                return real(file, flags, *args, **options)
            opened: int = self.changing("open", path, lambda: real(file, flags, *args, **options))
            self._undo.append(("data", path, lambda: _halve(path)))
            return opened

        return wrapped

    def _writing_low(self, real: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        def wrapped(handle: int, data: Any) -> int:
            path = self.is_ours(os.readlink(f"/proc/self/fd/{handle}"))  # noqa: PTH115
            if path is None:
                return real(handle, data)
            if self.plan is not None and self.plan.mode == "short" and len(self.calls) + 1 == self.plan.at:
                real(handle, bytes(data)[: len(data) // 2])
            count: int = self.changing("write", path, lambda: real(handle, data))
            return count

        return wrapped


class _File:
    """A file that is being written."""

    def __init__(self, real: Any, path: str, disk: Disk) -> None:
        self._real, self._path, self._disk = real, path, disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()

    def write(self, data: Any) -> int:
        """Write all of it, or fail, or (``short``) write half."""
        plan = self._disk.plan
        if plan is not None and plan.mode == "short" and len(self._disk.calls) + 1 == plan.at:
            self._flushed(bytes(data)[: len(data) // 2])
        return self._disk.changing("write", self._path, lambda: self._flushed(data))  # type: ignore[no-any-return]

    def _flushed(self, data: Any) -> int:
        count = self._real.write(data)
        self._real.flush()
        return count  # type: ignore[no-any-return]


class _Driver:
    """SQLite's module, with connections that are counted."""

    def __init__(self, real: Any, disk: Disk) -> None:
        self._real, self._disk = real, disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def connect(self, where: str, **options: Any) -> Any:
        """Open a database; one below the root is counted."""
        path = where.removeprefix("file://").partition("?")[0]
        if self._disk.is_ours(path) is None:
            return self._real.connect(where, **options)
        made = self._real.connect(where, factory=_counted(self._real), **options)
        made.path, made.disk, made.module = path, self._disk, self._real
        return made


def _counted(module: Any) -> type:
    class Counted(module.Connection):
        def execute(self, sql: str, *args: Any) -> Any:
            return self._counting(sql, lambda: super(Counted, self).execute(sql, *args))

        def executemany(self, sql: str, *args: Any) -> Any:
            return self._counting(sql, lambda: super(Counted, self).executemany(sql, *args))

        def _counting(self, sql: str, real: Callable[[], Any]) -> Any:
            word = sql.split(None, 1)[0].upper()
            disk = getattr(self, "disk", None)
            if disk is None or (word not in _CHANGES and not (disk.dead and word != "PRAGMA")):
                return real()

            def trouble(full: bool) -> Exception:
                return self.module.OperationalError("database or disk is full" if full else "disk I/O error")

            return disk.call(f"{word} {Path(self.path).name}", "", real, trouble)

    return Counted


def _os_error(full: bool, path: str) -> OSError:
    number = errno.ENOSPC if full else errno.EIO
    return OSError(number, os.strerror(number), path)


def _read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return None


def _put(path: str, data: bytes | None) -> None:
    if data is None:
        Path(path).unlink(missing_ok=True)
    elif os.path.isdir(os.path.dirname(path)):  # noqa: PTH112, PTH120
        Path(path).write_bytes(data)


def _halve(path: str) -> None:
    if os.path.isfile(path):  # noqa: PTH113
        os.truncate(path, os.path.getsize(path) // 2)  # noqa: PTH202
