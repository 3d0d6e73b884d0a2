"""Feeds the catalogue from published entries."""

from __future__ import annotations

import datetime
import sys
from typing import Any

from ledger.catalog.catalog import Catalog, Row
from ledger.publisher.home import Home
from ledger.publisher.store import Store
from ledger.records.entry import local_date, parse_entry
from ledger.records.record import RECORD_TYPE, Record, parse_record

__all__ = ["keep_catalogue", "update_catalogue"]

_BATCH = 1000


def keep_catalogue(home: Home) -> None:
    """Bring the catalogue up to date if that can be done; a fault of a derived index never stops publishing."""
    try:
        update_catalogue(home)
    except Exception as error:  # noqa: BLE001  # whatever it is, the next batch tries again
        print(f"catalogue: {error}", file=sys.stderr)  # noqa: T201


def update_catalogue(home: Home) -> int:
    """Bring the catalogue to the published size, and return it."""
    catalog = Catalog(home.search_db)
    with Store(home, read_only=True) as store:
        size, offset = store.published_size(), store.roster().utc_offset
        for start in range(catalog.size, size, _BATCH):
            rows = []
            for index, data in enumerate(store.entries(start, min(size, start + _BATCH)), start):
                entry = parse_entry(data)
                if entry.envelope.payload_type == RECORD_TYPE:
                    record = parse_record(entry.envelope.payload)
                    rows.append((_row(index, entry.time, record, offset), _words(record.data), ""))
            catalog.add(rows, min(size, start + _BATCH))
    catalog.connection.close()
    return size


def _row(index: int, time: str, record: Record, offset: str) -> Row:
    data, fields, on = record.data, record.data["fields"], local_date(time, offset)
    lag = (datetime.date.fromisoformat(on) - datetime.date.fromisoformat(data["signed_on"])).days
    return Row(
        index=index, time=time, recorded_on=on, id=record.id, ref=record.ref, kind=data["kind"], form=data["form"],
        office=data["office"], number=data["number"], title=data["title"], signed_on=data["signed_on"], lag_days=lag,
        currency=fields.get("currency"), value=fields.get("value"), supplier=fields.get("supplier", {}).get("name"),
        method=fields.get("method"), documents=len(record.documents),
    )  # fmt: skip


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(_words(one) for one in value.values())
    if isinstance(value, list):
        return " ".join(_words(one) for one in value)
    return str(value)
