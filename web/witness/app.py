"""The ASGI application of a witness.

    POST /add-checkpoint              200 cosignature lines · 400 · 403 · 404 · 409 (text/x.tlog.size) · 422 · 503
    GET  /<origin hash>/checkpoint    the newest checkpoint that was cosigned, with the log's signature and ours
    GET  /                            what this witness watches, for people
    GET  /healthz                     for whoever operates it

Requests that come together are judged one after another and kept in one transaction; none is answered before it is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ledger.errors import ConflictError, FormatError, LedgerError, StoreError
from ledger.witness.home import WitnessHome
from ledger.witness.state import WitnessState, open_state
from ledger.witness.witness import Witness
from ledger.words import LANGUAGES, explain
from web.errors import status_of_witness
from web.front.http import Receive, Scope, Send, encode, header, respond
from web.front.journal import Journal
from web.headers import LOG, PAGE, headers_for
from web.lang import choose
from web.witness.page import witness_page

__all__ = ["WitnessFront"]

_MOST = 256 * 1024  # bytes of a request: 63 hashes and a note of 128 KiB are less
_READ = 8 * 1024 * 1024
_WITHIN = 20.0  # seconds for a request's body
_TOGETHER, _WAITING = 64, 1024
_CHECKPOINT = re.compile(r"/([0-9a-f]{64})/checkpoint")
_STATIC = {"/static/site.css": "text/css; charset=utf-8", "/static/icon.svg": "image/svg+xml"}
_TEXT = "text/plain; charset=utf-8"

Made = Callable[[WitnessState], Witness]
Answer = tuple[int, str, bytes]


class WitnessFront:
    """Answers HTTP for one witness; ``made`` makes it of an open state."""

    def __init__(self, home: WitnessHome, made: Made, journal: Journal | None = None) -> None:
        self.home, self.made, self.journal = home, made, journal or Journal()
        self.opened = contextlib.ExitStack()
        self.witness = made(self.opened.enter_context(open_state(home.path)))
        self.reading = self.opened.enter_context(open_state(home.path, read_only=True))
        self.writer, self.reader = ThreadPoolExecutor(1, "writer"), ThreadPoolExecutor(1, "reader")
        self.static = {path: (Path(__file__).parents[1] / path[1:]).read_bytes() for path in _STATIC}
        self.waiting: asyncio.Queue[tuple[bytes, asyncio.Future[bytes | LedgerError]]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; also the lifespan's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.waiting = asyncio.Queue(_WAITING)
                self.working = asyncio.create_task(self._work(self.waiting))
                await send({"type": "lifespan.startup.complete"})
            else:
                self.working.cancel()
                self.writer.shutdown()
                self.reader.shutdown()
                self.opened.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, path = time.perf_counter(), scope["path"]
        try:
            status, kind, body = await self._answer(scope, receive)
        except LedgerError as error:
            status, kind, body = self._refusal(scope, error)
        except ConnectionError:
            return
        except Exception as error:  # noqa: BLE001 (told to the operator; the sender learns that it was not its fault)
            self.journal.tell("error", "unexpected", path=path[:100], detail=repr(error)[:500])
            status, kind, body = self._refusal(scope, LedgerError(type(error).__name__, code="unexpected"))
        headers = [("Content-Type", kind), ("Cache-Control", "no-cache")]
        headers += headers_for(PAGE if kind.startswith("text/html") else LOG, secure=scope.get("scheme") == "https").items()
        if status == 503:
            headers.append(("Retry-After", "30"))
        await respond(send, status, encode(headers), body, head=scope["method"] == "HEAD")
        self.journal.answered("file" if _CHECKPOINT.fullmatch(path) else "page", status, time.perf_counter() - began)
        if status >= 400:
            self.journal.tell("info", "refused", path=path[:100], status=status)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if path == "/add-checkpoint":
            return (await self._add(scope, receive)) if method == "POST" else (405, _TEXT, b"POST\n")
        if method not in ("GET", "HEAD"):
            return 405, _TEXT, b"GET\n"
        if path in self.static:
            return 200, _STATIC[path], self.static[path]
        found = _CHECKPOINT.fullmatch(path)
        if found:
            note = await self._read(lambda: self.reading.note_of(found[1]))
            return (200, _TEXT, note) if note else (404, _TEXT, b"never cosigned\n")
        if path == "/healthz":
            return 200, _TEXT, await self._read(lambda: b"%d logs\n" % len(self.reading.logs()))
        if path == "/":
            lang = choose(_asked(scope), header(scope, b"accept-language"), LANGUAGES)
            text = await self._read(lambda: witness_page(self.home, self.reading.logs(), self.witness, lang))
            return 200, "text/html; charset=utf-8", text.encode("utf-8")
        return 404, _TEXT, b"no such page\n"

    async def _read(self, question: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.reader, question)

    async def _add(self, scope: Scope, receive: Receive) -> Answer:
        """Have a checkpoint judged, kept and cosigned."""
        try:
            body = await asyncio.wait_for(_body_of(receive), _WITHIN)
        except TimeoutError:
            raise FormatError("the body came too slowly", code="body-too-slow", seconds=round(_WITHIN)) from None
        if self.waiting is None or self.waiting.full():
            raise StoreError("too many requests wait", code="busy", retry_after=2)
        done: asyncio.Future[bytes | LedgerError] = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait((body, done))
        answer = await done
        if isinstance(answer, LedgerError):
            return self._refusal(scope, answer)
        return 200, _TEXT, answer

    def _refusal(self, scope: Scope, error: LedgerError) -> Answer:
        if isinstance(error, ConflictError):
            return 409, "text/x.tlog.size", b"%d\n" % error.known_size
        lang = choose(_asked(scope), header(scope, b"accept-language"), ("en",))
        return status_of_witness(error), _TEXT, f"{explain(error, lang)}\n".encode()

    async def _work(self, waiting: asyncio.Queue[tuple[bytes, asyncio.Future[bytes | LedgerError]]]) -> None:
        """Take what waits, together."""
        loop = asyncio.get_running_loop()
        while True:
            batch = [await waiting.get()]
            while len(batch) < _TOGETHER and not waiting.empty():
                batch.append(waiting.get_nowait())
            answers = await loop.run_in_executor(self.writer, self._add_all, [body for body, _ in batch])
            for (_, done), answer in zip(batch, answers, strict=True):
                if not done.done():
                    done.set_result(answer)

    def _add_all(self, bodies: list[bytes]) -> list[bytes | LedgerError]:
        try:
            return self.witness.add_checkpoints(bodies)
        except LedgerError as error:
            self.journal.tell("error", "not kept", code=error.code, detail=str(error)[:500])
            return [error] * len(bodies)
        except Exception as error:  # noqa: BLE001 (nothing was kept, or it is not known; nothing is answered as cosigned)
            self.journal.tell("error", "unexpected", detail=repr(error)[:500])
            return [LedgerError(type(error).__name__, code="unexpected")] * len(bodies)


async def _body_of(receive: Receive) -> bytes:
    """Return a request's body.

    Raises:
        FormatError: ``too-long``.
        ConnectionError: the sender went away.
    """
    pieces, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the sender is gone")
        piece = message.get("body", b"")
        size += len(piece)
        if size <= _MOST:
            pieces.append(piece)
        if size > _READ:
            raise ConnectionError("a body without an end")
        if not message.get("more_body"):
            break
    if size > _MOST:  # read to its end, or the sender would not hear the answer
        raise FormatError(f"more than {_MOST} bytes", code="too-long", size=size, limit=_MOST)
    return b"".join(pieces)


def _asked(scope: Scope) -> str | None:
    found = re.search(rb"(?:^|&)lang=(id|en)(?:&|$)", scope["query_string"])
    return found[1].decode() if found else None
