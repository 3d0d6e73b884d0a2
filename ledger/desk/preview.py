"""A look before it is public for ever: what exactly, who signs, which persons are named, and what looks odd.

Warnings never stop anybody. They say what an experienced colleague would say, and leave the decision to the clerk.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger.desk.documents import Document
from ledger.desk.drafting import Draft
from ledger.index import KnownActs
from ledger.records.refs import format_ref
from ledger.records.roster import Roster

__all__ = ["Remark", "describe_record", "preview", "warnings_about"]

Say = Callable[..., str]
_OLD_DAYS = 90
_USUAL = {
    "contract": ("method", "ceiling", "start_on", "end_on", "budget_year"),
    "decision": ("subjects",),
    "permit": ("issued_on",),
    "award": ("procurement_code",),
    "order": ("ends_on",),
    "handover": ("percent",),
    "notice": ("subject",),
}
_PICTURES = ("application/pdf", "image/")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something odd: a glossary code under ``[warning.<code>]``, where it applies, and the values of its sentence."""

    code: str
    path: str
    values: dict[str, object]


def preview(draft: Draft, roster: Roster, index: KnownActs, *, say: Say, today: str) -> list[str]:
    """Return what a clerk reads before agreeing; ``today`` is the local date."""
    data = draft.data
    lines = [say("preview.head"), *describe_record(data, say, roster)]
    persons = _persons(data)
    if persons:
        lines.append(say("preview.persons", names="; ".join(persons)))
    lines += [say("preview.warning", text=say(f"warning.{one.code}", **one.values))
              for one in warnings_about(data, roster, index, today=today, documents=draft.documents)]  # fmt: skip
    return lines


def describe_record(data: dict[str, Any], say: Say, roster: Roster | None = None) -> list[str]:
    """Return everything that a record says, a line each."""
    offices, forms = (roster.offices, roster.forms) if roster else ({}, {})
    office = offices.get(data["office"], {}).get("name", data["office"])
    lines = [
        say("preview.form", kind=data["kind"], form=forms.get(data["form"], {}).get("name", data["form"]), office=office),
        say("preview.number", number=data["number"]) if data["number"] is not None
        else say("preview.unnumbered", reason=data.get("unnumbered_reason", "")),
        say("preview.title", title=data["title"]),
        *(say("preview.date", what=say(f"fact.date-{key}"), date=data[key]) for key in _DATES if key in data),
        say("preview.ref", ref=format_ref(data["ref"])),
    ]  # fmt: skip
    if "series" in data:
        lines.append(say("preview.series", series=data["series"], serial=data.get("serial", "?")))
    lines += [_signatory_line(one, say) for one in data["signatories"]]
    lines += [_document_line(one, say) for one in data["documents"]]
    lines += [_relation_line(one, say) for one in data["relations"]]
    lines += [say("preview.field", name=key, value=value) for key, value in _flat(data["fields"])]
    lines += [say("preview.extra", name=key, value=value) for key, value in data["extra"].items()]
    return lines + [_signer_line(keyid, roster, say) for keyid in data["signers"]]


def warnings_about(
    data: dict[str, Any], roster: Roster, index: KnownActs, *, today: str, documents: tuple[Document, ...] = ()
) -> list[Remark]:
    """Return what looks odd about a record, as codes under ``[warning.…]``."""
    return [
        *_about_money(data["fields"]),
        *_about_dates(data, today),
        *_about_fields(data),
        *_about_earlier(data, index),
        *_about_files(data, documents),
    ]


_DATES = ("signed_on", "drafted_on", "promulgated_on", "effective_on", "expires_on")


def _about_money(fields: dict[str, Any]) -> Iterator[Remark]:
    value, ceiling, estimate = (fields.get(key) for key in ("value", "ceiling", "owner_estimate"))
    if value and ceiling and Decimal(value) > Decimal(ceiling):
        yield Remark("above-ceiling", "fields.value", {"value": value, "ceiling": ceiling})
    elif value and estimate and Decimal(value) > Decimal(estimate):
        yield Remark("above-estimate", "fields.value", {"value": value, "estimate": estimate})


def _about_dates(data: dict[str, Any], today: str) -> Iterator[Remark]:
    signed = data["signed_on"]
    if signed > today:
        yield Remark("date-ahead", "signed_on", {"date": signed, "today": today})
    age = (datetime.date.fromisoformat(today) - datetime.date.fromisoformat(signed)).days
    if age > _OLD_DAYS:
        yield Remark("date-old", "signed_on", {"date": signed, "days": age})
    start, end = data["fields"].get("start_on"), data["fields"].get("end_on")
    if start and end and end < start:
        yield Remark("ends-before-start", "fields.end_on", {"start": start, "end": end})


