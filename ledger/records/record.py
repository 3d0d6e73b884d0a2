"""The record: what is signed about one act, at most 32 KiB of canonical JSON.

    {"documents":[{"media_type":"application/pdf","name":"SK-728.pdf","role":"signed","sha256":"…","size":48213}],
     "extra":{},"fields":{},"form":"sk","founding":"…","kind":"decision","language":"id","number":"138/728 Tahun 2022",
     "office":"bag-hukum","ref":"19JVNJXPQJS","relations":[],"signatories":[{"capacity":"definitive","position":"…"}],
     "signed_on":"2022-08-01","signers":["…"],"title":"…","v":1}

The act's *id* is the SHA-256 of these bytes. Everything about the paper is a claim of the office that publishes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ledger.errors import AdmissionError, NewerFormatError, Reason
from ledger.records import canonical
from ledger.records.kinds import FIELDS, KINDS
from ledger.records.refs import has_check_symbol, is_ref
from ledger.records.shapes import (
    Shape,
    choice,
    date,
    digest,
    either,
    identifier,
    integer,
    is_spelled,
    listing,
    mapping,
    media_type,
    nullable,
    pattern,
    person_text,
    word,
)

__all__ = ["CAPACITIES", "MAX_RECORD", "RECORD_TYPE", "RELATIONS", "ROLES", "Record", "check_record", "parse_record"]

RECORD_TYPE = "application/vnd.bening.record+json"
MAX_RECORD = 32 * 1024
MAX_DOCUMENT = 2**40
MOST_EXTRA = 32
CAPACITIES = ("definitive", "plt", "plh", "pj", "an")
ROLES = (
    "signed",
    "certified-copy",
    "extract",
    "annex",
    "boq",
    "minutes",
    "translation",
    "scan",
    "text",
    "source",
    "draft",
    "photo",
    "other",
)
RELATIONS = (
    "amends",
    "corrects",
    "revokes",
    "annuls",
    "implements",
    "completes",
    "follows",
    "annex_of",
    "same_number_as",
)
NEEDS_REASON = ("corrects", "same_number_as")


@dataclass(frozen=True, slots=True)
class Record:
    """A parsed record: its exact bytes, the act's id, and its content."""

    payload: bytes
    id: str
    data: dict[str, Any]

    @property
    def ref(self) -> str:
        """The reference printed on the paper."""
        return str(self.data["ref"])

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The documents whose bytes are published (withheld ones left out)."""
        return [document for document in self.data["documents"] if "sha256" in document]

    @property
    def relations(self) -> list[dict[str, Any]]:
        """Relations to acts inside and outside this ledger."""
        return list(self.data["relations"])


def parse_record(payload: bytes) -> Record:
    """Return the record that ``payload`` holds.

    Raises:
        FormatError: not canonical JSON, or too long.
        NewerFormatError: a later version's record.
        AdmissionError: with every fault of its fields.
    """
    data = _read_spelled(payload)
    if data is None:
        data = canonical.parse(payload, limit=MAX_RECORD)
        _require_none(list(check_record(data)))
    elif not _is_plain_across(data):
        _require_none(list(_check_across(data)))
    return Record(payload, hashlib.sha256(payload).hexdigest(), data)


def _require_none(reasons: list[Reason]) -> None:
    if any(reason.unknown for reason in reasons):
        raise NewerFormatError("; ".join(map(str, reasons)))
    if reasons:
        raise AdmissionError(reasons)


def _read_spelled(payload: bytes) -> dict[str, Any] | None:
    """Return the content of a record in its usual spelling, whose single values then all fit; None: to be read the long way.

    The spelling of a kind is worth its making (some 10 ms) where many records come.
    """
    at = payload.find(_BEFORE_KIND) + len(_BEFORE_KIND)
    kind = payload[at : payload.find(b'"', at)]
    spelled = _SPELLED.get(kind) or _spelled_after_some(kind)
    if spelled is None or len(payload) > MAX_RECORD or not is_spelled(payload, spelled):
        return None
    data: dict[str, Any] = orjson.loads(payload)
    extra = data["extra"]  # its keys are free: whether they are in order, and no two alike, the spelling cannot tell
    if extra and (len(extra) > MOST_EXTRA or b'"extra":%b,' % orjson.dumps(extra, option=orjson.OPT_SORT_KEYS) not in payload):
        return None
    if data["relations"] and not all(has_check_symbol(one["ref"]) for one in data["relations"] if "ref" in one):
        return None
    return data if has_check_symbol(data["ref"]) else None


def _spelled_after_some(kind: bytes) -> re.Pattern[bytes] | None:
    name = kind.decode("ascii", "replace")
    if name not in FIELDS:
        return None
    _met[name] = _met.get(name, 0) + 1
    if _met[name] < _WORTH:
        return None
    return _SPELLED.setdefault(kind, re.compile(_shape_of(choice(name), FIELDS[name]).spelling.encode("ascii")))


def check_record(data: Any) -> Iterator[Reason]:
    """Yield every fault of a record's content, of each key and across keys."""
    if type(data) is not dict or data.get("v") != 1 or type(data["v"]) is not int:
        version = data.get("v") if type(data) is dict else None
        yield Reason("bad-version", "v", {"value": str(version)}, unknown=type(version) is int and version > 1)
        return
    faults = list(_RECORD(data, ""))
    yield from faults
    kind = data.get("kind")
    if kind in KINDS and type(data.get("fields")) is dict:
        yield from FIELDS[kind](data["fields"], "fields")
    if not faults:
        yield from _check_across(data)


