"""Roster events from a file or from one command, as payloads that the authority signs.

    [[office]]                      [[enrol]]
    id = "bag-hukum"                pub = "legal-head.pub"       # beside this file
    name = "Bagian Hukum"           holder = "Kepala Bagian Hukum"
                                    position = "Kepala Bagian Hukum"
                                    offices = ["bag-hukum"]
                                    kinds = ["decision"]
                                    from = "2026-01-01"

Each table is one event with the event's own keys; ``pub`` names the key file in place of ``key``. Events are written in
an order in which each finds what it needs: offices (parents first), forms, enrolments, and the rest as they stand.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ledger.errors import AdmissionError, UsageError
from ledger.keyfile import load_public
from ledger.records import canonical
from ledger.records.envelope import Envelope
from ledger.records.events import EVENTS, ROSTER_TYPE, check_payload
from ledger.records.roster import Roster

__all__ = ["draft_payloads", "read_events"]

_ORDER = ("office", "form", "enrol", "rule", "series", "duty", "retire", "revoke", "reaffirm", "withdraw", "authority", "log_key")
_MOST_NEW_KEYS = 8
_MOST_BYTES = 24 * 1024


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return the events that a roster file holds.

    Raises:
        UsageError: it cannot be read, or has a table that is no event.
        KeyFileError: a named public key cannot be read.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error)) from None
    unknown = [name for name in tables if name not in _ORDER or type(tables[name]) is not list]
    if unknown:
        raise UsageError(f"{path}: {unknown}", code="roster-file-table", path=str(path), table=unknown[0])
    return [
        _event(name, table, path.parent) for name in _ORDER for table in _in_order(name, tables.get(name, []))
    ]


def draft_payloads(roster: Roster, events: Sequence[dict[str, Any]]) -> list[Envelope]:
    """Return unsigned envelopes that continue ``roster``, as few as the limits on size and signatures allow.

    Raises:
        AdmissionError: an event is not in its shape.
    """
    envelopes: list[Envelope] = []
    prev, n = roster.hash, roster.n + 1
    for group in _groups(events):
        data = {"v": 1, "founding": roster.founding, "n": n, "prev_roster": prev, "events": group}
        reasons = list(check_payload(data))
        if reasons:
            raise AdmissionError(reasons)
        envelopes.append(Envelope(ROSTER_TYPE, canonical.dump(data), ()))
        prev, n = envelopes[-1].id, n + 1
    return envelopes


def _groups(events: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for event in events:
        wider = [*group, event]
        new_keys = sum(one["event"] == "enrol" for one in wider)
        if group and (new_keys > _MOST_NEW_KEYS or len(canonical.dump(wider)) > _MOST_BYTES or len(wider) > 200):
            yield group
            wider = [event]
        group = wider
    if group:
        yield group


def _in_order(name: str, tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Offices with their parents before them; everything else as it stands."""
    if name != "office":
        return tables
    ids = {table.get("id") for table in tables}
    placed: list[dict[str, Any]] = []
    waiting = list(tables)
    while waiting:
        known = {table.get("id") for table in placed}
        ready = [table for table in waiting if table.get("parent") not in ids - known]
        if not ready:
            return placed + waiting
        placed += ready
        waiting = [table for table in waiting if table not in ready]
    return placed


def _event(name: str, table: dict[str, Any], folder: Path) -> dict[str, Any]:
    event: dict[str, Any] = {"event": name, **{key: _plain(value) for key, value in table.items()}}
    if "pub" in event:
        event["key"] = load_public(folder / event.pop("pub")).spki_base64()
    if "pubs" in event:
        event["keys"] = [load_public(folder / one).spki_base64() for one in event.pop("pubs")]
    if name in EVENTS and name in ("retire", "revoke") and str(event.get("key", "")).endswith(".pub"):
        event["key"] = load_public(folder / event["key"]).keyid
    return event


def _plain(value: Any) -> Any:
    """TOML dates as text; everything else as it is."""
    return value.isoformat() if isinstance(value, datetime.date) else value
