"""A client that speaks ASGI to the front, in this process: whole requests, slow ones, and ones that break off."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import LedgerError
from ledger.publisher.handover import Submission, sequence_once
from ledger.publisher.home import Home
from ledger.records.envelope import Envelope, dump_envelope
from tests.publisher.town import no_passphrase
from tests.web.api_ledger import described, holds
from web.front.asgi import Front, create_front

__all__ = ["Client", "Reply", "form", "form_of"]


@dataclass(frozen=True)
class Reply:
    """An answer: its headers by lower-case name, and its whole body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """Asks one front; ``sequencing`` plays the sequencer beside it while requests are under way."""

    def __init__(self, home: Home, *, sequencing: bool = True, front: Front | None = None) -> None:
        self.home, self.sequencing = home, sequencing
        self.loop = asyncio.Runner()
        self.troubles: list[Exception] = []
        self.front = front or create_front(home, _Silent())  # type: ignore[arg-type]

    def close(self) -> None:
        """End the front's threads."""
        self.front.publishing.close()
        self.loop.close()

    def get(self, path: str, **options: Any) -> Reply:
        """Ask for a path."""
        return self.ask("GET", path, **options)

    def ask(self, method: str, path: str, **options: Any) -> Reply:
        """Ask once."""
        return self.ask_all([(method, path, options)])[0]

    def ask_all(self, requests: Sequence[tuple[str, str, dict[str, Any]]]) -> list[Reply]:
        """Ask several things at once and return the answers in that order."""
        return self.loop.run(self._all(requests))

    def submit(self, *acts: Submission | Envelope, **options: Any) -> Reply:
        """Submit acts with their documents as one form."""
        body, content_type = form_of(acts)
        headers = {"content-type": content_type, **options.pop("headers", {})}
        return self.ask("POST", "/api/v1/acts", body=body, headers=headers, **options)

    async def _all(self, requests: Sequence[tuple[str, str, dict[str, Any]]]) -> list[Reply]:
        sequencer = asyncio.create_task(self._sequence()) if self.sequencing else None
        try:
            return list(await asyncio.gather(*(self._ask(method, path, **options) for method, path, options in requests)))
        finally:
            if sequencer is not None:
                sequencer.cancel()
                await asyncio.gather(sequencer, return_exceptions=True)

    async def _sequence(self) -> None:
        while True:
            try:
                await asyncio.shield(asyncio.to_thread(sequence_once, self.home, no_passphrase))
            except (LedgerError, OSError) as error:  # as a process that ends and is started again
                self.troubles.append(error)
            await asyncio.sleep(0.02)

    async def _ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes | Iterable[bytes] = b"",
        address: str = "203.0.113.9", pause: float = 0, breaks: bool = False,
    ) -> Reply:  # fmt: skip
        path, _, query = path.partition("?")
        pieces = [body] if isinstance(body, bytes) else list(body)
        said = {"host": "ledger.example", **(headers or {})}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
            "query_string": query.encode(), "headers": [(key.encode(), value.encode()) for key, value in said.items()],
            "client": (address, 50000), "server": ("ledger.example", 80), "extensions": {},
        }  # fmt: skip
        coming, sent = _pieces(pieces, pause, breaks), list[dict[str, Any]]()

        async def send(message: Any) -> None:
            sent.append(message)

        await self.front(scope, coming.__anext__, send)
        started = next(one for one in sent if one["type"] == "http.response.start")
        whole = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
        found = {name.decode().lower(): value.decode() for name, value in started["headers"]}
        reply = Reply(started["status"], found, whole)
        if (method, path) == ("POST", "/api/v1/acts"):
            _check_description(reply)
        return reply


def _check_description(reply: Reply) -> None:
    """Hold an answer to a submission against the OpenAPI document."""
    described_answers = described()["paths"]["/api/v1/acts"]["post"]["responses"]
    assert str(reply.status) in described_answers, (reply.status, reply.body[:500])
    name = {201: "Submitted", 202: "Submitted", 422: "Refused" if b'"acts"' in reply.body else "Error"}.get(reply.status, "Error")
    holds({"$ref": f"#/components/schemas/{name}"}, reply.json)


async def _pieces(pieces: list[bytes], pause: float, breaks: bool) -> AsyncIterator[dict[str, Any]]:
    for n, piece in enumerate(pieces):
        if pause:
            await asyncio.sleep(pause)
        yield {"type": "http.request", "body": piece, "more_body": breaks or n + 1 < len(pieces)}
    yield {"type": "http.disconnect"}
    await asyncio.sleep(3600)


def form_of(acts: Sequence[Submission | Envelope]) -> tuple[bytes, str]:
    """Return body and content type of a form that submits ``acts`` with their documents."""
    envelopes = [act.envelope if isinstance(act, Submission) else act for act in acts]
    documents = {code: path for act in acts if isinstance(act, Submission) for code, path in act.documents.items()}
    parts = [("envelope", dump_envelope(one)) for one in envelopes]
    return form(parts + [("document", path.read_bytes()) for path in documents.values()])


def form(parts: Sequence[tuple[str, bytes]]) -> tuple[bytes, str]:
    """Return body and content type of ``multipart/form-data`` with these parts."""
    boundary, body = secrets.token_hex(12), b""
    for name, data in parts:
        body += f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"; filename="x"\r\n\r\n'.encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class _Silent:
    """A journal that keeps its lines."""

    def __init__(self) -> None:
        from collections import Counter

        self.lines: list[dict[str, Any]] = []
        self.requests: Any = Counter()

    def tell(self, level: str, message: str, **values: Any) -> None:
        """Keep one line."""
        self.lines.append({"level": level, "message": message, **values})

    def answered(self, kind: str, status: int, seconds: float) -> None:
        """Count nothing."""
