"""The one replay: what may follow, and what the acts before mean now.

Admission, ``fsck`` and ``audit`` all judge with these functions. They know nothing of files or databases: acts that came
before are asked of an ``Acts``, of which ``ledger.index`` is the one implementation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.errors import AdmissionError, FormatError, NewerFormatError, Reason
from ledger.records import canonical
from ledger.records.envelope import Envelope
from ledger.records.events import ROSTER_TYPE
from ledger.records.numbers import fold_number, serial_in
from ledger.records.record import RECORD_TYPE, Record, check_record, parse_record
from ledger.records.roster import Enrolment, Roster, judge_roster
from ledger.records.signers import Signers

__all__ = ["Act", "Acts", "Change", "NumberKey", "act_of", "changes_to", "judge", "judge_record", "number_key"]

BINDING = ("amends", "corrects", "revokes", "annuls", "completes")
UNDOING = ("annuls", "corrects")
MAY_REPEAT_NUMBER = ("same_number_as", "corrects", "amends")

NumberKey = tuple[str, str, str, str]
_NOTHING: Mapping[str, bool] = {}


@dataclass(frozen=True, slots=True)
class Act:
    """What later acts and readers need to know of an act: its place (``index``, ``time``) and the head of its record."""

    index: int
    time: str
    id: str
    ref: str
    kind: str
    form: str
    office: str
    number: str | None
    title: str
    signed_on: str
    signers: tuple[str, ...]
    relations: tuple[tuple[str, str], ...]

    @property
    def number_key(self) -> NumberKey | None:
        """(form, office, folded number, year of the paper), under which no two acts may stand silently."""
        return None if self.number is None else number_key(self.form, self.office, self.number, self.signed_on)


@dataclass(frozen=True, slots=True)
class Change:
    """A later act that did something to one: ``type`` is the relation; ``undone`` if that act itself no longer counts."""

    type: str
    act: Act
    undone: bool


class Acts(Protocol):
    """The acts recorded so far."""

    def by_ref(self, ref: str) -> Act | None:
        """Return the act that carries ``ref``."""

    def by_number(self, key: NumberKey) -> Sequence[Act]:
        """Return the acts under one number key, oldest first."""

    def relating_to(self, ref: str) -> Sequence[tuple[str, Act]]:
        """Return (relation type, act) of each act that names ``ref``, oldest first."""


def number_key(form: str, office: str, number: str, signed_on: str) -> NumberKey:
    """Return the key under which a number counts as used."""
    return (form, office, fold_number(number), signed_on[:4])


def act_of(record: Record, *, index: int, time: str) -> Act:
    """Return the act that ``record`` becomes at its place."""
    data = record.data
    return Act(
        index=index,
        time=time,
        id=record.id,
        ref=data["ref"],
        kind=data["kind"],
        form=data["form"],
        office=data["office"],
        number=data["number"],
        title=data["title"],
        signed_on=data["signed_on"],
        signers=tuple(data["signers"]),
        relations=tuple((one["type"], one["ref"]) for one in data["relations"] if "ref" in one),
    )


def judge(
    roster: Roster,
    acts: Acts,
    envelope: Envelope,
    *,
    index: int,
    time: str,
    record: Record | None = None,
    verified: Mapping[str, bool] = _NOTHING,
) -> list[Reason]:
    """Return every reason against ``envelope`` as entry ``index`` at ``time``; none: it may stand there.

    ``roster`` and ``acts`` are those before this entry. A reason marked ``unknown`` is a later version's matter.
    ``record`` is what ``parse_record`` made of the payload, where that was done before; ``verified`` names, by keyid, the
    signatures of this envelope that were checked before and hold. A keyid names one key.
    """
    if envelope.payload_type == ROSTER_TYPE:
        return judge_roster(roster, envelope, index=index)
    if envelope.payload_type != RECORD_TYPE:
        return [Reason("unknown-payload-type", "payloadType", {"value": envelope.payload_type[:80]}, unknown=True)]
    return judge_record(roster, acts, envelope, time=time, record=record, verified=verified)


def judge_record(
    roster: Roster,
    acts: Acts,
    envelope: Envelope,
    *,
    time: str,
    record: Record | None = None,
    verified: Mapping[str, bool] = _NOTHING,
) -> list[Reason]:
    """Return every reason against a record's envelope, design section 3.5, in its order; parameters as of ``judge``."""
    if record is None:
        try:
            record = parse_record(envelope.payload)
        except FormatError as error:
            return [Reason(error.code, "", error.values)]
        except AdmissionError as error:
            return list(error.reasons)
        except NewerFormatError:
            return list(check_record(canonical.parse(envelope.payload, limit=len(envelope.payload))))
    data = record.data
    if data["founding"] != roster.founding:
        return [Reason("other-founding", "founding", {"value": data["founding"][:16], "expected": roster.founding[:16]})]
    signers = Signers(roster, envelope, data, time, verified)
    return [
        *signers.judge(),
        *_judge_form(roster, data),
        *_judge_series(roster, data),
        *_judge_documents(roster, record),
        *_judge_relations(roster, acts, data, signers.enrolments),
        *_judge_names(acts, data),
    ]


