"""The typed fields of each kind of paper, as a table. Optional but for a few; what is unknown goes to ``extra``."""

from __future__ import annotations

from ledger.records.shapes import (
    Shape,
    choice,
    currency,
    date,
    digest,
    either,
    identifier,
    integer,
    listing,
    mapping,
    money,
    person_text,
)

__all__ = ["FIELDS", "KINDS"]

_LINE = person_text(300)
_LONG = person_text(4000)
_LINES = listing(_LINE, least=1)
_YEAR = integer(1900, 2199)

_PARTY = either(
    "unknown", mapping({"unknown": _LINE}), mapping({"name": _LINE}, {"form": _LINE, "id": person_text(40)})
)
_BASIS = {"subjects": _LINES, "legal_basis": _LINES, "proposer": _LINE}
_SPAN = {"start_on": date, "end_on": date}

FIELDS: dict[str, Shape] = {
    "regulation": mapping(
        {"subjects": _LINES},
        {
            "promulgated_on": date,
            "gazette": mapping({"name": _LINE, "year": _YEAR, "number": _LINE}),
            "abstract": _LONG,
            "legal_basis": _LINES,
            "proposer": _LINE,
        },
    ),
    "decision": mapping({}, _BASIS),
    "instruction": mapping({}, _BASIS),
    "circular": mapping({}, _BASIS),
    "personnel": mapping(
        {"action": choice("appoint", "transfer", "dismiss", "retire", "incentive", "other")},
        {
            "positions": listing(mapping({}, {"from": _LINE, "to": _LINE, "unit": _LINE}), least=1),
            "people_count": integer(),
            "names": listing(_LINE, least=1, most=200),
            "effective_on": date,
        },
    ),
    "permit": mapping(
        {"permit_type": _LINE},
        {
            "applicant": either("withheld", mapping({"withheld": _LINE}), _PARTY),
            "location": _LINE,
            "requested_on": date,
            "issued_on": date,
            "service_standard_days": integer(0, 36500),
            "business_id": person_text(40),
            "conditions": _LONG,
            "fee": money,
            "currency": currency,
        },
    ),
    "contract": mapping(
        {"value": money, "currency": currency, "supplier": _PARTY},
        {
            "method": _LINE,
            "category": _LINE,
            "plan_codes": listing(person_text(40), least=1),
            "procurement_code": person_text(40),
            "ceiling": money,
            "owner_estimate": money,
            "award_number": _LINE,
            **_SPAN,
            "pricing": _LINE,
            "funding": _LINES,
            "budget_year": _YEAR,
            "registered_bidders": integer(),
            "priced_bids": integer(),
            "appointment_reason": _LONG,
            "place": _LINE,
            "changes": listing(mapping({"field": person_text(64), "was": _LINE, "becomes": _LINE}), least=1),
            "sequence": integer(1, 1000),
            "reason": _LONG,
        },
    ),
    "award": mapping(
        {"supplier": _PARTY, "value": money, "currency": currency},
        {"procurement_code": person_text(40), "plan_codes": listing(person_text(40), least=1)},
    ),
    "order": mapping({"starts_on": date}, {"duration_days": integer(0, 36500), "ends_on": date}),
    "handover": mapping(
        {"stage": choice("partial", "provisional", "final")},
        {
            "percent": integer(0, 100),
            "accepted_value": money,
            "currency": currency,
            "delay_days": integer(0, 36500),
            "penalty": money,
        },
    ),
    "minutes": mapping({"parties": _LINES}, {"subject": _LINE, **_SPAN}),
    "agreement": mapping({"parties": _LINES}, {"subject": _LINE, **_SPAN}),
    "notice": mapping({}, {"subject": _LINE, "agenda_number": _LINE, "draft_sha256": digest}),
    "void": mapping(
        {
            "series": identifier,
            "serials": listing(integer(), least=1, most=1000),
            "reason": choice("unused", "cancelled", "reserved", "secret"),
        },
        {"law": _LINE},
    ),
    "other": mapping({}, {"subject": _LINE}),
}

KINDS = tuple(FIELDS)
