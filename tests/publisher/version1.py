"""Homes as the first version of ``ledger.db`` had them: its schema, kept as it was, and its derived rows by its own code."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ledger.publisher.home import Home
from ledger.records.entry import parse_entry
from ledger.records.numbers import number_hash
from ledger.records.record import RECORD_TYPE, Record, parse_record
from ledger.records.replay import Act, act_of
from ledger.sqlite import connect

__all__ = ["KEPT", "turn_back"]

SCHEMA = (Path(__file__).parent / "version1.sql").read_text("utf-8")
KEPT = ("meta", "entries", "rosters", "heads", "frontiers", "signatures", "published", "notes")


def turn_back(home: Home) -> Path:
    """Replace the ``ledger.db`` of ``home`` by one of version 1 that holds the same entries, and return its path."""
    old = home.ledger_db.with_name("version1.db")
    made = connect(old)
    made.execute("PRAGMA page_size = 8192")
    made.execute("PRAGMA journal_mode = WAL")
    made.executescript(SCHEMA)
    made.execute("ATTACH ? AS today", (str(home.ledger_db),))
    made.execute("BEGIN")
    for table in KEPT:
        names = ", ".join(row[1] for row in made.execute(f"PRAGMA table_info({table})"))
        made.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM today.{table} ORDER BY rowid")
    for index, data in made.execute("SELECT idx, data FROM main.entries ORDER BY idx").fetchall():
        entry = parse_entry(bytes(data))
        if entry.envelope.payload_type == RECORD_TYPE:
            _add(made, parse_record(entry.envelope.payload), index, entry.time)
    made.execute("COMMIT")
    made.execute("PRAGMA user_version = 1")
    made.execute("DETACH today")
    made.close()
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            home.ledger_db.with_name(f"ledger.db{suffix}").unlink()
    return old.rename(home.ledger_db)


def _add(made: Any, record: Record, index: int, time: str) -> None:
    """Add an act to the derived tables, as version 1 did."""
    act, data = act_of(record, index=index, time=time), record.data
    row = {
        **{name: getattr(act, name) for name in Act.__slots__},
        "signers": " ".join(act.signers),
        "relations": " ".join(f"{kind}={target}" for kind, target in act.relations),
        "folded": act.number_key[2] if act.number_key else None,
        "year": act.signed_on[:4],
        "series": data.get("series"),
        "serial": data.get("serial"),
        "body": record.payload.decode("utf-8"),
    }
    row["idx"] = row.pop("index")
    columns = {one[1] for one in made.execute("PRAGMA table_info(acts)")}
    row = {name: value for name, value in row.items() if name in columns}
    made.execute(f"INSERT INTO acts ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    made.executemany("INSERT INTO relations VALUES (?, ?, ?)", [(index, kind, target) for kind, target in act.relations])
    made.executemany("INSERT INTO documents VALUES (?, ?, ?)", [(one["sha256"], index, one["size"]) for one in record.documents])
    made.executemany("INSERT OR IGNORE INTO lookups VALUES (?, ?, ?, ?)", [(*one, index) for one in _look_up_values(record)])


def _look_up_values(record: Record) -> list[tuple[str, str, str]]:
    found = [("sha256", one["sha256"][:3], one["sha256"]) for one in record.documents]
    found += [("ref", ref[:2], ref) for ref in {record.ref, *(one["ref"] for one in record.relations if "ref" in one)}]
    if record.data["number"] is not None:
        value = number_hash(record.data["number"])
        found.append(("number", value[:3], value))
    return found
