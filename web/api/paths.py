"""The addresses of the OpenAPI document: what each takes, and what it answers."""

from __future__ import annotations

from typing import Any

from ledger.catalog.filters import FACETS, SORTS
from web.api.schemas import Schema, listing, ref
from web.api.submission import SUBMIT

__all__ = ["PARAMETERS", "PATHS", "RESPONSES"]

_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 400}
_TYPED_REF: Schema = {"type": "string", "examples": ["19JV-NJXP-QJS"], "description": "Hyphens and lower case are accepted."}
_DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_INDEX: Schema = {"type": "integer", "minimum": 0}
_ERROR: Schema = {
    "application/json": {
        "schema": ref("Error"),
        "example": {
            "error": "unknown-parameter",
            "sentence": "The parameter ofice is not known at this address. A typing error? It knows: q, office, lang.",
            "detail": "parameter 'ofice'",
            "reasons": [],
        },
    }
}
_RETRY = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}


def _query(name: str, schema: Schema, description: str, *, required: bool = False) -> Schema:
    found: Schema = {"name": name, "in": "query", "description": description, "schema": schema}
    return {**found, "required": True} if required else found


def _error(description: str, headers: Schema | None = None) -> Schema:
    return {"description": description, "content": _ERROR, **({"headers": headers} if headers else {})}


def _bytes(media_type: str) -> Schema:
    return {media_type: {"schema": {"type": "string", "contentMediaType": media_type}}}


RESPONSES: dict[str, Schema] = {
    "Known": {"description": "Nothing has changed since the ETag that was sent."},
    "Bad": _error("The request cannot be meant: an unknown, empty, doubled or malformed parameter."),
    "Absent": _error("There is no such entry, or it is no act."),
    "TooMuch": _error("The answer would be larger than one answer may be; the sentence says what to do instead."),
    "Limited": _error("Too many requests came from this address.", _RETRY),
    "Busy": _error("This service cannot answer just now. Nothing is lost.", _RETRY),
}
_USUAL = {
    "304": {"$ref": "#/components/responses/Known"},
    "400": {"$ref": "#/components/responses/Bad"},
    "429": {"$ref": "#/components/responses/Limited"},
    "503": {"$ref": "#/components/responses/Busy"},
}
_REFUSED_AS_PAGE = {
    status: {"description": "Refused, in words for people.", "content": {**_bytes("text/html"), **_bytes("text/plain")}}
    for status in ("400", "429", "503")
}
_ABSENT = {"404": {"$ref": "#/components/responses/Absent"}}
_TOO_MUCH = {"422": {"$ref": "#/components/responses/TooMuch"}}

PARAMETERS: dict[str, Schema] = {
    "lang": _query("lang", {"type": "string", "enum": ["id", "en"]}, "Language of sentences."),
    "q": _query("q", _TEXT, "Words, all of which must occur; case, diacritics and spaces inside words do not matter."),
    **{
        name: _query(name, {**listing(_TEXT), "maxItems": 32}, f"One or more values of `{name}`; any of them.")
        for name in FACETS
    },
    "year": _query("year", {**listing({"type": "string", "pattern": "^[0-9]{4}$"}), "maxItems": 32}, "Year on the paper; any."),
    "since": _query("since", {"type": "string", "format": "date"}, "First local date of recording."),
    "until": _query("until", {"type": "string", "format": "date"}, "Last local date of recording."),
    "sort": _query("sort", {"type": "string", "enum": list(SORTS)}, "Order; `-recorded` (newest first) where not given."),
    "index": {"name": "index", "in": "path", "required": True, "schema": _INDEX, "description": "Entry, counted from 0."},
}
_LANG = {"$ref": "#/components/parameters/lang"}
_FILTER = [{"$ref": f"#/components/parameters/{name}"} for name in ("q", *FACETS, "since", "until", "sort", "lang")]
_ENTRY = [{"$ref": "#/components/parameters/index"}, _LANG]


def _get(summary: str, parameters: list[Schema], content: Schema, *others: Schema, description: str = "") -> Schema:
    responses: dict[str, Any] = {"200": {"description": summary, "content": content}, **_USUAL}
    for one in others:
        responses |= one
    told = {"description": description} if description else {}
    return {"get": {"summary": summary, **told, "parameters": parameters, "responses": responses}}


def _json(name: str, example: Any = None) -> Schema:
    return {"application/json": {"schema": ref(name), **({} if example is None else {"example": example})}}


