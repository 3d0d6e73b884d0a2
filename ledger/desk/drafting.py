"""Drafting: from what a clerk names (files, flags, settings) to a record that may be signed.

Facts come from flags, settings and the roster. Nothing is read out of documents, and nothing is guessed that a paper
could contradict: of a file name only a reference is taken, and only where the file bears its label's name.
All faults are told at once, before anybody signs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ledger.desk.documents import Document, Salt, read_document, split_role, withhold
from ledger.desk.fields import coerce, parse_assignments, put, take_parts
from ledger.desk.judging import judge_draft
from ledger.desk.spellings import parse_date
from ledger.errors import AdmissionError, FormatError, UsageError
from ledger.index import KnownActs
from ledger.records import canonical
from ledger.records.envelope import Envelope
from ledger.records.numbers import serial_in
from ledger.records.record import RECORD_TYPE, RELATIONS
from ledger.records.refs import draw_ref, parse_ref
from ledger.records.roster import Roster

__all__ = ["Draft", "Request", "draft", "missing_facts", "ref_in_name", "with_defaults"]

DATES = ("signed_on", "drafted_on", "promulgated_on", "effective_on", "expires_on")
_PRINTED_REF = re.compile(r"[0-9A-Za-z]{4}-[0-9A-Za-z]{4}-[0-9A-Za-z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Request:
    """What a person says about an act, as typed; None or empty: not said. ``signers`` are keyids."""

    documents: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    kind: str | None = None
    form: str | None = None
    office: str | None = None
    number: str | None = None
    unnumbered: str | None = None
    title: str | None = None
    language: str | None = None
    dates: Mapping[str, str] = field(default_factory=dict)
    ref: str | None = None
    fields: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    relates: tuple[str, ...] = ()
    corrects: str | None = None
    reason: str | None = None
    signatories: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    series: str | None = None
    serial: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A record that may be signed, the files that it names, and the salts to keep before it is signed."""

    data: dict[str, Any]
    documents: tuple[Document, ...]
    salts: tuple[Salt, ...] = ()

    @property
    def envelope(self) -> Envelope:
        """The record's exact bytes, with no signature yet."""
        return Envelope(RECORD_TYPE, canonical.dump(self.data), ())

    @property
    def paths(self) -> dict[str, Path]:
        """Where the documents lie, by their SHA-256."""
        return {one.sha256: one.path for one in self.documents}


def with_defaults(request: Request, roster: Roster, person: Mapping[str, str]) -> Request:
    """Return ``request`` with what settings and roster make certain; what was said is never replaced."""
    form = request.form or (None if request.kind else person.get("form"))
    kind = request.kind or (roster.forms[form]["kind"] if form and form in roster.forms else person.get("kind"))
    if form is None and kind is not None:
        forms = [key for key, one in roster.forms.items() if one["kind"] == kind]
        usual = person.get("form")
        form = usual if usual in forms else forms[0] if len(forms) == 1 else None
    held = {office for keyid in request.signers if keyid in roster.enrolments for office in roster.enrolments[keyid].offices}
    office = request.office or person.get("office") or (held.pop() if len(held) == 1 else None)
    signatories = request.signatories or ((_usual_signatory(person),) if person.get("signatory") else ())
    language = request.language or person.get("language") or (roster.languages[0] if roster.languages else None)
    named = [ref for one in request.documents if (ref := ref_in_name(Path(one).name, form)) is not None]
    ref = request.ref or (named[0] if len(set(named)) == 1 else None)
    changed = replace(request, kind=kind, form=form, office=office, signatories=signatories, language=language, ref=ref)
    return _void_defaults(changed) if kind == "void" else changed


def missing_facts(request: Request) -> list[str]:
    """Return the options that a person still has to give; a correction takes what it leaves out from the corrected act."""
    if request.corrects:
        return [] if request.reason else ["--reason"]
    needed = {
        "--form": request.form,
        "--office": request.office,
        "--number": request.number or request.unnumbered,
        "--title": request.title,
        "--signed-on": request.dates.get("signed_on"),
        "--signatory": request.signatories or request.kind in ("void", "notice"),
        "DOCUMENT": request.documents or request.withheld or request.kind == "void",
    }
    return [option for option, value in needed.items() if not value]


def draft(request: Request, roster: Roster, index: KnownActs, *, time: str, draw: Callable[[], str] = draw_ref) -> Draft:
    """Return the draft of an act; ``time`` (UTC, as in entries) is when it would be recorded.

    Raises:
        AdmissionError: with every reason against it that is known before signing.
        UsageError: a flag that cannot be read, or facts are missing.
        FormatError: a document changed while it was hashed.
    """
    missing = missing_facts(request)
    if missing:
        raise UsageError(f"missing: {missing}", code="missing-options", options=", ".join(missing))
    base = _corrected(request, index) if request.corrects else {}
    documents = tuple(
        read_document(path, role)
        for role, path in (split_role(text, "annex" if n else "signed") for n, text in enumerate(request.documents))
    )
    ref = _read(parse_ref, request.ref) if request.ref else draw()
    withheld = [withhold(one, ref) for one in request.withheld]
    named = [one.value() for one in documents] + [value for value, _ in withheld]
    data = _assemble(request, roster, base, named, ref)
    reasons = judge_draft(data, roster, index, time=time)
    if reasons:
        raise AdmissionError(reasons)
    return Draft(data, documents, tuple(salt for _, salt in withheld))


