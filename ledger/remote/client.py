"""One site asked over HTTP: limited in size, time and patience. It follows nobody elsewhere, and trusts nothing that it reads.

    GET  https://ledger.kota.example/api/v1/find?ref=19JVNJXPQJS        User-Agent: bening/0.1.0
    429 or 503 with Retry-After: 3                                      asked again after 3 seconds, while patience lasts
    301, 302, 307 …                                                     refused: an address elsewhere is never followed

``https``, or ``http`` to this machine: what is shown before an act is public for ever comes from there. Plain ``http`` to
another machine only where its host stands in ``BENING_ALLOW_HTTP``. What an answer says is judged by whoever asked.
"""

from __future__ import annotations

import email.utils
import functools
import ipaddress
import itertools
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from ledger.errors import FetchError, UsageError

__all__ = ["ALLOW_HTTP", "PATIENCE", "Client", "Reply", "check_address", "is_loopback"]

ALLOW_HTTP = "BENING_ALLOW_HTTP"
PATIENCE = 60.0
MOST_BYTES = 64 * 1024 * 1024
_CHUNK = 1 << 16
_CONNECT, _READ, _WHOLE = 10.0, 60.0, 600.0
_CONNECTIONS = 4
_LATER = (429, 503)
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
_MOST_TRIES = 5  # where there is no answer at all

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: ``status``, headers by lower-case name, the whole body; ``again``: it took more than one request."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    again: bool = False

    def retry_after(self) -> float | None:
        """Return the seconds that ``Retry-After`` asks for (RFC 9110, 10.2.3); None: it says nothing that can be read."""
        said = self.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdigit():
            return float(said[:9])
        try:
            return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
        except (ValueError, TypeError, OverflowError):
            return None


class Client:
    """Asks the site at ``url``, in the language ``lang``; connections are kept and used again, also by several threads.

    ``tell`` is called with the seconds whenever the site asks for patience. ``plain_http`` are hosts that may be asked
    without encryption.
    """

    def __init__(
        self,
        url: str,
        *,
        lang: str = "en",
        plain_http: Collection[str] = (),
        patience: float = PATIENCE,
        tell: Callable[[float], None] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self.url, self.lang = check_address(url, plain_http), lang
        self.patience, self.sleep, self._tell = patience, sleep or time.sleep, tell
        self._reached = False

    def get(self, path: str, query: Query = (), *, limit: int = MOST_BYTES) -> Reply:
        """Ask for ``path`` below the site's address; again, for a while, where no answer came or it says to come later.

        Raises:
            FetchError: ``site-unreachable``, ``site-cut``, ``site-redirects``, ``fetch-too-large``.
        """
        return self._patiently(lambda: self._once("GET", _target(path, query), None, {}, limit), cut_again=True)

    def post(self, path: str, body: Iterable[bytes], headers: Mapping[str, str], *, limit: int = MOST_BYTES) -> Reply:
        """Send ``body``, which can be gone through several times; sent again only where the site says that it took nothing.

        Raises:
            FetchError: as ``get``; with ``site-cut`` it is not known what became of it.
        """
        return self._patiently(lambda: self._once("POST", path, body, headers, limit), cut_again=False)

    def _patiently(self, ask: Callable[[], Reply], *, cut_again: bool) -> Reply:
        """Ask until there is an answer, or patience ends; the last answer or error is the caller's."""
        until, again = time.monotonic() + self.patience, False
        for attempt in itertools.count():
            pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
            try:
                reply = ask()
                self._reached = True
                asked = reply.retry_after()
                pause = pause if asked is None else max(asked, 0.1)
                if reply.status not in _LATER or time.monotonic() + pause > until:
                    break
                self._told(pause)
            except FetchError as error:
                worth = (error.code == "site-cut" and cut_again) or (error.code == "site-unreachable" and self._reached)
                if not worth or attempt >= _MOST_TRIES:
                    raise
            again = True
            self.sleep(pause)
        return Reply(reply.status, reply.body, reply.headers, again)

    def _told(self, seconds: float) -> None:
        if self._tell is not None:
            self._tell(seconds)

    def _once(self, method: str, path: str, body: Iterable[bytes] | None, headers: Mapping[str, str], limit: int) -> Reply:
        import urllib3
        from urllib3 import exceptions

        sent = {"User-Agent": _agent(), "Accept-Language": self.lang, "Accept-Encoding": "identity", **headers}
        options: dict[str, Any] = {"redirect": False, "retries": False, "preload_content": False, "decode_content": False}
        try:
            response = self._pool.urlopen(method, f"{self.url}/{path}", body=body, headers=sent, **options)
            try:
                data = self._whole(response, path.partition("?")[0], limit)
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except (exceptions.NewConnectionError, exceptions.ConnectTimeoutError, exceptions.SSLError) as error:
            raise FetchError(f"{self.url}: {error}", code="site-unreachable", where=self.url, problem=_short(error)) from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise FetchError(f"{self.url}: {error}", code="site-cut", where=self.url, problem=_short(error)) from None
        reply = Reply(int(response.status), data, {key.lower(): value for key, value in response.headers.items()})
        if 300 <= reply.status < 400:
            target = reply.headers.get("location", "")[:200]
            raise FetchError(f"{self.url}/{path} leads to {target}", code="site-redirects", where=self.url, target=target)
        return reply

    def _whole(self, response: Any, path: str, limit: int) -> bytes:
        """Return the body, never more than ``limit`` bytes of it, and not for ever."""
        until, pieces, size = time.monotonic() + _WHOLE, list[bytes](), 0
        while piece := response.read(_CHUNK, decode_content=False):
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                values = {"where": self.url, "path": path, "limit": limit}
                raise FetchError(f"{self.url}/{path}: more than {limit} bytes", code="fetch-too-large", **values)
            if time.monotonic() > until:
                raise FetchError(f"{self.url}: too slow", code="site-cut", where=self.url, problem=f"> {_WHOLE:.0f} s")
        return b"".join(pieces)

    @functools.cached_property
    def _pool(self) -> Any:
        import urllib3

        timeout = urllib3.Timeout(connect=_CONNECT, read=_READ)
        return urllib3.PoolManager(num_pools=1, maxsize=_CONNECTIONS, block=True, timeout=timeout, retries=False)


def check_address(url: str, plain_http: Collection[str] = ()) -> str:
    """Return the address of a site without its last slash.

    Raises:
        UsageError: ``bad-site``: no http or https address, or one with a user, a query or a fragment; ``plain-http``.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"{url[:200]!r} is no address of a site", code="bad-site", where=url[:200])
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"{url[:200]!r} has more than host and path", code="bad-site", where=url[:200])
    if parts.scheme == "http" and not is_loopback(host) and host not in plain_http:
        raise UsageError(f"{url} is not encrypted", code="plain-http", where=url, host=host, name=ALLOW_HTTP)
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is this machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _target(path: str, query: Query) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _short(error: BaseException) -> str:
    """Return what a library's error says, without the objects and numbers that it names first."""
    said = str(error.args[0]) if len(error.args) == 2 and isinstance(error.args[0], str) else str(error)
    text = re.sub(r"HTTPS?Connection(Pool)?\([^)]*\): |\[Errno -?[0-9]+\] |\[SSL[^\]]*\] |Connection broken: ", "", said)
    return text[:200] or type(error).__name__


@functools.cache
def _agent() -> str:
    from importlib import metadata

    try:
        return f"bening/{metadata.version('bening')}"
    except metadata.PackageNotFoundError:
        return "bening"