def _check_across(data: dict[str, Any]) -> Iterator[Reason]:
    """Yield every fault across the keys of a record whose single values fit."""
    yield from _check_number(data)
    yield from _check_documents(data)
    if data["relations"]:
        yield from _check_relations(data)
    if "changes" in data["fields"] and not any(relation["type"] == "amends" for relation in data["relations"]):
        yield Reason("changes-without-amends", "fields.changes")
    if data["signers"] != sorted(set(data["signers"])):
        yield Reason("unsorted", "signers")
    if not data["signatories"] and data["kind"] not in ("void", "notice"):
        yield Reason("missing", "signatories")


def _is_plain_across(data: dict[str, Any]) -> bool:
    """Tell at a glance that ``_check_across`` finds nothing, as of nearly every record."""
    documents = data["documents"]
    if data["relations"] or "changes" in data["fields"] or "series" in data or "serial" in data or not data["signatories"]:
        return False
    return len(data["signers"]) == len(documents) == 1 and (data["number"] is None) == ("unnumbered_reason" in data)


def _check_number(data: dict[str, Any]) -> Iterator[Reason]:
    if (data["number"] is None) != ("unnumbered_reason" in data):
        yield Reason("number-or-reason", "number")
    if ("series" in data) != ("serial" in data):
        yield Reason("series-and-serial", "series")


def _check_documents(data: dict[str, Any]) -> Iterator[Reason]:
    codes = [document.get("sha256") or document["withheld"] for document in data["documents"]]
    if len(set(codes)) != len(codes):
        yield Reason("document-twice", "documents")
    corrects = any(relation["type"] == "corrects" for relation in data["relations"])
    if not codes and not corrects and data["kind"] != "void":
        yield Reason("no-document", "documents")


def _check_relations(data: dict[str, Any]) -> Iterator[Reason]:
    seen = set()
    for position, relation in enumerate(data["relations"]):
        path = f"relations[{position}]"
        if relation["type"] in NEEDS_REASON and "reason" not in relation:
            yield Reason("missing", f"{path}.reason")
        target = (relation["type"], relation.get("ref") or canonical.dump(relation["outside"]))
        if target in seen:
            yield Reason("relation-twice", path)
        seen.add(target)
        if relation.get("ref") == data["ref"]:
            yield Reason("relation-to-itself", path)
    if sum(relation["type"] == "corrects" for relation in data["relations"]) > 1:
        yield Reason("two-corrections", "relations")


def _ref(value: Any, path: str) -> Iterator[Reason]:
    if not is_ref(value):
        yield Reason("bad-ref", path, {"value": str(value)[:40]})


