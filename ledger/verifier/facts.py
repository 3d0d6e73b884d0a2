"""The facts of an act as its record states them, with the names that the roster gives to offices, forms and keys."""

from __future__ import annotations

from typing import Any

from ledger.records.entry import local_date
from ledger.records.record import Record
from ledger.records.roster import Roster
from ledger.records.shapes import date_of
from ledger.verifier.verdict import Facts

__all__ = ["facts_of"]

_DATES = ("drafted_on", "signed_on", "promulgated_on", "effective_on", "expires_on")
_CAPACITIES = {"plt": "Plt.", "plh": "Plh.", "pj": "Pj.", "an": "a.n."}


def facts_of(record: Record, roster: Roster | None, *, index: int, time: str, origin: str) -> Facts:
    """Return what ``record``, at entry ``index`` of ``time``, says; without a ``roster`` ids stand for names."""
    data, known = record.data, roster or Roster(origin=origin)
    here = local_date(time, known.utc_offset)
    return Facts(
        index=index,
        time=time,
        local_date=here,
        ref=record.ref,
        id=record.id,
        kind=data["kind"],
        form=_name(known.forms, data["form"]),
        number=data["number"],
        title=data["title"],
        office=_name(known.offices, data["office"]),
        city=known.name or origin,
        money=_money(data["fields"]),
        supplier=_party(data["fields"]),
        dates=tuple((name, data[name]) for name in _DATES if name in data),
        lag_days=_days(data["signed_on"], here),
        signed_on_paper=tuple(_signatory(one) for one in data["signatories"]),
        published_by=tuple(_signer(known, keyid) for keyid in data["signers"]),
        documents=tuple(record.documents),
        withheld=tuple(one for one in data["documents"] if "withheld" in one),
    )


def _name(table: Any, identifier: str) -> str:
    return str(table[identifier]["name"]) if identifier in table else identifier


def _money(fields: dict[str, Any]) -> str | None:
    return f"{fields['currency']} {fields['value']}" if "value" in fields and "currency" in fields else None


def _party(fields: dict[str, Any]) -> str | None:
    party = fields.get("supplier")
    if not isinstance(party, dict):
        return None
    return str(party["name"]) if "name" in party else f"? ({party.get('unknown')})"


def _days(earlier: str, later: str) -> int:
    first, last = date_of(earlier), date_of(later)
    return (last - first).days if first and last else 0


def _signatory(one: dict[str, Any]) -> str:
    position = " ".join(filter(None, [_CAPACITIES.get(one["capacity"]), one["position"]]))
    return ", ".join(filter(None, [position, one.get("name")]))


def _signer(roster: Roster, keyid: str) -> str:
    enrolment = roster.enrolments.get(keyid)
    return ", ".join(dict.fromkeys((enrolment.holder, enrolment.position))) if enrolment else keyid[:16]
