"""What the front shares: the shapes of ASGI 3 (HTTP), and the sending of one answer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["App", "Headers", "Receive", "Scope", "Send", "encode", "header", "respond", "send_file"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

SLOW = 60.0  # seconds in which a reader must take the next piece
_PIECE = 1 << 18


def header(scope: Scope, name: bytes) -> str | None:
    """Return one request header as text, or None; ``name`` in lower case."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def encode(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return headers as ASGI wants them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]


async def respond(send: Send, status: int, headers: Headers, body: bytes = b"", *, head: bool = False) -> None:
    """Send a whole answer; with ``head`` only what is said about the body."""
    if not any(name == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def send_file(
    scope: Scope, send: Send, path: str, status: int, headers: Headers, span: tuple[int, int] | None = None
) -> None:
    """Send the file at ``path``, or its bytes ``start … end-1``: by the server itself where it can, else piece by piece.

    No thread waits while a slow reader takes a piece; one that takes none for a minute is left.
    """
    if scope["method"] == "HEAD":
        await respond(send, status, headers, head=True)
        return
    if span is None and "http.response.pathsend" in (scope.get("extensions") or {}):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.pathsend", "path": path})
        return
    file = await asyncio.to_thread(os.open, path, os.O_RDONLY)
    try:
        start, end = span or (0, os.fstat(file).st_size)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        while start < end:
            piece = await asyncio.to_thread(os.pread, file, min(_PIECE, end - start), start)
            if not piece:
                raise OSError(f"{path} became shorter while it was sent")
            start += len(piece)
            message = {"type": "http.response.body", "body": piece, "more_body": start < end}
            await asyncio.wait_for(send(message), SLOW)
        if span and span[0] == span[1]:
            await send({"type": "http.response.body", "body": b""})
    finally:
        os.close(file)
