"""Rows of the catalogue as the API, exports and feeds show them, and the published size that the catalogue covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import request

from ledger.catalog.catalog import Row
from ledger.catalog.filters import Filter
from ledger.errors import StoreError
from ledger.publisher.store import Head
from ledger.records.roster import Roster
from web.site import Reading

__all__ = ["Names", "Snapshot", "filter_json", "query_of", "row_json", "site_url", "snapshot_of"]


@dataclass(frozen=True, slots=True)
class Names:
    """The names that the roster gives to offices and forms."""

    roster: Roster

    def office(self, key: str) -> str:
        """Return an office's name; its id where the roster has none."""
        return str(self.roster.offices[key]["name"]) if key in self.roster.offices else key

    def form(self, key: str) -> str:
        """Return a form's name; its id where the roster has none."""
        return str(self.roster.forms[key]["name"]) if key in self.roster.forms else key


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest published head that the catalogue covers whole, and its signed note."""

    origin: str
    head: Head
    note: bytes

    @property
    def size(self) -> int:
        """How many entries belong to it."""
        return self.head.size


def snapshot_of(reading: Reading) -> Snapshot:
    """Return the newest checkpoint below which the catalogue is complete: what a list is complete up to.

    Raises:
        StoreError: ``catalogue-behind``: it is just being made.
    """
    covered = min(reading.size, reading.catalog.size)
    query = "SELECT coalesce(max(size), 0) FROM published WHERE size <= ?"
    size = int(reading.store.connection.execute(query, (covered,)).fetchone()[0])
    head = reading.store.head_at(size)
    if head is None:
        raise StoreError("the catalogue covers nothing yet", code="catalogue-behind", retry_after=5)
    return Snapshot(reading.home.origin, head, reading.store.checkpoint_note(size))


def row_json(row: Row, names: Names) -> dict[str, Any]:
    """Return an act as lists show it."""
    return {
        "index": row.index,
        "time": row.time,
        "recorded_on": row.recorded_on,
        "lag_days": row.lag_days,
        "id": row.id,
        "ref": row.ref,
        "kind": row.kind,
        "form": row.form,
        "form_name": names.form(row.form),
        "office": row.office,
        "office_name": names.office(row.office),
        "number": row.number,
        "title": row.title,
        "signed_on": row.signed_on,
        "currency": row.currency,
        "value": row.value,
        "supplier": row.supplier,
        "method": row.method,
        "documents": row.documents,
        "record_url": f"/api/v1/records/{row.index}",
        "page_url": f"/records/{row.index}",
    }


def filter_json(wanted: Filter) -> dict[str, Any]:
    """Return a filter as JSON: what it holds, and no more."""
    found: dict[str, Any] = {"q": wanted.q} if wanted.q else {}
    for name in ("form", "kind", "office", "year", "supplier", "method"):
        if getattr(wanted, name):
            found[name] = list(getattr(wanted, name))
    found |= {name: getattr(wanted, name) for name in ("since", "until") if getattr(wanted, name)}
    return found | {"sort": wanted.sort}


def query_of(wanted: Filter) -> str:
    """Return a filter as the query of an address, empty where everything is wanted."""
    return urlencode(wanted.pairs())


def site_url(reading: Reading) -> str:
    """Return the address of this site without its last slash: the configured one, else the one that was asked."""
    return (reading.home.url or request.host_url).rstrip("/")
