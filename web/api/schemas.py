"""The schemas of the OpenAPI document (JSON Schema 2020-12), one table; ``paths`` says where each is answered."""

from __future__ import annotations

from typing import Any

from ledger.catalog.filters import FACETS, SORTS
from ledger.records.kinds import KINDS
from ledger.records.record import CAPACITIES, RELATIONS, ROLES
from web.api.standing import BROKEN, STATES

__all__ = ["SCHEMAS", "Schema", "listing", "nullable", "ref", "thing"]

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_INDEX: Schema = {"type": "integer", "minimum": 0, "description": "Place in the ledger, counted from 0."}
_DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_REF: Schema = {"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{11}$", "description": "Printed as 19JV-NJXP-QJS."}
_TIME: Schema = {"type": "string", "format": "date-time", "description": "UTC, seconds."}
_DATE: Schema = {"type": "string", "format": "date"}
_MONEY: Schema = {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,2})?$"}
_KIND: Schema = {"type": "string", "enum": list(KINDS)}
_CHECKPOINT: Schema = {"type": "string", "description": "Signed note (C2SP tlog-checkpoint) of the size that is stated."}
_SIZE: Schema = {"type": "integer", "minimum": 0, "description": "Published entries that the answer speaks of."}
_PATH: Schema = {"type": "string", "format": "uri-reference", "description": "Below the address of this site."}


def ref(name: str) -> Schema:
    """Return a reference to a schema of the table."""
    return {"$ref": f"#/components/schemas/{name}"}


