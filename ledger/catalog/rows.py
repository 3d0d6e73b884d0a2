"""Rows of the catalogue: what lists, exports and feeds show of one act, and the texts under which it is found."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger.catalog.folding import amount_term, ref_term
from ledger.records.entry import local_date
from ledger.records.record import Record
from ledger.records.refs import format_ref

__all__ = ["Page", "Row", "amount_key", "lag_days", "row_of", "texts_of", "wholes_of"]

_NO_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Row:
    """One act as lists, exports and feeds show it.

    ``time`` is UTC, ``recorded_on`` the local date of it, ``lag_days`` lie between the date on the paper and that one.
    ``value`` is what the record states as its value, exactly; ``documents`` those whose bytes were published.
    """

    index: int
    time: str
    recorded_on: str
    id: str
    ref: str
    kind: str
    form: str
    office: str
    number: str | None
    title: str
    signed_on: str
    lag_days: int
    currency: str | None
    value: str | None
    supplier: str | None
    method: str | None
    documents: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page of hits. ``exact`` False: there are more than ``count``.

    ``facets`` holds values by facet, the most frequent first, at most a hundred and those that were chosen. A value's
    number is how many acts there are with it under all other facets of the filter (what is chosen in its own facet are
    alternatives to it); None where that was not counted.
    """

    rows: list[Row]
    count: int
    exact: bool
    facets: dict[str, list[tuple[str, int | None]]]


def row_of(record: Record, *, index: int, time: str, utc_offset: str) -> Row:
    """Return the row of the act at ``index``."""
    data, fields, recorded_on = record.data, record.data["fields"], _local_date(time, utc_offset)
    valued = "value" in fields and "currency" in fields
    return Row(
        index=index,
        time=time,
        recorded_on=recorded_on,
        id=record.id,
        ref=record.ref,
        kind=data["kind"],
        form=data["form"],
        office=data["office"],
        number=data["number"],
        title=data["title"],
        signed_on=data["signed_on"],
        lag_days=lag_days(data["signed_on"], recorded_on),
        currency=fields["currency"] if valued else None,
        value=fields["value"] if valued else None,
        supplier=fields.get("supplier", {}).get("name"),
        method=fields.get("method"),
        documents=len(record.documents),
    )


@functools.lru_cache(maxsize=64)
def _local_date(time: str, utc_offset: str) -> str:
    """Return a local date; acts of one batch have one time."""
    return local_date(time, utc_offset)


def lag_days(signed_on: str, recorded_on: str) -> int:
    """Return the days from the date on the paper to the date of recording."""
    return (datetime.date.fromisoformat(recorded_on) - datetime.date.fromisoformat(signed_on)).days


def amount_key(value: str | None) -> bytes | None:
    """Return 9 bytes that sort as the money ``value`` does.

    >>> amount_key("10.5") > amount_key("9.75")
    True
    """
    if value is None:
        return None
    whole, _, part = value.partition(".")
    return int(whole + part.ljust(2, "0")).to_bytes(9, "big")


def texts_of(record: Record, *, office: str, form: str) -> Iterator[str]:
    """Yield the texts under which an act is found; ``office`` and ``form`` are the names that the roster gives them."""
    data = record.data
    yield from (data["title"], office, form, data["office"], data["form"], record.ref, format_ref(record.ref))
    if data["number"] is not None:
        yield from (data["number"], "nomor", "no", "number")
    if data["fields"].get("currency") == "IDR":
        yield "Rp"
    for key in ("unnumbered_reason", "series", "signatories", "relations", "fields", "extra"):
        yield from _leaves(data.get(key))
    for document in data["documents"]:
        yield from (document[key] for key in ("name", "reason", "law") if key in document)


def wholes_of(record: Record) -> set[str]:
    """Return the terms of reference and value; a value with a broken part is also found without it."""
    found, value = {ref_term(record.ref)}, record.data["fields"].get("value")
    if value is not None:
        whole, _, part = value.partition(".")
        found |= {amount_term(whole), amount_term(whole, part)}
    return found


def _leaves(value: Any) -> Iterator[str]:
    """Yield the strings inside a value that are words for people: no dates, no hashes."""
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, str) and not _NO_TEXT.fullmatch(value):
        yield value
