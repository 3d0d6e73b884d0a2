"""The typed fields of a record in plain words: which of them lead the page of each kind of paper, and how each is shown.

Every value is the office's claim and is shown as text. What has no words of its own is shown under its key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ledger.records.books import ranges_of
from ledger.words import has_words
from web.present import Present

__all__ = ["Field", "leading_fields", "other_fields", "positions_of", "shown_method"]

Say = Callable[..., str]

# What a reader looks for first, by kind; money and its supplier, or subject and effect.
_LEADING = {
    "contract": ("value", "supplier", "changes"),
    "award": ("value", "supplier"),
    "personnel": ("action", "positions", "people_count"),
    "permit": ("permit_type", "applicant", "fee"),
    "order": ("starts_on", "duration_days"),
    "handover": ("stage", "percent", "accepted_value"),
    "minutes": ("parties", "subject"),
    "agreement": ("parties", "subject"),
    "void": ("series", "serials", "reason"),
    "regulation": ("subjects",),
    "decision": ("subjects",),
    "instruction": ("subjects",),
    "circular": ("subjects",),
    "notice": ("subject",),
    "other": ("subject",),
}
_MONEY = ("value", "ceiling", "owner_estimate", "accepted_value", "penalty", "fee")
_MOST_LINES = 3
_ONE_LINE = ("supplier", "applicant")  # a legal person's number stands further down

# In which order the other fields are told.
_ORDER = (
    "subjects", "subject", "abstract", "legal_basis", "proposer", "gazette", "action", "positions", "people_count",
    "names", "parties", "permit_type", "applicant", "location", "business_id", "fee", "conditions", "value", "supplier",
    "changes", "sequence", "reason", "method", "category", "appointment_reason", "pricing", "ceiling", "owner_estimate",
    "funding", "budget_year", "plan_codes", "procurement_code", "award_number", "registered_bidders", "priced_bids",
    "place", "requested_on", "issued_on", "service_standard_days", "promulgated_on", "effective_on", "start_on",
    "end_on", "starts_on", "duration_days", "ends_on", "stage", "percent", "accepted_value", "delay_days", "penalty",
)  # fmt: skip
_AMOUNT = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its label in the reader's language, and its value in lines; ``more`` counts the lines left out."""

    name: str
    label: str
    lines: tuple[str, ...]
    more: int = 0


def leading_fields(data: dict[str, Any], say: Say, show: Present) -> list[Field]:
    """Return the fields that lead the page of ``data``, a record: few, and few lines each."""
    found = (_field(name, data, say, show) for name in _LEADING.get(data["kind"], ()) if name in data["fields"])
    return [_cut(one, 1 if one.name in _ONE_LINE else _MOST_LINES) for one in found]


def other_fields(data: dict[str, Any], say: Say, show: Present) -> list[Field]:
    """Return every field of ``data``, a record, that is not shown whole at the head of its page."""
    whole = {one.name for one in leading_fields(data, say, show) if not one.more} | {"currency"}
    names = sorted(data["fields"], key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    found = [_field(name, data, say, show) for name in names if name not in whole]
    return found + [Field(key, key.replace("_", " "), (value,)) for key, value in data["extra"].items()]


def positions_of(data: dict[str, Any], say: Say) -> list[str]:
    """Return who signed the paper: position with its capacity, name if there is one, and the basis of the capacity."""
    found = []
    for one in data["signatories"]:
        parts = (say(f"page.capacity-{one['capacity']}", position=one["position"]), one.get("name"), one.get("basis"))
        found.append(", ".join(filter(None, parts)))
    return found


def shown_method(method: str, say: Say) -> str:
    """Return a procurement method in the reader's words where it is a usual one, else as the office wrote it."""
    key = "page.method-" + re.sub(r"[\s_-]+", "-", method.casefold())
    return say(key) if has_words(key) else method


def _cut(field: Field, most: int) -> Field:
    return Field(field.name, field.label, field.lines[:most], len(field.lines[most:]))


def _field(name: str, data: dict[str, Any], say: Say, show: Present) -> Field:
    key = f"page.field-{name}"
    label = say(key) if has_words(key) else name
    return Field(name, label, tuple(_lines(name, data["fields"][name], data, say, show)))


def _lines(name: str, value: Any, data: dict[str, Any], say: Say, show: Present) -> Iterator[str]:
    """Yield the lines of one value."""
    if name in _MONEY:
        yield show.money(data["fields"].get("currency", "IDR"), value)
    elif name in _SHOWN:
        yield from _SHOWN[name](value, data, say, show)
    elif name.endswith("_on"):
        yield show.date(value)
    elif type(value) is list:
        yield from map(str, value)
    elif type(value) is int and not name.endswith("year"):
        yield show.count(value)
    else:
        yield str(value)


def _party(value: dict[str, Any], data: dict[str, Any], say: Say, show: Present) -> Iterator[str]:
    if "name" not in value:
        unknown = "unknown" if "unknown" in value else "withheld"
        yield say(f"page.party-{unknown}", reason=value[unknown])
        return
    yield value["name"]
    if "id" in value:
        yield say("page.party-id", id=value["id"])


def _changes(value: list[dict[str, str]], data: dict[str, Any], say: Say, show: Present) -> Iterator[str]:
    for one in value:
        key = f"page.field-{one['field']}"
        label = say(key) if has_words(key) else one["field"]
        was, becomes = (_changed(one["field"], one[part], data, show) for part in ("was", "becomes"))
        yield say("page.change", field=label, was=was, becomes=becomes)


def _changed(field: str, value: str, data: dict[str, Any], show: Present) -> str:
    if field in _MONEY and _AMOUNT.fullmatch(value):
        return show.money(data["fields"].get("currency", "IDR"), value)
    return show.date(value) if field.endswith("_on") else value


def _posts(value: list[dict[str, str]], data: dict[str, Any], say: Say, show: Present) -> Iterator[str]:
    for one in value:
        moved = " → ".join(one[part] for part in ("from", "to") if part in one)
        yield ", ".join(filter(None, (moved, one.get("unit"))))


def _reason(value: str, data: dict[str, Any], say: Say, show: Present) -> Iterator[str]:
    yield say(f"page.void-{value}") if data["kind"] == "void" else value


_SHOWN: dict[str, Callable[[Any, dict[str, Any], Say, Present], Iterator[str]]] = {
    "supplier": _party,
    "applicant": _party,
    "changes": _changes,
    "positions": _posts,
    "reason": _reason,
    "action": lambda value, data, say, show: iter([say(f"page.action-{value}")]),
    "stage": lambda value, data, say, show: iter([say(f"page.stage-{value}")]),
    "percent": lambda value, data, say, show: iter([f"{value}%"]),
    "duration_days": lambda value, data, say, show: iter([say("page.days", count=show.count(value))]),
    "delay_days": lambda value, data, say, show: iter([say("page.days", count=show.count(value))]),
    "service_standard_days": lambda value, data, say, show: iter([say("page.days", count=show.count(value))]),
    "method": lambda value, data, say, show: iter([shown_method(value, say)]),
    "serials": lambda value, data, say, show: iter([", ".join(ranges_of(value))]),
    "gazette": lambda value, data, say, show: iter([f"{value['name']} {value['year']}, {value['number']}"]),
    "draft_sha256": lambda value, data, say, show: iter([show.code(value)]),
}
