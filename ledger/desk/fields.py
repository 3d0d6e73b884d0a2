"""Facts about an act as a person types them, given the type that the table of kinds asks for.

    value=Rp 1.234.567,50   supplier.name=CV Contoh   plan_codes=541 plan_codes=542   changes=[{"field": …}]

The table (``records/kinds``) is asked, never copied: a value is tried as text, integer, JSON, amount, date and list, and
the first that the table accepts is taken. Types do not overlap there, so the order decides nothing. What fits nowhere
stays as typed, and the record's own check says why it is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from ledger.desk.spellings import parse_date, parse_money
from ledger.errors import FormatError, UsageError
from ledger.records.kinds import FIELDS

__all__ = ["coerce", "parse_assignments", "put", "take_parts"]

_INTEGER = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def parse_assignments(texts: Iterable[str]) -> dict[str, list[str]]:
    """Return ``key=value`` texts as values by key, repeated keys in their order.

    Raises:
        UsageError: one has no ``=`` or no key.
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise UsageError(f"{text!r} is not key=value", code="not-key-value", value=text)
        found.setdefault(key, []).append(value)
    return found


def take_parts(text: str, known: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the head of ``head;key=value;…`` and its parts; only ``known`` keys are.

    Raises:
        UsageError: another key, or a part that is no key=value.
    """
    head, *rest = text.split(";")
    parts: dict[str, str] = {}
    for one in rest:
        key, sign, value = one.partition("=")
        if not sign or key not in known:
            raise UsageError(f"{one!r}: one of {known}", code="bad-part", value=one, known=", ".join(known))
        parts[key] = value
    return head, parts


def coerce(kind: str, path: str, values: Sequence[Any], *, spoken: bool) -> Any:
    """Return ``values`` (one, or several for a list) as the table of ``kind`` wants them at ``path`` below ``fields``.

    ``spoken``: texts may be JSON, or amounts and dates in Indonesian spelling, as a person types them.
    """
    for candidate in _candidates(values, spoken):
        if kind in FIELDS and _fits(kind, path, candidate):
            return candidate
    return values[0] if len(values) == 1 else list(values)


def put(target: dict[str, Any], path: str, value: Any) -> None:
    """Set ``value`` in nested objects at a dotted ``path``.

    Raises:
        UsageError: the path leads through something that is no object.
    """
    *outer, last = path.split(".")
    for key in outer:
        inner = target.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{path}: {key} is no object", code="bad-path", value=path)
        target = inner
    target[last] = value


def _fits(kind: str, path: str, candidate: Any) -> bool:
    tried: dict[str, Any] = {}
    put(tried, path, candidate)
    where = f"fields.{path}"
    return not any(
        reason.path == where or reason.path.startswith((f"{where}.", f"{where}[")) for reason in FIELDS[kind](tried, "fields")
    )


def _candidates(values: Sequence[Any], spoken: bool) -> Iterator[Any]:
    singles = [list(_readings(value, spoken)) for value in values]
    if len(values) == 1:
        yield from singles[0]
    for place in range(max(len(one) for one in singles)):
        yield [one[min(place, len(one) - 1)] for one in singles]


def _readings(value: Any, spoken: bool) -> Iterator[Any]:
    """Yield ``value`` as it is, then as other types; always in the same order, so that lists keep one type."""
    if isinstance(value, Decimal) or (type(value) is int):
        yield value if type(value) is int else format(value, "f")
        yield format(value, "f") if isinstance(value, Decimal) else str(value)
        return
    yield value
    if not isinstance(value, str):
        return
    yield int(value) if _INTEGER.fullmatch(value) else value
    if spoken:
        yield _json(value)
        for read in (parse_money, parse_date):
            try:
                yield read(value)
            except FormatError:
                yield value


def _json(text: str) -> Any:
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
