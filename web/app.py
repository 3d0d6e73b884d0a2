"""The Flask application: pages and API of one ledger. Files of the log, documents and submissions are answered before it.

``create_app`` is the factory; blueprints live in ``web/pages`` and ``web/api``. Each request reads one snapshot
(``g.reading``, opened when it is first used) in one language (``g.lang``, ``g.say``).
"""

from __future__ import annotations

import functools
import gzip
import json
from contextlib import ExitStack
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

from ledger.errors import LedgerError
from ledger.publisher.home import Home
from ledger.words import explain, say, say_reason
from web.errors import status_of
from web.headers import PAGE, headers_for
from web.lang import choose
from web.site import Reading, Site

__all__ = ["create_app", "error_json", "reading"]

_WORTH_PACKING = 1000
_TEXTS = {"text/html", "text/css", "text/javascript", "application/json", "image/svg+xml", "text/plain"}


def create_app(home: Home) -> Flask:
    """Return the application for the ledger in ``home``."""
    app = Flask("web", static_folder="static", static_url_path="/static")
    app.config["SITE"] = Site(home)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.before_request(_begin)
    app.teardown_request(_end)
    app.after_request(_finish)
    app.register_error_handler(LedgerError, _refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    _register(app)
    return app


def _register(app: Flask) -> None:
    from web import api, documents, pages

    for one in (documents.blueprint, *pages.blueprints(), *api.blueprints()):
        app.register_blueprint(one)
    pages.prepare(app)


def _open() -> Reading:
    if "reading" not in g:
        site: Site = g.site
        g.reading = g.opened.enter_context(site.read())
    opened: Reading = g.reading
    return opened


reading: Reading = LocalProxy(_open)  # type: ignore[assignment]


def _begin() -> None:
    from flask import current_app

    g.site, g.opened = current_app.config["SITE"], ExitStack()
    usual = () if _is_api() else ("id",)
    g.lang = choose(request.args.get("lang"), request.headers.get("Accept-Language"), usual)
    g.say = functools.partial(_say, g.lang)


def _say(lang: str, key: str, /, **values: object) -> str:
    return say(key, lang, **values)


def _end(error: BaseException | None) -> None:
    if "opened" in g:
        g.opened.close()


def _finish(response: Response) -> Response:
    for name, value in headers_for(PAGE, secure=request.is_secure).items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-cache")
    response.vary.add("Accept-Language")
    return _packed(response)


def _packed(response: Response) -> Response:
    """Pack texts for slow lines. Nothing here is secret, so that what is packed together tells nobody anything."""
    response.vary.add("Accept-Encoding")
    wanted = request.accept_encodings["gzip"] > 0 and response.mimetype in _TEXTS and response.status_code == 200
    if not wanted or "Content-Encoding" in response.headers or "X-Bening-File" in response.headers:
        return response
    response.direct_passthrough = False
    if response.is_streamed and not response.content_length:
        return response  # an export goes out as it is made
    data = response.get_data()
    if len(data) > _WORTH_PACKING:
        response.set_data(gzip.compress(data, compresslevel=4, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        tag, _ = response.get_etag()
        if tag is not None:
            response.set_etag(tag, weak=True)
    return response


def _is_api() -> bool:
    return request.path.startswith("/api/")


def _refuse(error: LedgerError) -> Response:
    status = status_of(error)
    if _is_api():
        body = json.dumps(error_json(error, g.lang), ensure_ascii=False)
        response = Response(body, status, mimetype="application/json")
    else:
        from web.pages import error_page

        response = Response(error_page(status, explain(error, g.lang)), status)
    if status in (429, 503):
        response.headers["Retry-After"] = str(error.values.get("retry_after", 5))
    return response


def _refuse_http(error: HTTPException) -> Response:
    """Give werkzeug's own refusals (no such page, wrong method) the same shape as ours."""
    status = error.code or 500
    if error.response is not None or status < 400:  # a redirect
        return Response(error.get_response().get_data(), status, dict(error.get_response().headers))
    sentence = say(f"http.{status}" if status in (400, 404, 405, 406, 413, 415) else "http.other", g.lang, status=status)
    if _is_api():
        found = {"error": error.name.lower().replace(" ", "-"), "sentence": sentence, "detail": "", "reasons": []}
        return Response(json.dumps(found, ensure_ascii=False), status, mimetype="application/json")
    from web.pages import error_page

    return Response(error_page(status, sentence), status)


def error_json(error: LedgerError, lang: str) -> dict[str, Any]:
    """Return an error as the API tells it: code, sentence, and every reason."""
    reasons = [
        {"code": one.code, "path": one.path, "sentence": say_reason(one, lang)} for one in getattr(error, "reasons", ())
    ]
    return {"error": error.code, "sentence": explain(error, lang), "detail": error.detail, "reasons": reasons}
