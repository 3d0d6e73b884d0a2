"""Findings about contracts: what is left out, values at odds with each other, and a neutral count just under a limit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger.verifier.findings import Finding, Ground, Rule

__all__ = ["RULES", "found_in"]

_NOT_CORRECTED = "NOT EXISTS (SELECT 1 FROM relations r WHERE r.target = f.scope AND r.type = 'corrects')"


@dataclass(frozen=True, slots=True)
class _Contract:
    number: str
    office: str
    signed_on: str
    amends: bool
    fields: dict[str, Any]

    def finding(self, code: str, **values: object) -> list[Any]:
        return [code, {"number": self.number, "office": self.office, **values}]

    def money(self, key: str) -> Decimal | None:
        return Decimal(self.fields[key]) if key in self.fields else None


def found_in(rules: dict[str, Any], data: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what one contract gives: the rule, and what is kept for it."""
    amends = any(one["type"] == "amends" and "ref" in one for one in data["relations"])
    contract = _Contract(data["number"] or "–", data["office"], data["signed_on"], amends, data["fields"])
    for found in _incomplete(contract):
        yield "incomplete", found
    for found in _values_at_odds(contract):
        yield "values-at-odds", found
    procurement = rules["direct_procurement"]
    if _is_direct(contract, procurement):
        yield "direct", _just_under(contract, procurement)


def _incomplete(contract: _Contract) -> Iterator[list[Any]]:
    """Without a period, a method, a plan code or a supplier, or with a period that merely repeats the contract's date."""
    fields = contract.fields
    if "unknown" in fields["supplier"]:
        yield contract.finding("supplier-unknown", reason=fields["supplier"]["unknown"])
    if contract.amends:
        return
    start, end = fields.get("start_on"), fields.get("end_on")
    if start is None or end is None:
        yield contract.finding("no-period")
    elif start == end == contract.signed_on:
        yield contract.finding("period-repeats-date", date=start)
    if "method" not in fields:
        yield contract.finding("no-method")
    if "plan_codes" not in fields:
        yield contract.finding("no-plan-code")


def _values_at_odds(contract: _Contract) -> Iterator[list[Any]]:
    """Above its own ceiling or estimate, or with an end before the start."""
    value = contract.money("value") or Decimal(0)
    for key, code in (("ceiling", "above-ceiling"), ("owner_estimate", "above-estimate")):
        limit = contract.money(key)
        if limit is not None and value > limit:
            yield contract.finding(code, value=_shown(value), limit=_shown(limit))
    start, end = contract.fields.get("start_on"), contract.fields.get("end_on")
    if start is not None and end is not None and start > end:
        yield contract.finding("ends-before-start", start=start, end=end)


def _just_under(contract: _Contract, data: dict[str, Any]) -> list[Any]:
    """Return the limits that a direct contract lies just under."""
    value, band = contract.money("value") or Decimal(0), Decimal(data["band"])
    under = [row for row in _limits_of(contract, data["limits"]) if _is_under(value, row["limit"], band)]
    return [[row["limit"], row["law"], row["uncertain"]] for row in under]


def _is_under(value: Decimal, limit: str, band: Decimal) -> bool:
    highest = Decimal(limit)
    return value <= highest and value >= highest * band


def incomplete(ground: Ground) -> Iterator[Finding]:
    """What contracts leave out; a contract that was corrected is judged by its correction."""
    yield from ground.kept_of_acts("incomplete", _NOT_CORRECTED)


def values_at_odds(ground: Ground) -> Iterator[Finding]:
    """Values of contracts at odds with each other."""
    yield from ground.kept_of_acts("values-at-odds", _NOT_CORRECTED)


def just_under_limit(ground: Ground) -> Iterator[Finding]:
    """How many direct contracts lie just under the limit of direct procurement: a count, which says nothing of any of them."""
    band, found = Decimal(ground.data["direct_procurement"]["band"]), dict[tuple[Decimal, str, bool], list[str]]()
    direct = f"FROM findings f WHERE rule = 'direct' AND {_NOT_CORRECTED}"
    (count,) = ground.rows(f"SELECT count(*) {direct}")[0]
    for ref, body in ground.rows(f"SELECT scope, body {direct} AND body <> '[]' ORDER BY place"):
        for limit, law, uncertain in json.loads(body):
            found.setdefault((Decimal(limit), law, uncertain), []).append(ref)
    for (limit, law, uncertain), refs in sorted(found.items()):
        values: dict[str, object] = {"count": len(refs), "all": count, "law": law}
        values |= {"least": _shown(limit * band), "limit": _shown(limit)}
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
