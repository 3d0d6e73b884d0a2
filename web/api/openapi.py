"""The OpenAPI 3.1 document of ``/api/v1``, put together from ``schemas`` and ``paths``. Tests hold every answer against it."""

from __future__ import annotations

import functools

import orjson

from web.api.paths import PARAMETERS, PATHS, RESPONSES
from web.api.schemas import SCHEMAS

__all__ = ["document"]

_ABOUT = """
A public, append-only ledger of official acts. Everything that is read here is public, from any site, without a key or a
cookie. What is published can also be checked without trusting this server: the files of the log (`/checkpoint`, `/tile/…`,
C2SP tlog-tiles) and the proofs are the truth, this interface is a convenience.

- Errors are always `{"error", "sentence", "detail", "reasons"}`; `error` is for software, `sentence` for people.
- Answers are in Indonesian or English: `?lang=id|en`, else by `Accept-Language`, else Indonesian.
- A query parameter that is not known, empty, or given twice where once is meant, is refused with 400: a typing error never
  widens an answer.
- An `ETag` answers repeated questions with 304. Answers to queries are for nobody's shared cache.
- Limits: 100 acts in a submission, 48,600 bytes an envelope, 32 KiB a record; 100 keys in a look-up; pages reach the first
  10,000 acts of a filter, exports reach all (XLSX: 100,000). Too many requests from one address are answered with 429 and
  `Retry-After`; the files of the log are never limited.
- Nothing is cut short without saying so: an export that cannot be finished breaks its connection before its end.
""".strip()

_LICENSE = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}


@functools.cache
def document() -> bytes:
    """Return the document's bytes."""
    return orjson.dumps({
        "openapi": "3.1.0",
        "info": {"title": "Bening", "version": "1", "description": _ABOUT, "license": _LICENSE},
        "servers": [{"url": "/"}],
        "paths": PATHS,
        "components": {"schemas": SCHEMAS, "parameters": PARAMETERS, "responses": RESPONSES},
    })  # fmt: skip