def _extra(value: Any, path: str) -> Iterator[Reason]:
    if type(value) is not dict:
        yield Reason("not-an-object", path)
    elif len(value) > MOST_EXTRA:
        yield Reason("bad-count", path, {"count": len(value), "low": 0, "high": MOST_EXTRA})
    else:
        for key, part in value.items():
            yield from _EXTRA_TEXT(part, f"{path}.{key}")


def _file_name(value: Any, path: str) -> Iterator[Reason]:
    yield from list(_PLAIN_NAME(value, path)) or _NAME_TEXT(value, path)


def _is_object(value: Any, path: str) -> Iterator[Reason]:
    if type(value) is not dict:
        yield Reason("not-an-object", path)


_EXTRA_TEXT = person_text(4000)
_NAME_TEXT = person_text(200)
_LINE = person_text(300)
_BEFORE_KIND, _WORTH = b',"kind":"', 64
_SPELLED: dict[bytes, re.Pattern[bytes]] = {}
_met: dict[str, int] = {}
_PLAIN_NAME = pattern(r"(?!\.{1,2}$)[^/\\]{1,200}", "bad-file-name")
_NAME = Shape(
    _file_name, lambda value: _PLAIN_NAME.fits(value) and _NAME_TEXT.fits(value), r'"(?!\.{1,2}"| )[ !#-.0-\[\]-~]{1,200}(?<! )"'
)
_REF = Shape(_ref, is_ref, '"[0-9A-HJKMNP-TV-Z]{11}"')  # the check symbol is for whoever asks by the spelling
_OBJECT = Shape(_is_object, lambda value: type(value) is dict)
_DOCUMENT: Shape = either(
    "withheld",
    mapping(
        {"withheld": digest, "media_type": media_type, "role": choice(*ROLES), "reason": _LINE, "law": _LINE},
    ),
    mapping(
        {
            "sha256": digest,
            "size": integer(0, MAX_DOCUMENT),
            "media_type": media_type,
            "name": _NAME,
            "role": choice(*ROLES),
        }
    ),
)
_OUTSIDE = mapping(
    {"number": person_text(200)},
    {
        "kind": choice(*KINDS),
        "year": integer(1900, 2199),
        "title": person_text(1000),
        "sha256": digest,
        "url": pattern(r"https?://[!-~]{1,500}", "bad-url"),
    },
)
_RELATION: Shape = either(
    "outside",
    mapping({"type": choice(*RELATIONS), "outside": _OUTSIDE}, {"reason": person_text(1000)}),
    mapping({"type": choice(*RELATIONS), "ref": _REF}, {"reason": person_text(1000)}),
)
_SIGNATORY = mapping({"position": _LINE, "capacity": choice(*CAPACITIES)}, {"name": _LINE, "basis": _LINE})
_EXTRA = Shape(
    _extra,
    lambda value: value == {} or not any(_extra(value, "")),
    rf'\{{(?:"[A-Za-z0-9_.:-]{{1,64}}":{_EXTRA_TEXT.spelling}(?:,(?=")|(?=\}})))*\}}',
)


def _shape_of(kind: Shape, fields: Shape) -> Shape:
    return mapping(
        {
            "v": integer(1, 1),
            "founding": digest,
            "kind": kind,
            "form": identifier,
            "ref": _REF,
            "office": identifier,
            "number": nullable(person_text(200)),
            "title": person_text(1000),
            "language": word(r"[a-z]{2,3}", "bad-language"),
            "signed_on": date,
            "signatories": listing(_SIGNATORY, most=16),
            "signers": listing(digest, least=1, most=16),
            "documents": listing(_DOCUMENT),
            "relations": listing(_RELATION),
            "fields": fields,
            "extra": _EXTRA,
        },
        {
            "unnumbered_reason": _LINE,
            "series": identifier,
            "serial": integer(),
            "drafted_on": date,
            "promulgated_on": date,
            "effective_on": date,
            "expires_on": date,
        },
    )


_RECORD = _shape_of(choice(*KINDS), _OBJECT)