def _about_fields(data: dict[str, Any]) -> Iterator[Remark]:
    missing = [key for key in _USUAL.get(data["kind"], ()) if key not in data["fields"]]
    if missing and not any(one["type"] == "amends" for one in data["relations"]):
        yield Remark("usual-fields", "fields", {"missing": ", ".join(missing)})


def _about_earlier(data: dict[str, Any], index: KnownActs) -> Iterator[Remark]:
    """The same correction, the same file in another act, and the same number in the years beside or under another form."""
    yield from _about_corrections(data, index)
    same = _same_act(data, index)
    for document in data["documents"]:
        for act in index.by_document(document["sha256"]) if "sha256" in document else ():
            if act.ref not in same:
                values = {"name": document["name"], "ref": format_ref(act.ref), "index": act.index, "title": act.title}
                yield Remark("document-before", "documents", values)
    if data["number"] is None:
        return
    for act in index.by_office_number(data["office"], data["number"]):
        if act.ref not in same:
            values = {"ref": format_ref(act.ref), "index": act.index, "title": act.title, "date": act.signed_on}
            yield Remark("number-before", "number", values)


def _about_corrections(data: dict[str, Any], index: KnownActs) -> Iterator[Remark]:
    for target in (one["ref"] for one in data["relations"] if one["type"] == "corrects" and "ref" in one):
        for kind, act in index.relating_to(target):
            if kind == "corrects" and act.ref != data["ref"]:
                values = {"target": format_ref(target), "ref": format_ref(act.ref), "index": act.index, "title": act.title}
                yield Remark("corrected-before", "relations", values)


def _same_act(data: dict[str, Any], index: KnownActs) -> set[str]:
    """Return the references that are no surprise: the acts that this one names, and all versions of those it corrects."""
    found = {data["ref"], *(one["ref"] for one in data["relations"] if "ref" in one)}
    waiting = [one["ref"] for one in data["relations"] if one["type"] == "corrects" and "ref" in one]
    while waiting:
        ref = waiting.pop()
        act = index.by_ref(ref)
        near = {target for kind, target in (act.relations if act else ()) if kind == "corrects"}
        near |= {other.ref for kind, other in index.relating_to(ref) if kind == "corrects"}
        waiting += near - found
        found |= near
    return found


def _about_files(data: dict[str, Any], documents: tuple[Document, ...]) -> Iterator[Remark]:
    for one in documents:
        name: dict[str, object] = {"name": one.path.name, "role": one.role}
        if one.certified:
            yield Remark("certified", "documents", name)
        if one.mistyped:
            yield Remark("mistyped", "documents", name)
        elif one.role == "signed" and not one.media_type.startswith(_PICTURES):
            yield Remark("signed-role", "documents", name)
        if one.certified and one.role in ("draft", "text", "source"):
            yield Remark("certified-draft", "documents", name)
        if one.size == 0:
            yield Remark("empty-file", "documents", name)


def _persons(data: dict[str, Any]) -> list[str]:
    """Return where natural persons are, or may be, named."""
    found = [one["name"] for one in data["signatories"] if "name" in one]
    found += data["fields"].get("names", [])
    for key in ("supplier", "applicant"):
        party = data["fields"].get(key)
        if isinstance(party, dict) and "name" in party and "form" not in party:
            found.append(party["name"])
    return found


def _signatory_line(one: dict[str, Any], say: Say) -> str:
    name = f" · {one['name']}" if "name" in one else ""
    basis = f" · {one['basis']}" if "basis" in one else ""
    return say("preview.signatory", who=f"{one['position']} ({one['capacity']}){name}{basis}")


def _document_line(one: dict[str, Any], say: Say) -> str:
    if "withheld" in one:
        return say("preview.withheld", role=one["role"], reason=one["reason"], law=one["law"])
    shown = {key: one[key] for key in ("name", "role", "size", "media_type", "sha256")}
    return say("preview.document", **shown)


def _relation_line(one: dict[str, Any], say: Say) -> str:
    target = format_ref(one["ref"]) if "ref" in one else one["outside"]["number"]
    return say("preview.relation", type=one["type"], target=target, reason=one.get("reason", "—"))


def _signer_line(keyid: str, roster: Roster | None, say: Say) -> str:
    enrolment = roster.enrolments.get(keyid) if roster else None
    return say("preview.signer", who=f"{enrolment.holder}, {enrolment.position}" if enrolment else "?", keyid=keyid[:16])


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, value) of everything below an object."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(part, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        for place, part in enumerate(value):
            yield from _flat(part, f"{path}[{place}]")
    else:
        yield path, ", ".join(map(str, value)) if isinstance(value, list) else value
