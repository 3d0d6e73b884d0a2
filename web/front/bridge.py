"""Flask behind ASGI: each request runs whole in one thread of a bounded pool, and no thread waits for a slow reader.

An answer with a length is collected and sent from the event loop. One without (an export) is streamed from its thread,
piece by piece; a reader who does not take a piece in time, or goes away, ends the thread's work at its next piece. An
error in the middle breaks the connection, so that no export ends early without being noticed.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from web.front.http import SLOW, Headers, Scope, Send, encode, respond

__all__ = ["Bridge", "Whole"]

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Whole = tuple[int, Headers, bytes]
_LONGEST = 1800.0  # seconds; a stream keeps a thread and a snapshot for as long as it lasts
_LEAST_SPEED = 16 * 1024  # bytes a second on the average, after the first minute


class Bridge:
    """A WSGI application, called in ``threads`` threads. Bodies of requests are not passed on: no page takes one."""

    def __init__(self, app: Wsgi, threads: int, name: str) -> None:
        self.app = app
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def __call__(self, scope: Scope, send: Send, address: str) -> Whole | None:
        """Run the application; return its whole answer to be sent, or None if it was streamed.

        Raises:
            ConnectionError: the reader went away, or took too long.
        """
        environ, loop = _environ(scope, address), asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, self._run, environ, send, loop)

    def _run(self, environ: dict[str, Any], send: Send, loop: asyncio.AbstractEventLoop) -> Whole | None:
        started: list[tuple[int, Headers]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started.append((int(status.split(" ", 1)[0]), encode(headers)))

        chunks = self.app(environ, start_response)
        try:
            pieces = iter(chunks)
            first = next(pieces, b"")
            status, headers = started[-1]
            if any(name == b"content-length" for name, _ in headers) or environ["REQUEST_METHOD"] == "HEAD":
                return status, headers, b"".join([first, *pieces])
            _stream(send, loop, status, headers, first, pieces)
            return None
        finally:
            getattr(chunks, "close", lambda: None)()


def _stream(
    send: Send, loop: asyncio.AbstractEventLoop, status: int, headers: Headers, first: bytes, pieces: Iterable[bytes]
) -> None:
    began, taken = time.monotonic(), 0

    def wait(message: dict[str, Any]) -> None:
        nonlocal taken
        lasted = time.monotonic() - began
        if lasted > _LONGEST or (lasted > SLOW and taken < lasted * _LEAST_SPEED):
            raise ConnectionError("the reader takes too long")
        taken += len(message.get("body", b""))
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(send(message), SLOW), loop)
        try:
            future.result()
        except (TimeoutError, OSError, RuntimeError) as error:
            raise ConnectionError(f"the reader is gone: {error!r}") from None

    wait({"type": "http.response.start", "status": status, "headers": headers})
    wait({"type": "http.response.body", "body": first, "more_body": True})
    for piece in pieces:
        if piece:
            wait({"type": "http.response.body", "body": piece, "more_body": True})
    wait({"type": "http.response.body", "body": b"", "more_body": False})


async def answer(send: Send, whole: Whole, *, head: bool) -> None:
    """Send what ``Bridge`` returned."""
    status, headers, body = whole
    await respond(send, status, headers, body, head=head)


def _environ(scope: Scope, address: str) -> dict[str, Any]:
    """Return the WSGI environment (PEP 3333) of a request without a body."""
    host, port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": address,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if name not in (b"content-length", b"content-type", b"transfer-encoding"):
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
