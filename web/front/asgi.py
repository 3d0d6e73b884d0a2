"""The ASGI application that ``granian`` serves: one place where each request is limited, answered, counted and told.

file of the log, document   → files       never limited, never a thread
POST /api/v1/acts           → intake      limited by what was refused, not by what was published
/healthz  /metrics          → health
everything else             → Flask       limited by address, in a bounded pool of threads
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError
from ledger.publisher.home import Home
from web.app import create_app, error_json
from web.errors import status_of
from web.front.answering import dump
from web.front.bridge import Bridge, answer
from web.front.files import Files, send_known
from web.front.health import gauges_of, health_of
from web.front.http import Headers, Receive, Scope, Send, encode, header, respond
from web.front.intake import Intake
from web.front.journal import Journal
from web.front.limits import Buckets, Gate, whose
from web.front.publishing import Publishing
from web.headers import LOG, PAGE, headers_for
from web.lang import choose
from web.pages import bare_page
from web.settings import WebSettings

__all__ = ["Front", "create_front"]

_STREAMED = re.compile(r"/api/v1/records\.(?:json|jsonl|csv|xlsx)|/feed\.atom|/api/v1/records/[0-9]+/bundle")
_JSON = ("Content-Type", "application/json")
_FILE = b"x-bening-file"


def create_front(home: Home, journal: Journal | None = None) -> Front:
    """Return the application for the ledger in ``home``."""
    return Front(home, WebSettings.of(home), journal or Journal())


class Front:
    """Answers HTTP for one ledger; an ASGI 3 application with a lifespan."""

    def __init__(self, home: Home, settings: WebSettings, journal: Journal) -> None:
        self.home, self.settings, self.journal = home, settings, journal
        self.proxies = [ipaddress.ip_network(one) for one in settings.proxies]
        flask = create_app(home)
        self.site = flask.config["SITE"]
        self.files = {secure: Files(home, secure=secure) for secure in (False, True)}
        self.pages = Bridge(flask, settings.threads, "page")
        self.exports = Bridge(flask, settings.exports_at_once, "export")
        self.page_gate, self.export_gate = Gate(settings.pages_at_once), Gate(settings.exports_at_once, retry_after=10)
        self.intake_gate = Gate(settings.submissions_at_once)
        self.page_rate = Buckets(settings.pages_rate, settings.pages_burst)
        self.refusals = Buckets(settings.refusals_rate, settings.refusals_burst)
        self.publishing = Publishing(home)
        self.intake = Intake(home, self.site, settings, self.publishing)

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
                asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(16, thread_name_prefix="disk"))
                await send({"type": "lifespan.startup.complete"})
            else:
                await asyncio.to_thread(self.publishing.close)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = self._origin(scope)
        if scope["method"] in ("GET", "HEAD") and await self.files[scope["scheme"] == "https"](scope, send):
            self.journal.requests["file", "2xx"] += 1
            return
        request, began, told = secrets.token_hex(8), time.perf_counter(), _Told(send)
        told.extra = [(b"x-request-id", request.encode())]
        kind = "page"
        try:
            kind = await self._answer(scope, receive, told, address)
        except LedgerError as error:
            await self._refuse(scope, told, error)
        except (ConnectionError, TimeoutError) as error:
            self.journal.tell("info", "reader gone", id=request, path=_told_path(scope), detail=repr(error)[:200])
            raise
        except Exception as error:
            self.journal.tell("error", "unexpected", id=request, path=_told_path(scope), detail=repr(error)[:500])
            if told.status:
                raise
            await self._refuse(scope, told, LedgerError(type(error).__name__, code="unexpected"))
        finally:
            seconds = time.perf_counter() - began
            self.journal.answered(kind, told.status, seconds)
            line = {"method": scope["method"], "path": _told_path(scope), "status": told.status, "ms": round(seconds * 1000, 1)}
            self.journal.tell("info", "request", id=request, **line)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, address: str) -> str:
        path, method = scope["path"], scope["method"]
        if path == "/api/v1/acts" and method == "POST":
            await self._take(scope, receive, send, address)
            return "submission"
        if path == "/healthz":
            status, body = await asyncio.to_thread(health_of, self.home, self.site)
            await respond(send, status, encode([_JSON, ("Cache-Control", "no-store")]), body, head=method == "HEAD")
            return "health"
        if path == "/metrics" and _is_loopback(scope, address):
            staged = await self.intake.staging.used()
            text = self.journal.metrics(await asyncio.to_thread(gauges_of, self.home, self.site, staged))
            await respond(send, 200, encode([("Content-Type", "text/plain; version=0.0.4")]), text.encode())
            return "health"
        self.page_rate.take(whose(address))
        streamed = bool(_STREAMED.fullmatch(path))
        gate, bridge = (self.export_gate, self.exports) if streamed else (self.page_gate, self.pages)
        with gate.enter(whose(address)):
            whole = await bridge(scope, send, address)
        if whole is not None:
            await self._send(scope, send, whole)
        return "export" if streamed else "page"

    async def _send(self, scope: Scope, send: Send, whole: tuple[int, Headers, bytes]) -> None:
        """Send Flask's answer; one that only names a file (``X-Bening-File``) is sent from the file."""
        _, headers, _ = whole
        named = next((value.decode() for name, value in headers if name == _FILE), None)
        if named is None:
            await answer(send, whole, head=scope["method"] == "HEAD")
            return
        kept = [one for one in headers if one[0] not in (_FILE, b"content-length")]
        size = (await asyncio.to_thread(Path(named).stat)).st_size
        etag = f'"{named[-64:]}"'
        await send_known(scope, send, named, [*kept, (b"etag", etag.encode())], etag, size)

    async def _take(self, scope: Scope, receive: Receive, send: Send, address: str) -> None:
        """Take a submission. What is malformed or wrongly signed costs its sender a token, what stands already a tenth."""
        lang = choose(_query_lang(scope), header(scope, b"accept-language"))
        sender = whose(address)
        self.refusals.check(sender)
        with self.intake_gate.enter(sender):
            try:
                found = await self.intake(scope, receive, lang)
            except LedgerError as error:
                if status_of(error) < 500 and error.code != "body-cut":  # lines break; that is nobody's fault
                    self.refusals.charge(sender, 1)
                raise
        self.refusals.charge(sender, found.cost)
        headers = [_JSON, ("Cache-Control", "no-store"), *found.headers, *_safe(scope)]
        await respond(send, found.status, encode(headers), dump(found.value))

    async def _refuse(self, scope: Scope, send: Send, error: LedgerError) -> None:
        """Tell a refusal that was made before Flask was asked."""
        status, is_api = status_of(error), scope["path"].startswith("/api/")
        kept = _safe(scope) if is_api else headers_for(PAGE, secure=scope["scheme"] == "https").items()
        headers = [*kept, ("Cache-Control", "no-store")]
        if status in (429, 503):
            headers.append(("Retry-After", str(error.values.get("retry_after", 5))))
        lang = choose(_query_lang(scope), header(scope, b"accept-language"))
        value, head = error_json(error, lang), scope["method"] == "HEAD"
        if is_api:
            await respond(send, status, encode([_JSON, *headers]), dump(value), head=head)
        else:
            page = bare_page(status, value["sentence"], lang).encode()
            await respond(send, status, encode([("Content-Type", "text/html; charset=utf-8"), *headers]), page, head=head)

    def _origin(self, scope: Scope) -> str:
        """Return the reader's address, and set the scheme: as a proxy that is believed says, else as the connection is."""
        client = scope.get("client")
        address = str(client[0]) if client else "127.0.0.1"
        if not self.proxies or not _is_among(address, self.proxies):
            return address
        forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if (header(scope, b"x-forwarded-proto") or "").strip().lower() == "https":
            scope["scheme"] = "https"
        return forwarded[-1].rpartition(",")[2].strip() if forwarded else address  # the last is the proxy's own, others anybody's


class _Told:
    """A ``send`` that remembers the status and adds the request's id."""

    def __init__(self, send: Send) -> None:
        self.inner, self.status = send, 0
        self.extra: Headers = []

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], *self.extra]}
        await self.inner(message)


def _told_path(scope: Scope) -> str:
    """Return the path as the journal tells it, without the number or reference that a reader has typed or scanned."""
    return re.sub(r"^/([nr])/.*", r"/\1/…", scope["path"], flags=re.DOTALL)[:200]


def _safe(scope: Scope) -> list[tuple[str, str]]:
    return list(headers_for(LOG, secure=scope["scheme"] == "https").items())


def _is_among(address: str, networks: Sequence[Any]) -> bool:
    try:
        return any(ipaddress.ip_address(address) in one for one in networks)
    except ValueError:
        return False


def _is_loopback(scope: Scope, address: str) -> bool:
    """Tell whether a request came from this machine itself, and not through a proxy."""
    try:
        return ipaddress.ip_address(address).is_loopback and header(scope, b"x-forwarded-for") is None
    except ValueError:
        return False


def _query_lang(scope: Scope) -> str | None:
    found = re.search(rb"(?:^|&)lang=(id|en)(?:&|$)", scope["query_string"])
    return found[1].decode() if found else None

