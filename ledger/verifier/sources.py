"""A published folder, wherever it lies: plain files or a URL, read so that reading ends.

Paths stay inside, sizes are capped (also after gzip), redirects are not followed, time is limited, and nothing is trusted.
"""

from __future__ import annotations

import os
import re
import stat
import time
import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ledger.errors import FetchError

__all__ = ["FolderSource", "Source", "UrlSource", "failed", "missing", "open_source"]

_CHUNK = 1 << 16
_CONNECT, _READ, _WHOLE = 10.0, 30.0, 600.0


class Source(Protocol):
    """A published folder, wherever it lies; ``location`` names it for people."""

    @property
    def location(self) -> str:
        """The folder or URL."""

    def stream(self, path: str, *, limit: int) -> Iterator[bytes]:
        """Yield the file at ``path`` in chunks, at most ``limit`` bytes in all.

        Raises:
            FetchError: code ``fetch-missing`` (no such file), ``fetch-too-large``, or ``fetch``.
        """

    def fetch(self, path: str, *, limit: int) -> bytes:
        """Return the file at ``path``; raises as ``stream`` does."""


def open_source(location: str) -> Source:
    """Return the source at a URL (``http`` or ``https``) or in a folder (a public folder, or a home that has one).

    Raises:
        FetchError: neither.
    """
    if re.match(r"https?://", location):
        return UrlSource(location)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", location):
        raise FetchError(f"{location}: only http and https", code="fetch", where=location, problem="http, https")
    if not location.isprintable():
        raise FetchError("no location", code="fetch", where=location, problem="control characters")
    return FolderSource(Path(location))


class FolderSource:
    """Plain files below one folder; nothing outside is ever read, also not through a symbolic link."""

    def __init__(self, folder: Path) -> None:
        home = folder / "bening.toml"
        self.root = (folder / "public" if home.is_file() else folder).resolve()
        if not self.root.is_dir():
            raise FetchError(f"{folder} is no folder", code="fetch-missing", where=str(folder), path="")

    @property
    def location(self) -> str:
        """The folder."""
        return str(self.root)

    def stream(self, path: str, *, limit: int) -> Iterator[bytes]:
        """Yield the file in chunks."""
        with self._opened(path) as file:
            yield from _capped(self.location, path, _read(file, self.location, path), limit)

    def _opened(self, path: str) -> FileIO:
        handle = _open_directly(self.root, _checked(path))
        if handle is None:
            handle = self._open_resolved(path)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise missing(self.location, path)
        return FileIO(handle, "rb")

    def _open_resolved(self, path: str) -> int:
        """Open a file to which symbolic links lead, if it lies inside; or tell why it cannot be opened."""
        try:
            target = (self.root / path).resolve(strict=True)
            if not target.is_relative_to(self.root):
                raise failed(self.location, path, "leads outside")
            return os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise missing(self.location, path) from None
        except (OSError, RuntimeError) as error:
            raise failed(self.location, path, str(error)) from None

    def fetch(self, path: str, *, limit: int) -> bytes:
        """Return the file."""
        with self._opened(path) as file:
            try:
                some = min(limit, os.fstat(file.fileno()).st_size) + 1  # one more than there should be
                data = file.read(some)
                while len(data) <= limit and (more := file.read(some)):
                    data += more
            except OSError as error:
                raise failed(self.location, path, str(error)) from None
        if len(data) > limit:
            raise too_large(self.location, path, limit)
        return data


def _open_directly(root: Path, path: str) -> int | None:
    """Open a file folder by folder, through no symbolic link; None where that is not the way to it."""
    *folders, name = path.split("/")
    folder = None
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    finally:
        if folder is not None:
            os.close(folder)


