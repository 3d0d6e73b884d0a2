"""Findings about contracts: what is left out, values at odds with each other, and a neutral count just under a limit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger.verifier.findings import Finding, Ground, Rule

__all__ = ["RULES"]


@dataclass(frozen=True, slots=True)
class _Contract:
    ref: str
    number: str
    office: str
    signed_on: str
    amends: bool
    fields: dict[str, Any]

    def finding(self, code: str, **values: object) -> Finding:
        return Finding(code, (self.ref,), {"number": self.number, "office": self.office, **values})

    def money(self, key: str) -> Decimal | None:
        return Decimal(self.fields[key]) if key in self.fields else None


def _contracts(ground: Ground) -> Iterator[_Contract]:
    query = """
        SELECT ref, coalesce(number, '–'), office, signed_on, relations, json_extract(body, '$.fields') FROM acts
        WHERE kind = 'contract' AND ref NOT IN (SELECT target FROM relations WHERE type = 'corrects') ORDER BY idx
    """
    for ref, number, office, signed_on, relations, fields in ground.rows(query):
        yield _Contract(ref, number, office, signed_on, "amends=" in relations, json.loads(fields))


def incomplete(ground: Ground) -> Iterator[Finding]:
    """Contracts without a period, a method, a plan code or a supplier, or whose period merely repeats the contract's date."""
    for contract in _contracts(ground):
        fields = contract.fields
        if "unknown" in fields["supplier"]:
            yield contract.finding("supplier-unknown", reason=fields["supplier"]["unknown"])
        if contract.amends:
            continue
        start, end = fields.get("start_on"), fields.get("end_on")
        if start is None or end is None:
            yield contract.finding("no-period")
        elif start == end == contract.signed_on:
            yield contract.finding("period-repeats-date", date=start)
        if "method" not in fields:
            yield contract.finding("no-method")
        if "plan_codes" not in fields:
            yield contract.finding("no-plan-code")


def values_at_odds(ground: Ground) -> Iterator[Finding]:
    """Contracts above their own ceiling or estimate, or that end before they start."""
    for contract in _contracts(ground):
        value = contract.money("value") or Decimal(0)
        for key, code in (("ceiling", "above-ceiling"), ("owner_estimate", "above-estimate")):
            limit = contract.money(key)
            if limit is not None and value > limit:
                yield contract.finding(code, value=_shown(value), limit=_shown(limit))
        start, end = contract.fields.get("start_on"), contract.fields.get("end_on")
        if start is not None and end is not None and start > end:
            yield contract.finding("ends-before-start", start=start, end=end)


def just_under_limit(ground: Ground) -> Iterator[Finding]:
    """How many direct contracts lie just under the limit of direct procurement: a count, which says nothing of any of them."""
    data = ground.data["direct_procurement"]
    found: dict[tuple[Decimal, str, bool], list[str]] = {}
    direct = [one for one in _contracts(ground) if _is_direct(one, data)]
    for contract in direct:
        value = contract.money("value") or Decimal(0)
        for row in _limits_of(contract, data["limits"]):
            limit = Decimal(row["limit"])
            if limit * Decimal(data["band"]) <= value <= limit:
                found.setdefault((limit, row["law"], row["uncertain"]), []).append(contract.ref)
    for (limit, law, uncertain), refs in sorted(found.items()):
        values: dict[str, object] = {"count": len(refs), "all": len(direct), "law": law}
        values |= {"least": _shown(limit * Decimal(data["band"])), "limit": _shown(limit)}
        code = "just-under-limit-uncertain" if uncertain else "just-under-limit"
        yield Finding(code, tuple(refs), values, remark=True)


def _is_direct(contract: _Contract, data: dict[str, Any]) -> bool:
    method = str(contract.fields.get("method", "")).casefold()
    return not contract.amends and contract.fields["currency"] == data["currency"] and method in data["methods"]


def _limits_of(contract: _Contract, limits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the limits for the contract's category on its date; the first category that fits decides."""
    category = str(contract.fields.get("category", "")).casefold()
    fitting = [row for row in limits if not row["categories"] or any(word in category for word in row["categories"])]
    return [
        row
        for row in fitting
        if row["categories"] == fitting[0]["categories"] and row["from"] <= contract.signed_on <= row.get("until", "9999")
    ]


def _shown(value: Decimal) -> str:
    """Return the amount as it is written in Indonesia: 199.750.000,50."""
    whole, _, cents = f"{value:f}".partition(".")
    grouped = f"{int(whole):,}".replace(",", ".")
    return grouped + (f",{cents}" if cents.strip("0") else "")


RULES: tuple[Rule, ...] = (incomplete, values_at_odds, just_under_limit)
