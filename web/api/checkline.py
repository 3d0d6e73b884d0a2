"""The answer of ``check`` as one line for a person at a pay desk, and as JSON for their software."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.records.entry import local_date
from ledger.records.refs import format_ref
from web.api.checking import Amendment, Answer, Compared
from web.api.standing import Say, change_json, head_json, standing_json, suspects_of
from web.site import Reading

__all__ = ["check_json", "check_line"]

_MOST_CHANGES = 5
_LONGEST = 120


def check_line(reading: Reading, answer: Answer, say: Say) -> str:
    """Return the one line, without control characters whatever the records hold."""
    until = {"index": reading.size - 1, "time": reading.head.time}
    if answer.one is None:
        return _without_act(answer, say, until)
    one = answer.one
    date = local_date(one.act.time, reading.roster.utc_offset)
    place = {"ref": format_ref(one.act.ref), "index": one.act.index, "date": date}
    first = "published" if answer.verdict == "amended" else answer.verdict
    parts = [say(f"api.check-{first}", **place) + " " + "; ".join(_facts(one, say)) + "."]
    if len(answer.several) > 1:
        parts.append(say("api.check-others", count=len(answer.several) - 1))
    parts += _changes(reading, one, say)
    parts.append(say("api.check-unchanged" if one.standing.state == "unchanged" else "api.check-until", **until))
    return " ".join(parts)


def _without_act(answer: Answer, say: Say, until: dict[str, Any]) -> str:
    asked = answer.asked
    if not answer.several:
        key = "api.check-no-ref" if asked.ref else "api.check-no-number"
        return say(key, ref=format_ref(asked.ref or ""), number=_short(asked.number or ""), **until)
    full = sum(one.carries for one in answer.several)
    refs = ", ".join(format_ref(one.act.ref) for one in answer.several[:_MOST_CHANGES])
    refs += ", …" if len(answer.several) > _MOST_CHANGES else ""
    values = {"count": len(answer.several), "carrying": full, "refs": refs, "number": _short(asked.number or "")}
    return say("api.check-ambiguous", **values, **until)


def _facts(one: Compared, say: Say) -> Iterator[str]:
    """Yield what was compared, that which differs first."""
    facts = [*_number_fact(one, say), *_supplier_fact(one, say), *_value_fact(one, say)]
    yield from (text for _, text in sorted(facts, key=lambda fact: fact[0]))
    if one.supplier is None and one.value is None:
        yield say("api.check-nothing-asked")


def _number_fact(one: Compared, say: Say) -> Iterator[tuple[bool, str]]:
    if one.number is not None:
        code = "same" if one.number else "other"
        yield one.number, say(f"api.check-number-{code}", stated=_short(one.act.number or "-"))


def _supplier_fact(one: Compared, say: Say) -> Iterator[tuple[bool, str]]:
    match = one.supplier
    if match is None:
        return
    stated, asked, reason = match.stated or "-", one.asked.supplier or "-", one.unknown_supplier or "-"
    values = {"stated": _short(stated), "asked": _short(asked), "reason": _short(reason)}
    code = "same" if match.exact else "alike" if match.holds else "other"
    if match.stated is None:
        code = "none" if one.unknown_supplier is None else "unknown"
    yield match.holds, say(f"api.check-supplier-{code}", **values)


def _value_fact(one: Compared, say: Say) -> Iterator[tuple[bool, str]]:
    match = one.value
    if match is None:
        return
    code = "same" if match.holds else "none" if match.stated is None else "amended" if one.amended_value else "other"
    values = {"stated": match.stated or "-", "asked": f"{one.asked.value:f}", "currency": one.currency or "?"}
    yield match.holds or one.amended_value, say(f"api.check-value-{code}", **values)


def _changes(reading: Reading, one: Compared, say: Say) -> Iterator[str]:
    amended = {found.change.act.ref: found for found in one.amendments}
    for suspect in one.standing.suspects:
        yield say("api.check-suspect", holder=_short(suspect.holder), keyid=suspect.keyid[:16], suspect_from=suspect.suspect_from)
    counting = one.standing.that_count()
    counting += [change for change in one.standing.changes if change.type == "completes" and not change.undone]
    for change in counting[:_MOST_CHANGES]:
        values = {"number": _short(change.act.number or "-"), "ref": format_ref(change.act.ref), "index": change.act.index}
        yield say(f"api.check-{change.type}", **values) + _amended(amended.get(change.act.ref), say)
        if suspects_of(reading.roster, change.act):
            yield say("api.check-change-disputed", index=change.act.index)
    if len(counting) > _MOST_CHANGES:
        yield say("api.check-more", count=len(counting) - _MOST_CHANGES)


def _amended(amendment: Amendment | None, say: Say) -> str:
    if amendment is None or amendment.value is None:
        return ""
    return " " + say("api.check-amended-value", value=_short(amendment.value), currency=amendment.currency or "?")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def check_json(reading: Reading, answer: Answer, say: Say) -> dict[str, Any]:
    """Return the answer for software: the verdict, what matches, the act, and every later act that names it."""
    one = answer.one
    return {
        "verdict": answer.verdict,
        "line": check_line(reading, answer, say),
        "published": bool(answer.several),
        "carries": answer.carries,
        "matches": _matches(one),
        **_act_json(reading, one, say),
        "acts": [head_json(found.act) | {"carries": found.carries, "state": found.standing.state} for found in answer.several],
        "up_to": {"index": reading.size - 1, "time": reading.head.time},
        "size": reading.size,
    }


def _matches(one: Compared | None) -> dict[str, bool | None]:
    found = {
        "number": one and one.number,
        "supplier": one and one.supplier and one.supplier.holds,
        "supplier_exact": one and one.supplier and one.supplier.exact,
        "value": one and one.value and one.value.holds,
        "amended_value": one and one.value and one.amended_value,
    }
    return {name: None if value is None else bool(value) for name, value in found.items()}


def _act_json(reading: Reading, one: Compared | None, say: Say) -> dict[str, Any]:
    if one is None:
        names = ("index", "time", "recorded_on", "id", "ref", "number", "currency", "value", "supplier", "status", "changes")
        return dict.fromkeys(names)
    act, fields = one.act, (reading.acts.body(one.act.ref) or {})["fields"]
    party = fields.get("supplier") or {}
    amended = {found.change.act.ref: found for found in one.amendments}
    changes = []
    for change in one.standing.changes:
        found = amended.get(change.act.ref) if change.type == "amends" else None
        stated = {"value": found and found.value, "currency": found and found.currency}
        changes.append(change_json(reading, change) | stated)
    return {
        "index": act.index,
        "time": act.time,
        "recorded_on": local_date(act.time, reading.roster.utc_offset),
        "id": act.id,
        "ref": act.ref,
        "number": act.number,
        "currency": fields.get("currency"),
        "value": fields.get("value"),
        "supplier": party.get("name"),
        "status": standing_json(reading, one.standing, say),
        "changes": changes,
    }