class UrlSource:
    """Files below one URL. A static ``python -m http.server`` will do; connections are kept and used again."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._pool: Any = None

    @property
    def location(self) -> str:
        """The URL."""
        return self.url

    def stream(self, path: str, *, limit: int) -> Iterator[bytes]:
        """Yield the file in chunks, unpacked if it came as gzip."""
        import urllib3

        where = f"{self.url}/{_checked(path)}"
        try:
            response = self._open(where)
            try:
                self._check_status(response, path)
                yield from _capped(self.url, path, self._chunks(response, path), limit)
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise failed(self.url, path, type(error).__name__ + ": " + str(error)[:200]) from None

    def fetch(self, path: str, *, limit: int) -> bytes:
        """Return the file."""
        return b"".join(self.stream(path, limit=limit))

    def _open(self, where: str) -> Any:
        import urllib3

        if self._pool is None:
            timeout = urllib3.Timeout(connect=_CONNECT, read=_READ)
            self._pool = urllib3.PoolManager(num_pools=2, maxsize=4, timeout=timeout, retries=False)
        headers = {"User-Agent": "bening", "Accept-Encoding": "gzip", "Accept": "*/*"}
        return self._pool.request(
            "GET", where, headers=headers, redirect=False, preload_content=False, decode_content=False, retries=False
        )

    def _check_status(self, response: Any, path: str) -> None:
        if response.status in (404, 410):
            raise missing(self.url, path)
        if response.status != 200:
            raise failed(self.url, path, f"HTTP {response.status}")

    def _chunks(self, response: Any, path: str) -> Iterator[bytes]:
        encoding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            raise failed(self.url, path, f"Content-Encoding {encoding[:40]}")
        until = time.monotonic() + _WHOLE
        raw = _timed(response.stream(_CHUNK, decode_content=False), until, self.url, path)
        yield from raw if encoding == "identity" else _unpacked(raw, self.url, path)


def _checked(path: str) -> str:
    """Return ``path`` if it is one of the plain relative paths that a ledger has."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*", path):
        raise FetchError(f"{path!r} is no path of a ledger", code="fetch", where=path, problem="path")
    return path


def _read(file: BinaryIO, where: str, path: str) -> Iterator[bytes]:
    try:
        while chunk := file.read(_CHUNK):
            yield chunk
    except OSError as error:
        raise failed(where, path, str(error)) from None


def _capped(where: str, path: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limit:
            raise too_large(where, path, limit)
        yield chunk


def _timed(chunks: Iterator[bytes], until: float, where: str, path: str) -> Iterator[bytes]:
    for chunk in chunks:
        if time.monotonic() > until:
            raise failed(where, path, "too slow")
        yield chunk


def _unpacked(chunks: Iterator[bytes], where: str, path: str) -> Iterator[bytes]:
    """Yield what gzip holds, never more than a chunk at a time, so that a bomb stops at the cap of whoever reads."""
    unpacker = zlib.decompressobj(31)
    try:
        for chunk in chunks:
            while chunk and not unpacker.eof:
                yield unpacker.decompress(chunk, _CHUNK)
                chunk = unpacker.unconsumed_tail
            if unpacker.unused_data:
                raise failed(where, path, "bytes after gzip")
    except zlib.error as error:
        raise failed(where, path, f"gzip: {error}") from None
    if not unpacker.eof:
        raise failed(where, path, "gzip ends early")


def too_large(where: str, path: str, limit: int) -> FetchError:
    """Return the error of a file of more than ``limit`` bytes."""
    values = {"where": where, "path": path, "limit": limit}
    return FetchError(f"{where}/{path}: more than {limit} bytes", code="fetch-too-large", **values)


def missing(where: str, path: str) -> FetchError:
    """Return the error of a file that is simply not there."""
    return FetchError(f"{where}/{path}: not there", code="fetch-missing", where=where, path=path)


def failed(where: str, path: str, problem: str) -> FetchError:
    """Return the error of a file that could not be read, for whatever reason but absence."""
    return FetchError(f"{where}/{path}: {problem}", code="fetch", where=f"{where}/{path}", problem=problem)
