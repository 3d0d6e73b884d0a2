"""The files of the log, look-ups and documents, straight from ``public/`` (C2SP tlog-tiles; design, section 6).

    /checkpoint  /policy  /roster.jsonl      text, seconds                 /tile/…           bytes, for ever
    /lookup/sha256/<hhh>                     text, seconds                 /documents/<aa>/<sha256>   attachment, for ever

Small files are kept in memory, each held against its inode, size and time before it is sent again: what is withdrawn or
replaced on disk is gone here too. Nothing here is limited by rate: whoever audits may read as fast as they can.
"""

from __future__ import annotations

import email.utils
import os
import re
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import FormatError
from ledger.publisher.home import Home
from ledger.tlog.tiles import parse_tile_path
from web.front.http import Headers, Scope, Send, encode, header, respond, send_file
from web.headers import DOCUMENT, LOG, headers_for

__all__ = ["Files", "send_known", "span_of"]

_SMALL = 512 * 1024
_KEPT = 64 * 1024 * 1024
_TEXTS = {"checkpoint": "text/plain", "policy": "text/plain", "policy-ed25519": "text/plain",
          "roster.jsonl": "application/jsonl"}  # fmt: skip
_LOOKUP = re.compile(r"lookup/(?:(?:sha256|number)/[0-9a-f]{3}|ref/[0-9A-HJKMNP-TV-Z]{2})", re.ASCII)
_DOCUMENT = re.compile(r"documents/([0-9a-f]{2})/\1[0-9a-f]{62}", re.ASCII)
_SOON, _EVER = "public, max-age=2", "public, max-age=31536000, immutable"


@dataclass(slots=True)
class _Kept:
    """A path that is served: its file, what it was when it was read, its headers, and its bytes if they are few."""

    file: str
    seen: tuple[int, int, int]
    headers: Headers
    etag: str
    data: bytes | None


class Files:
    """Serves what lies in ``public/``; anything else is not its matter."""

    def __init__(self, home: Home, *, secure: bool = False) -> None:
        self.root, self.secure = str(home.public), secure
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0

    async def __call__(self, scope: Scope, send: Send) -> bool:
        """Answer a GET or HEAD for a file of the log; False where the path names none, or a document that is not there."""
        path = scope["path"][1:]
        kept = self._fresh(path)
        if kept is None:
            kind = _kind_of(path)
            if kind is None or (kind == DOCUMENT and not Path(self.root, path).is_file()):
                return False
            try:
                kept = self._keep(path, kind)
            except OSError:
                await respond(send, 404, encode([("Content-Type", "text/plain; charset=utf-8"), *self._headers(LOG)]), b"404\n")
                return True
        await send_known(scope, send, kept.file, kept.headers, kept.etag, kept.seen[1], kept.data)
        return True

    def _fresh(self, path: str) -> _Kept | None:
        kept = self._kept.get(path)
        if kept is None:
            return None
        try:
            if _seen(os.stat(kept.file)) == kept.seen:  # noqa: PTH116 (half the cost of Path.stat, for each tile)
                return kept
        except OSError:
            pass
        self._drop(path)
        return None

    def _keep(self, path: str, kind: str) -> _Kept:
        """Read what is served under ``path``.

        Raises:
            OSError: there is no such file.
        """
        file = f"{self.root}/{path}"
        with open(file, "rb") as opened:
            status = os.fstat(opened.fileno())
            data = opened.read() if status.st_size <= _SMALL else None
        seen = _seen(status)
        etag = f'"{path[-64:]}"' if kind == DOCUMENT else '"{:x}-{:x}-{:x}"'.format(*seen)
        said = [*self._headers(kind), *_said(path, kind), ("ETag", etag), ("Accept-Ranges", "bytes"),
                ("Last-Modified", email.utils.formatdate(status.st_mtime, usegmt=True))]  # fmt: skip
        kept = _Kept(file, seen, encode(said), etag, data)
        self._kept[path] = kept
        self._bytes += len(data or b"") + 1024
        while self._bytes > _KEPT:
            self._drop(next(iter(self._kept)))
        return kept

    def _drop(self, path: str) -> None:
        kept = self._kept.pop(path)
        self._bytes -= len(kept.data or b"") + 1024

    def _headers(self, kind: str) -> list[tuple[str, str]]:
        return list(headers_for(kind, secure=self.secure).items())


async def send_known(
    scope: Scope, send: Send, file: str, headers: Headers, etag: str, size: int, data: bytes | None = None
) -> None:
    """Send a file of ``size`` bytes with what is known of it: 304 and 206 where they were asked for (RFC 9110)."""
    span = None
    for name, value in scope["headers"]:
        if name == b"if-none-match" and etag.encode() in value:
            await respond(send, 304, [one for one in headers if one[0] != b"content-length"], head=True)
            return
        if name == b"range" and header(scope, b"if-range") in (None, etag):
            span = span_of(value.decode("latin-1"), size)
            if span == (-1, -1):
                await respond(send, 416, [*headers, (b"content-range", b"bytes */%d" % size)])
                return
    status, length = 200, size
    if span is not None:
        status, length = 206, span[1] - span[0]
        headers = [*headers, (b"content-range", b"bytes %d-%d/%d" % (span[0], span[1] - 1, size))]
    headers = [*headers, (b"content-length", b"%d" % length)]
    if data is None:
        await send_file(scope, send, file, status, headers, span)
    else:
        body = data if span is None else data[span[0] : span[1]]
        await respond(send, status, headers, body, head=scope["method"] == "HEAD")


def span_of(value: str, size: int) -> tuple[int, int] | None:
    """Return the half-open span that a Range header asks for; None: all of it; (-1, -1): none that there is."""
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", value.strip(), re.ASCII)
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
        if found[2] and int(found[2]) < start:
            return None
    return (start, end) if start < end else (-1, -1)


def _kind_of(path: str) -> str | None:
    if _DOCUMENT.fullmatch(path):
        return DOCUMENT
    if path in _TEXTS or _LOOKUP.fullmatch(path):
        return LOG
    try:
        parse_tile_path(path)
    except FormatError:
        return None
    return LOG


def _said(path: str, kind: str) -> list[tuple[str, str]]:
    """Return content type, caching and disposition (tlog-tiles: a checkpoint is text, tiles are bytes and never change)."""
    if kind == DOCUMENT:
        return [("Content-Type", "application/octet-stream"), ("Content-Disposition", "attachment"), ("Cache-Control", _EVER)]
    if path.startswith("tile/"):
        return [("Content-Type", "application/octet-stream"), ("Cache-Control", _EVER)]
    return [("Content-Type", f"{_TEXTS.get(path, 'text/plain')}; charset=utf-8"), ("Cache-Control", _SOON)]


def _seen(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
