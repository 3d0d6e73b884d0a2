"""``inbox.db`` and ``bening.toml``: what waits is what was submitted, and the settings are those of the entries."""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace

from ledger.errors import LedgerError
from ledger.publisher.fault import Fault
from ledger.publisher.fsckstore import check_schema
from ledger.publisher.home import Home
from ledger.publisher.schema import INBOX_VERSION, LEDGER_VERSION, open_checked
from ledger.records import canonical
from ledger.records.entry import parse_entry
from ledger.records.envelope import load_envelope
from ledger.tlog.merkle import leaf_hash

__all__ = ["check_inbox", "check_settings", "founded"]

_SETTINGS = {"format", "origin", "founding", "url", "log", "log.keys", "web", "operate"}
_REASON = {"code", "path", "values", "unknown"}
_STATES = ("pending", "integrated", "refused")
_LATEST = 253402300799  # 9999-12-31T23:59:59Z


def founded(home: Home) -> tuple[Home, list[Fault]]:
    """Return ``home`` as its first entry says it is, and where ``bening.toml`` says otherwise.

    Raises:
        LedgerError: entry 0 cannot be read, so that nothing can be compared.
    """
    with contextlib.closing(open_checked(home.ledger_db, LEDGER_VERSION, read_only=True)) as connection:
        row = connection.execute("SELECT data, leaf FROM entries WHERE idx = 0").fetchone()
    if row is None or leaf_hash(bytes(row[0])) != row[1]:  # then it is entry 0 that is damaged, and nothing can be told by it
        return home, []
    envelope = parse_entry(bytes(row[0])).envelope
    founding = canonical.parse(envelope.payload, limit=len(envelope.payload))["events"][0]
    true = {"origin": str(founding["origin"]), "founding": envelope.id}
    path = home.path / "bening.toml"
    wrong = [
        Fault("settings", {"path": str(path), "key": key, "found": getattr(home, key), "known": value})
        for key, value in true.items()
        if getattr(home, key) != value
    ]
    return replace(home, origin=true["origin"], founding=true["founding"]), wrong


def check_settings(home: Home) -> Iterator[Fault]:
    """Yield the keys of ``bening.toml`` that mean nothing: one that was meant is spelled otherwise."""
    path = home.path / "bening.toml"
    found = tomllib.loads(path.read_text("utf-8"))
    keys = {*found, *(f"log.{key}" for key in found.get("log", {}))}
    for key in sorted(keys - _SETTINGS):
        yield Fault("settings-key", {"path": str(path), "key": key})


def check_inbox(home: Home) -> Iterator[Fault]:
    """Yield the faults of what waits, and of what is kept of earlier submissions."""
    path = home.inbox_db
    with contextlib.closing(open_checked(path, INBOX_VERSION, read_only=True)) as connection:
        problem = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if problem != "ok":
            yield Fault("database", {"path": str(path), "problem": problem})
            return
        yield from check_schema(connection, path, "inbox")
        query = "SELECT n, id, time, envelope, state, reasons FROM submissions ORDER BY n"
        for row in connection.execute(query):
            problem = _row_problem(*row)
            if problem:
                yield Fault("submission", {"path": str(path), "n": row[0], "problem": problem})
        last = connection.execute("SELECT max(n), (SELECT seq FROM sqlite_sequence) FROM submissions").fetchone()
        if last[0] is not None and last[0] > (last[1] or 0):
            yield Fault("database", {"path": str(path), "problem": f"rows up to {last[0]}, counted {last[1]}"})


def _row_problem(n: int, act_id: str, time: int, data: bytes, state: str, reasons: str | None) -> str | None:
    """Return what is wrong with a row: its envelope reads and has its id; reasons stand beside a refusal and nowhere else."""
    try:
        envelope = load_envelope(bytes(data))
    except LedgerError as error:
        return f"envelope: {error}"
    if envelope.id != act_id:
        return f"the payload's id is {envelope.id[:16]}, not {act_id[:16]}"
    if state not in _STATES:  # SQLite does not hold CHECK constraints against rows where it opens a file for reading only
        return f"state {state!r}"
    if not 0 < time <= _LATEST:
        return f"time {time}"
    try:
        refused = json.loads(reasons or "[]")
        if any(one.keys() != _REASON for one in refused):
            return "reasons: other keys than they have"
    except (ValueError, TypeError, AttributeError) as error:
        return f"reasons: {error!r}"
    return None if bool(refused) == (state == "refused") else f"{state} with {len(refused)} reasons"
