"""How the API answers: JSON, headers, and what may be kept how long.

    no query       Cache-Control: no-cache           kept, but asked about again; the ETag answers with 304
    with a query   Cache-Control: private, no-cache  no cache in between may mistake one query for another
    errors         Cache-Control: no-store

An ETag stands for the published checkpoint, the address, the query and the language: an answer follows from these alone.
There is no Last-Modified: two checkpoints can carry one second.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any

import orjson
from flask import Response, g, request

from web.headers import LOG, headers_for

__all__ = ["conditional", "finish", "json_answer"]

_EXPOSED = "Content-Disposition, ETag, Location, Retry-After, X-Request-Id"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}
_LISTS = ("/api/v1/records", "/feed.atom")
# Counts up when the same ledger is answered differently, so that nobody keeps the older form.
_FORM = "1"


def json_answer(value: Any, status: int = 200) -> Response:
    """Return ``value`` as JSON."""
    return Response(orjson.dumps(value), status, mimetype="application/json")


def conditional(view: Callable[..., Response]) -> Callable[..., Response]:
    """Give the answers of ``view`` an ETag, and answer 304 to whoever holds the same one already."""

    @functools.wraps(view)
    def answer(*args: Any, **kwargs: Any) -> Response:
        tag = _tag()
        known = request.if_none_match.contains_weak(tag)
        response = Response(status=304) if known else view(*args, **kwargs)
        response.set_etag(tag)
        return response

    return answer


def _tag() -> str:
    from web.app import reading

    found = hashlib.sha256(reading.checkpoint)
    covered = reading.catalog.size if request.path in _LISTS else None
    asked = json.dumps([_FORM, covered, request.url, g.lang, reading.home.url])
    found.update(asked.encode("ascii"))
    return found.hexdigest()[:32]


def finish(response: Response) -> Response:
    """Give an answer of the API or the feed its headers: public data, for pages of any site, and for no search engine."""
    if not request.path.startswith("/api/") and request.path != "/feed.atom":
        return response
    for name, value in headers_for(LOG, secure=request.is_secure).items():
        response.headers.setdefault(name, value)
    response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    response.headers["X-Robots-Tag"] = "noindex"
    if request.method == "OPTIONS":
        response.headers.extend(_PREFLIGHT)
    usual = "private, no-cache" if request.query_string else "no-cache"
    response.headers.setdefault("Cache-Control", "no-store" if response.status_code >= 400 else usual)
    return response
