"""Where a published ledger is read from: a folder or a URL, laid out alike (C2SP tlog-tiles, design section 6).

    checkpoint  policy  roster.jsonl  tile/0/000  tile/entries/000.p/7  documents/<aa>/<sha256>  lookup/ref/<RR>

A source is trusted for nothing. Whatever it gives is held against a signed checkpoint or a hash afterwards; here is only
seen to that reading ends: paths stay inside, sizes are capped (also after gzip), redirects are not followed, time is
limited. That something could not be read is nobody's evidence: ``FetchError``.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ledger.errors import FetchError, FormatError, ProofError
from ledger.records.entry import MAX_ENTRY
from ledger.records.envelope import MAX_ENVELOPE, Envelope, load_envelope
from ledger.tlog.encoding import parse_decimal
from ledger.tlog.tiles import TILE_WIDTH, Tile

__all__ = [
    "FolderSource",
    "Source",
    "UrlSource",
    "fetch_checkpoint",
    "fetch_document",
    "fetch_entries",
    "fetch_policy",
    "fetch_tile",
    "look_up",
    "open_source",
    "read_roster",
    "roster_lines",
]

MAX_CHECKPOINT = 128 * 1024
MAX_POLICY = 128 * 1024
MAX_ROSTER_FILE = 128 * 1024 * 1024
MAX_BUCKET = 32 * 1024 * 1024
MAX_BUNDLE = TILE_WIDTH * (MAX_ENTRY + 2)
_HASH = 32
_CHUNK = 1 << 16
_CONNECT, _READ, _WHOLE = 10.0, 30.0, 600.0
_BUCKETS = ("sha256", "ref", "number")


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
        try:
            target = (self.root / _checked(path)).resolve(strict=True)
            if not target.is_relative_to(self.root):
                raise _failed(self.location, path, "leads outside")
            handle = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise _missing(self.location, path) from None
        except (OSError, RuntimeError) as error:
            raise _failed(self.location, path, str(error)) from None
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise _missing(self.location, path)
        with open(handle, "rb") as file:
            yield from _capped(self.location, path, _read(file, self.location, path), limit)

    def fetch(self, path: str, *, limit: int) -> bytes:
        """Return the file."""
        return b"".join(self.stream(path, limit=limit))


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
            raise _failed(self.url, path, type(error).__name__ + ": " + str(error)[:200]) from None

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
            raise _missing(self.url, path)
        if response.status != 200:
            raise _failed(self.url, path, f"HTTP {response.status}")

    def _chunks(self, response: Any, path: str) -> Iterator[bytes]:
        encoding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            raise _failed(self.url, path, f"Content-Encoding {encoding[:40]}")
        until = time.monotonic() + _WHOLE
        raw = _timed(response.stream(_CHUNK, decode_content=False), until, self.url, path)
        yield from raw if encoding == "identity" else _unpacked(raw, self.url, path)


def fetch_checkpoint(source: Source) -> bytes:
    """Return the newest checkpoint's note, unchecked.

    Raises:
        FetchError: it could not be read.
    """
    return source.fetch("checkpoint", limit=MAX_CHECKPOINT)


def fetch_policy(source: Source) -> bytes:
    """Return the policy that the ledger itself offers: a proposal, to be pinned by someone who compared it."""
    return source.fetch("policy", limit=MAX_POLICY)


def fetch_tile(source: Source, tile: Tile) -> bytes:
    """Return the hashes of ``tile``, cut from the full tile where the partial one has gone (C2SP tlog-tiles).

    Raises:
        FetchError: neither could be read.
        ProofError: code ``truncated``: it is shorter or longer than its width.
    """
    data = _partial_or_full(source, tile, limit=TILE_WIDTH * _HASH)
    if len(data) not in (tile.width * _HASH, TILE_WIDTH * _HASH):
        raise ProofError(f"{tile.path} has {len(data)} bytes", code="truncated", path=tile.path)
    return data[: tile.width * _HASH]


def fetch_entries(source: Source, tile: Tile) -> bytes:
    """Return the entry bundle of ``tile``; where only the full bundle is left, the whole of that.

    Raises:
        FetchError: neither could be read.
    """
    return _partial_or_full(source, tile, limit=MAX_BUNDLE)


def read_roster(source: Source) -> list[Envelope]:
    """Return the envelopes of ``roster.jsonl``, the founding first, unjudged.

    Raises:
        FetchError: it could not be read.
        FormatError: a line is no envelope.
    """
    return roster_lines(source.fetch("roster.jsonl", limit=MAX_ROSTER_FILE))


def roster_lines(data: bytes) -> list[Envelope]:
    """Return the envelopes in the bytes of a ``roster.jsonl``.

    Raises:
        FormatError: a line is no envelope, or the last one does not end.
    """
    lines = data.split(b"\n")
    if lines.pop() != b"":
        raise FormatError("roster.jsonl does not end with a newline", code="roster-file")
    if any(len(line) > MAX_ENVELOPE for line in lines):
        raise FormatError("a line of roster.jsonl is too long", code="roster-file")
    return [load_envelope(line) for line in lines]


def fetch_document(source: Source, sha256: str, size: int, into: BinaryIO) -> None:
    """Write the document of that hash and size into ``into``, hashed on the way.

    Raises:
        FetchError: it could not be read, or (code ``document-differs``) what came is not it.
    """
    found, path = hashlib.sha256(), f"documents/{sha256[:2]}/{sha256}"
    for chunk in source.stream(path, limit=size):
        found.update(chunk)
        into.write(chunk)
    if found.hexdigest() != sha256:
        raise FetchError(f"{path} has other bytes", code="document-differs", where=source.location, sha256=sha256)


def look_up(source: Source, kind: str, prefix: str, value: str) -> list[int]:
    """Return the indexes of the acts that stand under ``value``, ascending: hints, which only a proof makes facts.

    ``kind`` is ``sha256``, ``ref`` or ``number``. The whole bucket of ``prefix`` is fetched, so that the server does
    not learn which value was meant. An absent bucket is an empty one.

    Raises:
        FetchError: it could not be read, or is no bucket.
    """
    if kind not in _BUCKETS or not re.fullmatch(r"[0-9a-zA-Z]{2,3}", prefix):
        raise FetchError(f"no bucket {kind}/{prefix}", code="fetch", where=source.location, problem="look-up")
    path = f"lookup/{kind}/{prefix}"
    try:
        data = source.fetch(path, limit=MAX_BUCKET)
    except FetchError as error:
        if error.code == "fetch-missing":
            return []
        raise
    wanted = value.encode("ascii") + b" "
    try:
        hints = {parse_decimal(line[len(wanted) :].decode("ascii")) for line in data.split(b"\n") if line.startswith(wanted)}
    except (FormatError, UnicodeDecodeError):
        raise _failed(source.location, path, "not a look-up bucket") from None
    return sorted(hints)


def _partial_or_full(source: Source, tile: Tile, *, limit: int) -> bytes:
    try:
        return source.fetch(tile.path, limit=limit)
    except FetchError as error:
        if error.code != "fetch-missing" or tile.width == TILE_WIDTH:
            raise
    return source.fetch(Tile(tile.level, tile.index, TILE_WIDTH).path, limit=limit)


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
        raise _failed(where, path, str(error)) from None


def _capped(where: str, path: str, chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limit:
            values = {"where": where, "path": path, "limit": limit}
            raise FetchError(f"{where}/{path}: more than {limit} bytes", code="fetch-too-large", **values)
        yield chunk


def _timed(chunks: Iterator[bytes], until: float, where: str, path: str) -> Iterator[bytes]:
    for chunk in chunks:
        if time.monotonic() > until:
            raise _failed(where, path, "too slow")
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
                raise _failed(where, path, "bytes after gzip")
    except zlib.error as error:
        raise _failed(where, path, f"gzip: {error}") from None
    if not unpacker.eof:
        raise _failed(where, path, "gzip ends early")


def _missing(where: str, path: str) -> FetchError:
    return FetchError(f"{where}/{path}: not there", code="fetch-missing", where=where, path=path)


def _failed(where: str, path: str, problem: str) -> FetchError:
    return FetchError(f"{where}/{path}: {problem}", code="fetch", where=f"{where}/{path}", problem=problem)