def changes_to(acts: Acts, ref: str) -> list[Change]:
    """Return what later acts did to ``ref``, oldest first."""
    return [Change(kind, act, _is_undone(acts, kind, act.ref)) for kind, act in acts.relating_to(ref)]


def _is_undone(acts: Acts, kind: str, ref: str) -> bool:
    """Tell whether what ``ref`` did by ``kind`` no longer counts: annulled or replaced by an act that itself counts.

    A replacement that was itself replaced has still replaced: only its annulment brings back what stood before it.
    An explicit stack and each act once: neither a long chain nor a dense web of annulments can exhaust a reader.
    """
    undoers: dict[str, list[tuple[str, Act]]] = {}
    waiting = [ref]
    while waiting:
        one = waiting.pop()
        if one not in undoers:
            undoers[one] = [(how, act) for how, act in acts.relating_to(one) if how in UNDOING]
            waiting.extend(act.ref for _, act in undoers[one])
    place = {act.ref: act.index for found in undoers.values() for _, act in found}
    annulled: dict[str, bool] = {}
    gone: dict[str, bool] = {}
    for one in sorted(undoers, key=lambda known: place.get(known, -1), reverse=True):
        annulled[one] = any(how == "annuls" and not gone[act.ref] for how, act in undoers[one])
        gone[one] = annulled[one] or any(how == "corrects" and not annulled[act.ref] for how, act in undoers[one])
    return annulled[ref] if kind == "corrects" else gone[ref]


def _judge_form(roster: Roster, data: dict[str, Any]) -> Iterator[Reason]:
    if data["office"] not in roster.offices:
        yield Reason("unknown-office", "office", {"value": data["office"]})
    form = roster.forms.get(data["form"])
    if form is None:
        yield Reason("unknown-form", "form", {"value": data["form"]})
    elif form["kind"] != data["kind"]:
        yield Reason("form-of-other-kind", "form", {"value": data["form"], "kind": form["kind"]})


def _judge_series(roster: Roster, data: dict[str, Any]) -> Iterator[Reason]:
    if data["kind"] == "void":
        yield from _judge_book(roster, data, data["fields"]["series"], "fields.series", data["fields"]["serials"])
    if "series" not in data:
        return
    yield from _judge_book(roster, data, data["series"], "series", [data["serial"]])
    book = roster.series.get(data["series"])
    if book is None:
        return
    if data["form"] not in book["forms"]:
        yield Reason("form-not-in-series", "series", {"value": data["series"], "form": data["form"]})
    shown = None if data["number"] is None else serial_in(data["number"], book["pattern"])
    if shown is not None and shown != data["serial"]:
        yield Reason("serial-differs", "serial", {"value": data["serial"], "shown": shown, "number": data["number"]})


def _judge_book(roster: Roster, data: dict[str, Any], series: str, path: str, serials: list[int]) -> Iterator[Reason]:
    book = roster.series.get(series)
    if book is None or book["office"] != data["office"]:
        yield Reason("unknown-series", path, {"value": series, "office": data["office"]})
    elif min(serials) < book["start"]:
        yield Reason("serial-before-start", path, {"value": min(serials), "start": book["start"]})


def _judge_documents(roster: Roster, record: Record) -> Iterator[Reason]:
    for document in record.documents if roster.withdrawn else ():
        if document["sha256"] in roster.withdrawn:
            yield Reason("document-withdrawn", "documents", {"name": document["name"]})


def _judge_relations(
    roster: Roster, acts: Acts, data: dict[str, Any], signers: Sequence[Enrolment]
) -> Iterator[Reason]:
    offices = {office for signer in signers if data["kind"] in signer.kinds for office in signer.offices}
    for position, relation in enumerate(data["relations"]):
        if "ref" not in relation:
            continue
        path, target = f"relations[{position}]", acts.by_ref(relation["ref"])
        if target is None:
            yield Reason("unknown-target", path, {"value": relation["ref"]})
        elif relation["type"] in BINDING and not _competent(roster, offices, target.office):
            yield Reason("not-competent", path, {"type": relation["type"], "value": target.ref, "office": target.office})


def _competent(roster: Roster, offices: set[str], target: str) -> bool:
    """A signer of the target's office or one above it, or a rule that names the pair."""
    line = set(roster.line_of(target)) | {target}
    return bool(offices & line) or any((office, target) in roster.competences for office in offices)


def _judge_names(acts: Acts, data: dict[str, Any]) -> Iterator[Reason]:
    """A reference is used once; a number twice only where the record says so and why."""
    earlier = acts.by_ref(data["ref"])
    if earlier is not None:
        yield Reason("ref-used", "ref", {"value": data["ref"], "index": earlier.index, "title": earlier.title})
    if data["number"] is None:
        return
    named = {one["ref"] for one in data["relations"] if one["type"] in MAY_REPEAT_NUMBER and "ref" in one}
    same = acts.by_number(number_key(data["form"], data["office"], data["number"], data["signed_on"]))
    if same and not any(act.ref in named for act in same):
        first = same[0]
        values = {"number": data["number"], "value": first.ref, "index": first.index, "title": first.title}
        yield Reason("number-used", "number", values)