def thing(optional: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """Return an object of exactly these properties, all but ``optional`` required; ``index_`` names a reserved word."""
    named = {name.rstrip("_"): one for name, one in properties.items()}
    required = [name for name in named if name not in optional]
    return {"type": "object", "properties": named, "required": required, "additionalProperties": False}


def listing(item: Schema) -> Schema:
    """Return a list of one schema."""
    return {"type": "array", "items": item}


def nullable(schema: Schema) -> Schema:
    """Return a schema that also takes null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


_HEAD: dict[str, Schema] = {
    "index": _INDEX, "time": _TIME, "id": _DIGEST, "ref": _REF, "kind": _KIND, "form": _TEXT, "office": _TEXT,
    "number": nullable(_TEXT), "title": _TEXT, "signed_on": _DATE, "record_url": _PATH,
}  # fmt: skip
_LATER: dict[str, Schema] = {
    "type": {"type": "string", "enum": list(RELATIONS)},
    "direction": {"const": "named_by"},
    **_HEAD,
    "undone": {**_FLAG, "description": "That act was itself annulled or corrected, and changes nothing."},
    "disputed": {**_FLAG, "description": "A key that signed that act is no longer trusted."},
}
_DOCUMENT: dict[str, Schema] = {
    "sha256": _DIGEST, "size": _COUNT, "name": _TEXT, "withheld": _DIGEST, "reason": _TEXT, "law": _TEXT,
    "media_type": _TEXT, "role": {"type": "string", "enum": list(ROLES)},
    "url": nullable(_PATH), "withdrawn": nullable(ref("Withdrawn")),
}  # fmt: skip
_END: dict[str, Schema] = {"filter": ref("Filter"), "size": _SIZE, "checkpoint": _CHECKPOINT, "count": _COUNT}
_RECORD: Schema = {
    "type": "object",
    "description": "The record exactly as it was signed; its bytes are in the entry and in records.jsonl. "
    "Everything in it is a claim of the office that published it. A later version may hold more.",
    "required": [
        "v", "founding", "kind", "form", "ref", "office", "number", "title", "language", "signed_on", "signatories", "signers",
        "documents", "relations", "fields", "extra",
    ],
    "properties": {
        "v": {"const": 1}, "founding": _DIGEST, "kind": _KIND, "form": _TEXT, "ref": _REF, "office": _TEXT,
        "number": nullable(_TEXT), "title": _TEXT, "language": _TEXT, "signed_on": _DATE,
        "signatories": listing({
            "type": "object", "required": ["position", "capacity"],
            "properties": {"position": _TEXT, "name": _TEXT, "basis": _TEXT, "capacity": {"enum": list(CAPACITIES)}},
        }),
        "signers": listing(_DIGEST), "documents": listing({"type": "object"}), "relations": listing({"type": "object"}),
        "fields": {"type": "object"}, "extra": {"type": "object", "additionalProperties": _TEXT},
    },
}  # fmt: skip
_OBJECTS = listing({"type": "object"})

SCHEMAS: dict[str, Schema] = {
    "Reason": thing(code=_TEXT, path=_TEXT, sentence=_TEXT),
    "Error": thing(
        error={**_TEXT, "description": "A code for software."},
        sentence={**_TEXT, "description": "What happened and what to do, in the language of the answer."},
        detail={**_TEXT, "description": "For whoever maintains the software."},
        reasons=listing(ref("Reason")),
    ),
    "UnknownAct": thing(
        error=_TEXT, sentence=_TEXT, detail=_TEXT, reasons=listing(ref("Reason")), id=_DIGEST, state={"const": "unknown"}
    ),
    "Ledger": thing(
        name=_TEXT, origin=_TEXT, founding=_DIGEST, size=_SIZE, root=_DIGEST, time=_TIME, checkpoint=_CHECKPOINT,
        languages=listing(_TEXT), utc_offset={"type": "string", "pattern": "^[+-][0-9]{2}:[0-9]{2}$"}, url=nullable(_TEXT),
    ),
    "Filter": thing(
        ("q", *FACETS, "since", "until"),
        q=_TEXT, **{name: listing(_TEXT) for name in FACETS}, since=_DATE, until=_DATE,
        sort={"type": "string", "enum": list(SORTS)},
    ),
    "Row": thing(
        index=_INDEX, time=_TIME, recorded_on=_DATE, lag_days={"type": "integer"}, id=_DIGEST, ref=_REF, kind=_KIND, form=_TEXT,
        form_name=_TEXT, office=_TEXT, office_name=_TEXT, number=nullable(_TEXT), title=_TEXT, signed_on=_DATE,
        currency=nullable(_TEXT), value=nullable(_MONEY), supplier=nullable(_TEXT), method=nullable(_TEXT), documents=_COUNT,
        record_url=_PATH, page_url=_PATH,
    ),
    "Facet": thing(value=_TEXT, name=_TEXT, count={**nullable(_COUNT), "description": "Null where it was not counted."}),
    "Records": thing(
        count=_COUNT, exact={**_FLAG, "description": "False: there are more than `count`."}, page=_COUNT, per_page=_COUNT,
        size=_SIZE, checkpoint=_CHECKPOINT, filter=ref("Filter"),
        facets=thing(**{name: listing(ref("Facet")) for name in FACETS}), records=listing(ref("Row")),
    ),
    "Export": thing(records=listing(ref("Row")), **_END),
    "ExportEnd": thing(bening={"const": "export"}, **_END),
    "Record": _RECORD,
    "Suspect": thing(keyid=_DIGEST, holder=_TEXT, suspect_from=_INDEX),
    "Status": thing(
        state={"type": "string", "enum": list(STATES), "description": "The worst that is recorded."}, sentence=_TEXT,
        up_to=thing(index=_INDEX, time=_TIME), suspects=listing(ref("Suspect")),
    ),
    "Later": thing(**_LATER),
    "Named": thing(
        tuple(name for name in _HEAD if name != "ref"),
        type={"type": "string", "enum": list(RELATIONS)}, direction={"const": "names"}, reason=nullable(_TEXT), **_HEAD,
    ),
    "NamedOutside": thing(
        type={"type": "string", "enum": list(RELATIONS)}, direction={"const": "names"}, reason=nullable(_TEXT),
        outside={"type": "object", "required": ["number"], "properties": {"number": _TEXT}},
    ),
    "Withdrawn": thing(law=_TEXT, reason=_TEXT),
    "Document": thing(("sha256", "size", "name", "withheld", "reason", "law"), **_DOCUMENT),
    "Act": thing(
        index=_INDEX, time=_TIME, recorded_on=_DATE, lag_days={"type": "integer"}, id=_DIGEST, ref=_REF, record=ref("Record"),
        signatures=listing(thing(keyid=_DIGEST, holder=nullable(_TEXT), position=nullable(_TEXT))), status=ref("Status"),
        history=listing({"anyOf": [ref("Named"), ref("NamedOutside"), ref("Later")]}),
        history_more={**_COUNT, "description": "How many more later acts merely name this one: the first 200 are in `history`."},
        documents=listing(ref("Document")),
        size=_SIZE, proof_url=_PATH, entry_url=_PATH, bundle_url=_PATH, page_url=_PATH,
    ),
    "FoundAct": thing(
        index=_INDEX, time=_TIME, id=_DIGEST, ref=_REF,
        payload={"type": "string", "contentEncoding": "base64", "description": "The record's exact bytes; SHA-256 is the id."},
    ),
    "Found": thing(
        size=_SIZE,
        acts={
            "type": "object", "additionalProperties": listing(ref("FoundAct")),
            "description": "By key as it was asked (`ref=19JV-NJXP-QJS`); an empty list where no act carries it.",
        },
    ),
    "ActState": thing(
        ("index", "ref", "proof_url"),
        id=_DIGEST, state={"type": "string", "enum": ["published", "integrated", "waiting", "refused"]}, index=_INDEX,
        ref=nullable(_REF), proof_url=_PATH, reasons=listing(ref("Reason")),
    ),
    "SubmittedAct": thing(
        ("index", "already", "proof", "status", "reasons"),
        id=_DIGEST, ref={**nullable(_REF), "description": "Null for an event of the roster."},
        state={"type": "string", "enum": ["published", "waiting", "refused", "not-taken"]}, index=_INDEX,
        already={**_FLAG, "description": "The same act had been published before; nothing was doubled."},
        proof={**_TEXT, "description": "Text of its .tlog-proof."}, status=_PATH, reasons=listing(ref("Reason")),
    ),
    "Submitted": thing(acts=listing(ref("SubmittedAct"))),
    "Refused": thing(
        ("acts",), error=_TEXT, sentence=_TEXT, detail=_TEXT, reasons=listing(ref("Reason")), acts=listing(ref("SubmittedAct"))
    ),
    "Envelope": {
        "type": "object", "description": "A DSSE envelope as canonical JSON (RFC 8785), at most 48,600 bytes.",
        "required": ["payload", "payloadType", "signatures"], "additionalProperties": False,
        "properties": {
            "payload": {"type": "string", "contentEncoding": "base64"},
            "payloadType": {"enum": ["application/vnd.bening.record+json", "application/vnd.bening.roster+json"]},
            "signatures": {**listing(thing(keyid=_DIGEST, sig=_TEXT)), "minItems": 1, "maxItems": 16},
        },
    },
    "Roster": thing(
        n=_COUNT, hash=_DIGEST, founding=_DIGEST, origin=_TEXT, name=_TEXT,
        authority=thing(keys=listing(_DIGEST), threshold=_COUNT), offices=_OBJECTS, forms=_OBJECTS,
        keys=listing(thing(
            keyid=_DIGEST, holder=_TEXT, position=_TEXT, offices=listing(_TEXT), kinds=listing(_TEXT), from_=_DATE,
            until=nullable(_DATE), enrolled_at=_INDEX, retired_at=nullable(_INDEX), revoked_at=nullable(_INDEX),
            suspect_from=nullable(_INDEX),
        )),
        rules=_OBJECTS, competences=listing(thing(office=_TEXT, over=_TEXT)), series=_OBJECTS, duties=_OBJECTS,
        withdrawn=_OBJECTS, reaffirmed=listing(_DIGEST), utc_offset=_TEXT, languages=listing(_TEXT), size=_SIZE,
    ),
    "Check": thing(
        verdict={
            "type": "string",
            "enum": ["published", "amended", "differs", *BROKEN, "ambiguous", "not-published"],
        },
        line={**_TEXT, "description": "The answer as text/plain gives it."},
        published={**_FLAG, "description": "An act with this reference or number is published here."},
        carries={**_FLAG, "description": "One that nothing has undone carries all that was asked, perhaps as amended."},
        matches=thing(**{
            name: {**nullable(_FLAG), "description": "Null where it was not asked."}
            for name in ("number", "supplier", "supplier_exact", "value", "amended_value")
        }),
        index=nullable(_INDEX), time=nullable(_TIME), recorded_on=nullable(_DATE), id=nullable(_DIGEST), ref=nullable(_REF),
        number=nullable(_TEXT), currency=nullable(_TEXT), value=nullable(_MONEY), supplier=nullable(_TEXT),
        status=nullable(ref("Status")),
        changes={
            "type": ["array", "null"],
            "items": thing(**_LATER, value=nullable(_TEXT), currency=nullable(_TEXT)),
            "description": "Every later act that names it; for one that amends it, the value that it states.",
        },
        acts=listing(thing(**_HEAD, carries=_FLAG, state={"type": "string", "enum": list(STATES)})),
        up_to=thing(index=_INDEX, time=_TIME), size=_SIZE,
    ),
}  # fmt: skip