def ref_in_name(name: str, form: str | None = None) -> str | None:
    """Return the reference that a file is named by, as its label is: ``19JV-NJXP-QJS.pdf`` or ``<form>-19JV-NJXP-QJS.pdf``.

    Digits alone, like ``2025-0001-017``, are a number of the office and no reference.
    """
    stem = name.partition(".")[0].removeprefix(f"{form}-")
    if not _PRINTED_REF.fullmatch(stem) or not any(one.isalpha() for one in stem):
        return None
    try:
        return parse_ref(stem)
    except FormatError:
        return None


def _assemble(
    request: Request, roster: Roster, base: dict[str, Any], named: list[dict[str, Any]], ref: str
) -> dict[str, Any]:
    kind = request.kind or base.get("kind")
    said = {"kind": kind, "form": request.form, "office": request.office, "title": request.title, "language": request.language}
    data = {**base, **{key: value for key, value in said.items() if value is not None}}
    data |= {"v": 1, "founding": roster.founding, "ref": ref}
    data |= {key: _read(parse_date, value) for key, value in request.dates.items() if key in DATES}
    data |= _numbering(request, base)
    if request.signatories or not base:
        data["signatories"] = [_signatory(one) for one in request.signatories]
    data["signers"] = sorted(set(request.signers))
    data["documents"] = named or base.get("documents", [])
    data["relations"] = _relations(request, base)
    data["fields"] = {**base.get("fields", {}), **_fields(str(kind), request.fields)}
    data["extra"] = {**base.get("extra", {}), **{key: values[-1] for key, values in parse_assignments(request.extra).items()}}
    return data | _book(request, roster, data)


def _numbering(request: Request, base: dict[str, Any]) -> dict[str, Any]:
    if request.number is not None:
        base.pop("unnumbered_reason", None)
        return {"number": request.number}
    if request.unnumbered is not None:
        return {"number": None, "unnumbered_reason": request.unnumbered}
    return {key: base[key] for key in ("number", "unnumbered_reason") if key in base}


def _book(request: Request, roster: Roster, data: dict[str, Any]) -> dict[str, Any]:
    """Series and serial: as said, or from the one declared book whose pattern the number follows."""
    if request.series is not None or request.serial is not None:
        said = {"series": request.series, "serial": request.serial}
        return {key: value for key, value in said.items() if value is not None}
    if data.get("number") is None:
        return {}
    found = [
        (key, serial)
        for key, book in roster.series.items()
        if book["office"] == data.get("office") and data.get("form") in book["forms"]
        and (serial := serial_in(data["number"], book["pattern"])) is not None
    ]  # fmt: skip
    return {"series": found[0][0], "serial": found[0][1]} if len(found) == 1 else {}


def _fields(kind: str, texts: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, values in parse_assignments(texts).items():
        put(found, path, coerce(kind, path, values, spoken=True))
    return found


def _relations(request: Request, base: dict[str, Any]) -> list[dict[str, Any]]:
    relations = [one for one in base.get("relations", []) if one["type"] != "corrects"]
    said = [_relation(one) for one in request.relates]
    if request.corrects:
        said.append({"type": "corrects", "ref": _read(parse_ref, request.corrects)})
    if request.reason:
        said = [{**one, "reason": request.reason} for one in said]
    return relations + said


def _relation(text: str) -> dict[str, Any]:
    kind, sign, target = text.partition("=")
    if kind not in RELATIONS or not sign:
        raise UsageError(f"{text!r} is no relation", code="bad-relation", value=text, known=", ".join(RELATIONS))
    if not target.startswith("outside:"):
        return {"type": kind, "ref": _read(parse_ref, target)}
    number, parts = take_parts(target.removeprefix("outside:"), ("kind", "year", "title", "sha256", "url"))
    outside: dict[str, Any] = {"number": number, **parts}
    if re.fullmatch(r"[0-9]{4}", parts.get("year", ""), re.ASCII):
        outside["year"] = int(parts["year"])
    return {"type": kind, "outside": outside}


def _signatory(text: str) -> dict[str, str]:
    position, parts = take_parts(text, ("name", "capacity", "basis"))
    return {"position": position, "capacity": "definitive", **parts}


def _usual_signatory(person: Mapping[str, str]) -> str:
    parts = {"name": person.get("signatory_name"), "capacity": person.get("capacity"), "basis": person.get("basis")}
    return ";".join([person["signatory"], *(f"{key}={value}" for key, value in parts.items() if value)])


def _void_defaults(request: Request) -> Request:
    """A void has no paper of its own: its title says which numbers it explains."""
    said = parse_assignments(request.fields)
    series, serials = ", ".join(said.get("series", [])), ", ".join(said.get("serials", []))
    return replace(
        request,
        title=request.title or (f"Penjelasan nomor {serials} pada buku nomor {series}" if series and serials else None),
        unnumbered=request.unnumbered or (None if request.number else "Penjelasan nomor; tidak bernomor sendiri"),
        documents=request.documents,
    )


def _corrected(request: Request, index: KnownActs) -> dict[str, Any]:
    """Return the record that is to be corrected: a correction replaces it whole."""
    ref = _read(parse_ref, request.corrects or "")
    data = index.body(ref)
    if data is None:
        raise UsageError(f"no act {ref}", code="no-such-act", ref=ref)
    return {key: value for key, value in data.items() if key not in ("series", "serial")}


def _read(reading: Callable[[str], str], text: str) -> str:
    """Read a flag: what is mistyped there is the request's fault, not a damaged file."""
    try:
        return reading(text)
    except FormatError as error:
        raise UsageError(error.detail, code=error.code, **error.values) from None
