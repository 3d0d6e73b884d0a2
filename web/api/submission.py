"""``POST /api/v1/acts`` in the OpenAPI document; it is answered by ``web/front``."""

from __future__ import annotations

from typing import Any

from web.api.schemas import Schema, listing, ref

__all__ = ["SUBMIT"]


def _json(name: str, example: Any) -> Schema:
    return {"application/json": {"schema": ref(name), "example": example}}


def _error(description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": ref("Error")}}}


_NAMED = {"id": "9f0c" * 16, "ref": "19JVNJXPQJS"}
_PUBLISHED = {"acts": [{**_NAMED, "index": 12, "state": "published", "already": False, "proof": "c2sp.org/tlog-proof@v1\n…"}]}
_KEPT = {"acts": [{**_NAMED, "state": "waiting", "status": "/api/v1/acts/" + "9f0c" * 16}]}
_REFUSED: Schema = {
    "error": "admission",
    "sentence": "Refused, because:",
    "detail": "",
    "reasons": [],
    "acts": [
        {
            **_NAMED,
            "state": "refused",
            "reasons": [{"code": "ref-used", "path": "ref", "sentence": "Reference 19JVNJXPQJS is that of entry 12 already."}],
        }
    ],
}
SUBMIT: Schema = {
    "summary": "Submit signed acts with their documents.",
    "description": "Who sends is known by the signatures alone; there are no accounts. Parts named `envelope` come first (1 to "
    "100), then parts named `document` with any file name: documents are matched by their SHA-256, and one that is here already "
    "need not be sent. Envelopes are judged before a document is taken; if one is refused then, nothing is kept. The same act "
    "may be sent again at any time and is never recorded twice. Events of the roster are submitted alike.",
    "parameters": [
        {"$ref": "#/components/parameters/lang"},
        {
            "name": "Prefer", "in": "header", "schema": {"type": "string"}, "example": "wait=10",
            "description": "RFC 7240: `wait=N` (at most 30 s, usually 10) or `respond-async`.",
        },
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["envelope"],
                    "properties": {
                        "envelope": {**listing(ref("Envelope")), "minItems": 1, "maxItems": 100},
                        "document": listing({"type": "string", "contentMediaType": "application/octet-stream"}),
                    },
                },
                "encoding": {"envelope": {"contentType": "application/json"}},
            },
            "application/json": {"schema": ref("Envelope")},
        },
    },
    "responses": {
        "201": {
            "description": "All are published; each comes with its proof.",
            "headers": {"Location": {"schema": {"type": "string"}}},
            "content": _json("Submitted", _PUBLISHED),
        },
        "202": {
            "description": "All are kept, some wait for publication: ask at `status`, or send the same again.",
            "headers": {"Location": {"schema": {"type": "string"}}, "Retry-After": {"schema": {"type": "integer"}}},
            "content": _json("Submitted", _KEPT),
        },
        "400": _error("The form or an envelope cannot be read."),
        "408": _error("The body stopped or came too slowly. Nothing was kept."),
        "413": _error("The body, an envelope or a document is too long."),
        "415": _error("Neither multipart/form-data nor application/json."),
        "422": {
            "description": "Some are refused, with every reason. An act that is `not-taken` may be sent again by itself.",
            "content": _json("Refused", _REFUSED),
        },
        "429": {"$ref": "#/components/responses/Limited"},
        "503": {"$ref": "#/components/responses/Busy"},
    },
}  # fmt: skip
