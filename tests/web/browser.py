"""A real browser before a real server that can lie: Chromium by playwright, and a threaded server with tampering by path.

    with local_site(home) as site, chromium() as browser:
        site.tamper("/roster.jsonl", lambda body: body[:-40])     # other bytes; also bytes, None (404) or status=503
        page = new_page(browser, lang="en", width=360, height=640)
        page.goto(site.url + "/verify")
        site.asked                                                # the paths that were asked for, in their order

The server answers the files of ``public/`` at the root, as ``web/front`` does (headers too), and everything else by the
Flask application of ``home``. Another folder in ``site.public`` is another ledger under the same address. Fixtures of the
same things are in ``conftest.py``. playwright keeps an event loop running in the thread that uses it, so a browser lives
for one test module, and such a module must not call ``asyncio.run``.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from web.headers import DOCUMENT, LOG, headers_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from ledger.publisher.home import Home

__all__ = ["ARGUMENTS", "LocalSite", "chromium", "find_chromium", "local_site", "new_page", "watched"]

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_LOG = ("checkpoint", "policy", "policy-ed25519", "roster.jsonl", "tile", "lookup", "documents")

Change = Callable[[bytes], bytes]


def find_chromium() -> str | None:
    """Return the path of a Chromium or Chrome, None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Run a headless Chromium until the block ends."""
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    assert path is not None, f"none of {', '.join(_NAMES)} is installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *arguments])
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser: Browser, *, lang: str = "en", width: int = 1280, height: int = 900, dark: bool = False,
             **options: Any) -> Page:  # fmt: skip
    """Return a page of a fresh profile (no storage, no cache) whose script errors are gathered in ``page.troubles``."""
    scheme = "dark" if dark else "light"
    context = browser.new_context(
        locale=lang, viewport={"width": width, "height": height}, color_scheme=scheme, **options  # type: ignore[arg-type]
    )  # fmt: skip
    context.set_default_timeout(20_000)
    return watched(context.new_page())


def watched(page: Page) -> Page:
    """Return ``page``, from now on with ``troubles``: uncaught errors of scripts, and refusals by the security policy."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda line: troubles.append(line.text) if "Content Security Policy" in line.text else None)
    page.troubles = troubles  # type: ignore[attr-defined]
    return page


class LocalSite:
    """A site on a free port: files of ``public``, everything else by ``app``, and whatever ``tamper`` says instead."""

    def __init__(self, public: Path, app: Callable[..., Any] | None) -> None:
        self.public, self.app = public, app
        self.asked: list[str] = []
        self._lies: dict[str, tuple[int, bytes | Change | None]] = {}
        self._portal: bytes | None = None
        self.server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self.server.port}"

    def tamper(self, path: str, change: bytes | Change | None, *, status: int = 200) -> None:
        """Answer ``path`` with other bytes, with the true ones changed, or (None) with 404 or another ``status``."""
        self._lies[path] = (status if change is not None or status != 200 else 404, change)

    def portal(self, body: bytes) -> None:
        """Answer every file of the log with ``body`` as HTML and status 200, as a hotel's network does."""
        self._portal = body

    def honest(self) -> None:
        """Tell the truth again."""
        self._lies, self._portal = {}, None

    def _answer(self, environ: dict[str, Any], start: Any) -> Any:
        path = environ["PATH_INFO"]
        self.asked.append(path + (f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""))
        return self._response(path, Request(environ))(environ, start)

    def _response(self, path: str, request: Request) -> Any:
        is_log = path.split("/")[1] in _LOG
        if path in self._lies:
            return self._lie(path, *self._lies[path])
        if is_log and self._portal is not None:
            return Response(self._portal, 200, content_type="text/html; charset=utf-8")
        body = self._file(path) if is_log else None
        if body is not None:
            return _log_response(path, body, 200)
        if is_log and not path.startswith("/documents/"):
            return Response(b"404\n", 404, headers_for(LOG, secure=False))
        return self.app or Response(b"404\n", 404)

    def _lie(self, path: str, status: int, change: bytes | Change | None) -> Response:
        body = change if isinstance(change, bytes) else b"" if change is None else change(self._file(path) or b"")
        return _log_response(path, body, status)

    def _file(self, path: str) -> bytes | None:
        place = (self.public / path[1:]).resolve()
        return place.read_bytes() if place.is_relative_to(self.public.resolve()) and place.is_file() else None


def _log_response(path: str, body: bytes, status: int) -> Response:
    kind = DOCUMENT if path.startswith("/documents/") else LOG
    media_type = "application/octet-stream" if path.startswith(("/tile/", "/documents/")) else "text/plain; charset=utf-8"
    headers = {**headers_for(kind, secure=False), "Cache-Control": "no-store"}
    return Response(body, status, headers, content_type=media_type)


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def local_site(home: Home | None = None, public: Path | None = None) -> Iterator[LocalSite]:
    """Serve a home, or only a published folder, until the block ends."""
    from web.app import create_app

    folder = public or (home.public if home is not None else Path("/nonexistent"))
    site = LocalSite(folder, None if home is None else create_app(home).wsgi_app)
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        thread.join()
        site.server.server_close()