_FIND = [
    _query(name, {**listing(schema), "maxItems": 100}, description)
    for name, schema, description in (
        ("ref", _TYPED_REF, "The act that carries a reference."),
        ("id", _DIGEST, "The act whose payload has a SHA-256."),
        ("number", _TEXT, "The acts of a number, in any spelling, of any office and year."),
        ("document", _DIGEST, "The acts that name a document by its SHA-256."),
        ("names", _TYPED_REF, "The acts whose relations name a reference."),
    )
]
_CHECK = [
    _query("ref", _TYPED_REF, "Reference on the paper. This or `number` is needed."),
    _query("number", _TEXT, "Number on the paper, in any spelling."),
    _query("supplier", _TEXT, "Supplier to be paid; compared by words, legal form apart."),
    _query("value", {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,2})?$"}, "Digits, cents after a point."),
]
_RELATED = _query("related", {"type": "integer", "enum": [0, 1]}, "1: also what it names or is named by, and so on.")
_PAGED = [
    _query("page", {"type": "integer", "minimum": 1, "maximum": 10_000}, "Page, counted from 1."),
    _query("per_page", {"type": "integer", "minimum": 1, "maximum": 100}, "Acts on a page; 20 where not given."),
]
_CHECK_LINE = (
    "PUBLISHED 4S29-8NPD-RSY, entry 12, recorded here 2026-11-24: supplier as in the record (CV Karya Contoh); value as in the "
    "record (IDR 187500000). AMENDED by 600/31/SPK/ADD-1/2026, reference K1G8-RGBV-53S, entry 15. Its value there: IDR "
    "196000000. Checked up to entry 19, 2026-11-24T08:10:46Z."
)
_WAITING = {"id": "9f0c" * 16, "state": "waiting", "reasons": []}
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_WHOLE = "Every act of the filter, of one published checkpoint, in the filter's order."

PATHS: dict[str, Schema] = {
    "/api/v1/ledger": _get("What this ledger is, and its newest checkpoint.", [_LANG], _json("Ledger")),
    "/api/v1/records": _get(
        "One page of the acts of a filter.", [*_PAGED, *_FILTER], _json("Records"),
        description="Values of one facet are alternatives; different facets must all hold.",
    ),
    "/api/v1/records.json": _get("The acts of a filter as one JSON document.", _FILTER, _json("Export"), description=_WHOLE),
    "/api/v1/records.jsonl": _get(
        "The acts of a filter exactly as they were signed.", _FILTER, _bytes("application/x-ndjson"),
        description=f"{_WHOLE} A line is a payload: its SHA-256 is the act's id. The last line is an `ExportEnd`.",
    ),
    "/api/v1/records.csv": _get(
        "The acts of a filter for spreadsheets.", _FILTER, _bytes("text/csv"),
        description=f"{_WHOLE} No text can become a formula. The last record begins with `#end` and states count, size and root.",
    ),
    "/api/v1/records.xlsx": _get(
        "The acts of a filter as a spreadsheet file.", _FILTER, _bytes(_XLSX), _TOO_MUCH,
        description=f"{_WHOLE} The sheet `about` states count, size, filter and checkpoint. At most 100,000 acts.",
    ),
    "/api/v1/records/{index}": _get("One act, and what became of it.", _ENTRY, _json("Act"), _ABSENT),
    "/api/v1/records/{index}/entry": _get(
        "An entry's exact bytes.", _ENTRY, {"application/json": {"schema": {"type": "object"}}}, _ABSENT,
        description="The leaf hash is SHA-256 of a zero byte and these bytes. Also of entries that are events of the roster.",
    ),
    "/api/v1/records/{index}/proof": _get(
        "An entry's proof (C2SP tlog-proof) under the newest checkpoint.", _ENTRY, _bytes("text/plain"), _ABSENT
    ),
    "/api/v1/records/{index}/bundle": _get(
        "Evidence for an act as one zip file, to be checked without this server.", [*_ENTRY, _RELATED], _bytes("application/zip"),
        _ABSENT, _TOO_MUCH,
    ),
    "/api/v1/find": _get(
        "The acts under up to 100 exact keys.", [*_FIND, _LANG], _json("Found"), _TOO_MUCH,
        description="At least one key. An answer is whole or refused.",
    ),
    "/api/v1/acts/{id}": _get(
        "What became of a submission.",
        [{"name": "id", "in": "path", "required": True, "schema": _DIGEST, "description": "SHA-256 of the payload."}, _LANG],
        _json("ActState", _WAITING),
        {"404": {"description": "Neither submitted lately nor published.", "content": _json("UnknownAct")}},
    ),
    "/api/v1/acts": {"post": SUBMIT},
    "/api/v1/roster": _get("Who may do what: offices, forms, keys, rules, number books.", [_LANG], _json("Roster")),
    "/api/v1/check": _get(
        "Whether a published act carries a reference or number, a supplier and a value.", [*_CHECK, _LANG],
        {"text/plain": {"schema": {"type": "string"}, "example": _CHECK_LINE}, **_json("Check")},
        description="One line, or JSON where `Accept` asks for it. An act that was annulled, revoked or corrected, or whose key "
        "is no longer trusted, is called so first. This says what is recorded here, not whether a payment is due.",
    ),
    "/api/v1/openapi.json": _get("This document.", [_LANG], {"application/json": {"schema": {"type": "object"}}}),
    "/feed.atom": _get(
        "The newest 100 acts of a filter as a feed (RFC 4287).", _FILTER, _bytes("application/atom+xml"), _REFUSED_AS_PAGE,
        description="A saved search is a feed. It says how many acts match in all.",
    ),
}  # fmt: skip
