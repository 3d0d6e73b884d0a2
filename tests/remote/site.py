"""A site in a few lines, for tests: it speaks the API's contract, does to a town's home what it is asked, and can lie.

``lies`` are asked first, each with the request; one that returns an ``Answer`` takes the place of the truth. ``CUT`` closes the
connection without a word.
"""

from __future__ import annotations

import base64
import json
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ledger.desk.roster_view import roster_json
from ledger.errors import LedgerError
from ledger.publisher.handover import Outcome, Submission, hand_over
from ledger.publisher.home import Home
from ledger.publisher.state import fate_of, open_state, published_size
from ledger.records.envelope import load_envelope
from ledger.records.numbers import fold_number
from ledger.words import say_reason
from tests.publisher.town import no_passphrase

__all__ = ["CUT", "Answer", "Request", "Site"]


@dataclass(frozen=True)
class Request:
    """What came: ``query`` in order, the names and bytes of a form's parts."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    parts: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, value: Any, **headers: str) -> Answer:
        """Return an answer in JSON; ``Retry_After`` is the header ``Retry-After``."""
        said = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **said})

    @property
    def value(self) -> Any:
        """The body's JSON value."""
        return json.loads(self.body)


CUT = Answer(0)
Lie = Callable[[Request], Answer | None]


class Site:
    """Serves one home at ``url``; ``asked`` are the requests in the order in which they came."""

    def __init__(self, home: Home, keys: Callable[[Path], bytes | None] = no_passphrase) -> None:
        self.home, self.keys = home, keys
        self.asked, self.lies = list[Request](), list[Lie]()
        self._lock, self._folder = threading.Lock(), tempfile.TemporaryDirectory()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()

    def count(self, method: str, path: str) -> int:
        """Return how often something was asked."""
        return sum((one.method, one.path) == (method, path) for one in self.asked)

    def once(self, answer: Answer, method: str = "POST", path: str = "/api/v1/acts", times: int = 1) -> None:
        """Answer the next ``times`` requests of that kind with ``answer``."""
        left = [times]

        def lie(request: Request) -> Answer | None:
            if (request.method, request.path) != (method, path) or not left[0]:
                return None
            left[0] -= 1
            return answer

        self.lies.append(lie)

    def answer(self, request: Request) -> Answer:
        """Answer a request, truly or as somebody wants it."""
        with self._lock:
            self.asked.append(request)
            lied = next((found for lie in self.lies if (found := lie(request)) is not None), None)
            return lied if lied is not None else self.truth(request)

    def truth(self, request: Request) -> Answer:
        """Answer a request as the contract says."""
        if (request.method, request.path) == ("POST", "/api/v1/acts"):
            return self._take(request)
        if request.path == "/api/v1/find":
            return self._find(request)
        if request.path == "/api/v1/roster":
            with open_state(self.home) as state:
                return Answer.json(200, roster_json(state.roster))
        if request.path == "/api/v1/ledger":
            return Answer.json(200, {"url": self.home.url, "size": published_size(self.home)})
        if request.path.startswith("/api/v1/acts/"):
            return self._fate(request.path.rpartition("/")[2])
        path = self.home.public / request.path.lstrip("/")
        return Answer(200, path.read_bytes()) if path.is_file() else Answer(404, b"<p>not here")

    def _find(self, request: Request) -> Answer:
        found: dict[str, list[dict[str, Any]]] = {}
        with open_state(self.home) as state:
            for name, value in request.query:
                acts: dict[str, Any] = {
                    "ref": lambda v: [state.index.by_ref(v)],
                    "id": lambda v: [state.index.by_id(v)],
                    "document": state.index.by_document,
                    "names": lambda v: {act.id: act for _, act in state.index.relating_to(v)}.values(),
                    "number": lambda v: [act for act in state.index.all() if act.number_key and act.number_key[2] == fold_number(v)],
                }
                rows = [one for one in acts[name](value) if one is not None]
                found[f"{name}={value}"] = [
                    {"index": one.index, "time": one.time, "id": one.id, "payload": base64.b64encode(
                        json.dumps(state.index.body(one.ref), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
                    ).decode()} for one in rows
                ]  # fmt: skip
        return Answer.json(200, {"size": published_size(self.home), "acts": found})

    def _fate(self, act_id: str) -> Answer:
        fate = fate_of(self.home, act_id)
        if fate.state == "unknown":
            return Answer.json(404, {"error": "act-not-found", "sentence": "?", "detail": "", "reasons": []})
        return Answer.json(200, {"id": act_id, "state": fate.state, "index": fate.index, "reasons": _reasons(fate.reasons)})

    def _take(self, request: Request) -> Answer:
        envelopes = [load_envelope(data) for name, data in request.parts if name == "envelope"]
        paths = self._documents(request)
        try:
            outcomes = hand_over(self.home, [Submission(one, paths) for one in envelopes], keys=self.keys)
        except LedgerError as error:
            reasons = _reasons(getattr(error, "reasons", ()))
            return Answer.json(422, {"error": error.code, "sentence": "no", "detail": "", "reasons": reasons})
        acts = [_told(one) for one in outcomes]
        refused = any(one["state"] == "refused" for one in acts)
        more = {"error": "admission", "sentence": "no", "detail": "", "reasons": []} if refused else {}
        return Answer.json(422 if refused else 201, {**more, "acts": acts})

    def _documents(self, request: Request) -> dict[str, Path]:
        import hashlib

        paths = {}
        for name, data in request.parts:
            if name == "document":
                sha256 = hashlib.sha256(data).hexdigest()
                paths[sha256] = Path(self._folder.name) / sha256
                paths[sha256].write_bytes(data)
        return paths

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._answer(())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(_parts(body, self.headers["Content-Type"].partition("boundary=")[2]))

            def log_message(self, *_: Any) -> None:
                pass

            def _answer(self, parts: tuple[tuple[str, bytes], ...]) -> None:
                url = urlsplit(self.path)
                headers = {key.lower(): value for key, value in self.headers.items()}
                answer = site.answer(Request(self.command, url.path, tuple(parse_qsl(url.query)), headers, parts))
                if answer is CUT:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

        return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that were killed."""


def _told(outcome: Outcome) -> dict[str, Any]:
    if outcome.reasons:
        return {"id": outcome.id, "ref": outcome.ref, "state": "refused", "reasons": _reasons(outcome.reasons)}
    proof = (outcome.proof or b"").decode()
    return {"id": outcome.id, "ref": outcome.ref, "index": outcome.index, "state": "published", "already": outcome.already, "proof": proof}


def _reasons(reasons: Any) -> list[dict[str, str]]:
    return [{"code": one.code, "path": one.path, "sentence": say_reason(one, "en")} for one in reasons]


def _parts(body: bytes, boundary: str) -> tuple[tuple[str, bytes], ...]:
    parts = body.split(f"--{boundary}".encode())
    assert parts[0] == b""
    assert parts[-1] == b"--\r\n"
    found = []
    for part in parts[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        found.append((head.partition(b'name="')[2].partition(b'"')[0].decode(), data.removesuffix(b"\r\n")))
    return tuple(found)
