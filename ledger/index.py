"""The index of acts: derived from the entries, in SQLite, made again whenever it is in doubt.

The publisher keeps it beside its entries (in the same transaction), an audit keeps it in its state folder, and ``fsck``
builds a fresh one in memory. It holds no truth of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.records.numbers import fold_number, number_hash
from ledger.records.record import Record
from ledger.records.replay import Act, Acts, NumberKey, act_of

__all__ = ["SCHEMA", "Index", "KnownActs", "Void", "look_up_values"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS acts (
  idx INTEGER PRIMARY KEY, time TEXT NOT NULL, id TEXT NOT NULL UNIQUE, ref TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  form TEXT NOT NULL, office TEXT NOT NULL, number TEXT, folded TEXT, year TEXT NOT NULL, title TEXT NOT NULL,
  signed_on TEXT NOT NULL, signers TEXT NOT NULL, relations TEXT NOT NULL,
  series TEXT, serial INTEGER, body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS acts_number ON acts (form, office, folded, year) WHERE folded IS NOT NULL;
CREATE INDEX IF NOT EXISTS acts_series ON acts (series, serial, signed_on) WHERE series IS NOT NULL;
CREATE INDEX IF NOT EXISTS acts_void ON acts (idx) WHERE kind = 'void';
CREATE TABLE IF NOT EXISTS relations (
  idx INTEGER NOT NULL, type TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (target, idx, type)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
  sha256 TEXT NOT NULL, idx INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (sha256, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lookups (
  kind TEXT NOT NULL, prefix TEXT NOT NULL, value TEXT NOT NULL, idx INTEGER NOT NULL,
  PRIMARY KEY (kind, prefix, idx, value)
) STRICT, WITHOUT ROWID;
"""

_ALL = 2**62
_COLUMNS = "idx, time, id, ref, kind, form, office, number, title, signed_on, signers, relations"


@dataclass(frozen=True, slots=True)
class Void:
    """What explains serials of a number book: an act of the kind ``void``, at ``index``."""

    index: int
    ref: str
    signed_on: str
    serials: tuple[int, ...]
    reason: str
    law: str | None


class KnownActs(Acts, Protocol):
    """The acts recorded so far, as drafting asks for them: the ``Index`` of a ledger here, or a site that is asked."""

    def by_id(self, act_id: str) -> Act | None:
        """Return the act of that id."""

    def by_office_number(self, office: str, number: str) -> Sequence[Act]:
        """Return the acts of an office under a number, whatever their form and year, oldest first."""

    def by_document(self, sha256: str) -> Sequence[Act]:
        """Return the acts that name a document, oldest first."""

    def body(self, ref: str) -> dict[str, Any] | None:
        """Return the whole record that carries ``ref``."""


class Index:
    """Acts by reference, id, number and relation, on one SQLite connection; implements ``replay.Acts``."""

    def __init__(self, connection: Any) -> None:
        """``connection`` is a DB-API connection of SQLite on which ``SCHEMA`` has been executed."""
        self.connection = connection

    def add(self, record: Record, *, index: int, time: str) -> Act:
        """Add the act at ``index``."""
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
        names = ", ".join(row)
        self.connection.execute(f"INSERT INTO acts ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
        self.connection.executemany(
            "INSERT INTO relations VALUES (?, ?, ?)", [(index, kind, target) for kind, target in act.relations]
        )
        self.connection.executemany(
            "INSERT INTO documents VALUES (?, ?, ?)", [(one["sha256"], index, one["size"]) for one in record.documents]
        )
        self.connection.executemany(
            "INSERT OR IGNORE INTO lookups VALUES (?, ?, ?, ?)",
            [(kind, prefix, value, index) for kind, prefix, value in look_up_values(record)],
        )
        return act

    def by_ref(self, ref: str) -> Act | None:
        """Return the act that carries ``ref``."""
        return self._one("WHERE ref = ?", (ref,))

    def by_id(self, act_id: str) -> Act | None:
        """Return the act of that id."""
        return self._one("WHERE id = ?", (act_id,))

    def by_index(self, index: int) -> Act | None:
        """Return the act at ``index``."""
        return self._one("WHERE idx = ?", (index,))

    def by_number(self, key: NumberKey) -> Sequence[Act]:
        """Return the acts under one number key, oldest first."""
        return self._many("WHERE form = ? AND office = ? AND folded = ? AND year = ? ORDER BY idx", key)

    def by_office_number(self, office: str, number: str) -> Sequence[Act]:
        """Return the acts of an office under a number, whatever their form and year, oldest first."""
        return self._many("WHERE office = ? AND folded = ? ORDER BY idx", (office, fold_number(number)))

    def body(self, ref: str) -> dict[str, Any] | None:
        """Return the whole record that carries ``ref``."""
        row = self.connection.execute("SELECT body FROM acts WHERE ref = ?", (ref,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def by_document(self, sha256: str) -> Sequence[Act]:
        """Return the acts that name a document, oldest first."""
        return self._many("WHERE idx IN (SELECT idx FROM documents WHERE sha256 = ?) ORDER BY idx", (sha256,))

    def relating_to(self, ref: str) -> Sequence[tuple[str, Act]]:
        """Return (relation type, act) of each act that names ``ref``, oldest first."""
        rows = self.connection.execute(
            f"SELECT type, {', '.join('a.' + name for name in _COLUMNS.split(', '))} "
            "FROM relations r JOIN acts a ON a.idx = r.idx WHERE target = ? ORDER BY a.idx, type",
            (ref,),
        )
        return [(row[0], _act(row[1:])) for row in rows.fetchall()]

    def serials(self, series: str, size: int = _ALL) -> list[tuple[int, str]]:
        """Return (serial, date of the paper) of a number book's acts among the first ``size`` entries, by serial."""
        query = "SELECT serial, signed_on FROM acts WHERE series = ? AND idx < ? ORDER BY serial, signed_on"
        return [(serial, signed_on) for serial, signed_on in self.connection.execute(query, (series, size)).fetchall()]

    def voids(self, series: str, size: int = _ALL) -> list[Void]:
        """Return what explains serials of a number book among the first ``size`` entries; not what was annulled or replaced."""
        query = """
            SELECT idx, ref, signed_on, json_extract(body, '$.fields.serials'), json_extract(body, '$.fields.reason'),
                   json_extract(body, '$.fields.law')
            FROM acts WHERE kind = 'void' AND idx < ?2 AND json_extract(body, '$.fields.series') = ?1 AND ref NOT IN (
              SELECT target FROM relations WHERE type IN ('annuls', 'corrects') AND idx < ?2)
            ORDER BY idx
        """
        rows = self.connection.execute(query, (series, size)).fetchall()
        return [Void(index, ref, day, tuple(json.loads(serials)), reason, law) for index, ref, day, serials, reason, law in rows]

    def all(self) -> Iterable[Act]:
        """Yield every act, oldest first."""
        for row in self.connection.execute(f"SELECT {_COLUMNS} FROM acts ORDER BY idx"):
            yield _act(row)

    def bucket(self, kind: str, prefix: str) -> list[tuple[str, int]]:
        """Return the lines of one look-up bucket: (value, index), by index."""
        rows = self.connection.execute(
            "SELECT value, idx FROM lookups WHERE kind = ? AND prefix = ? ORDER BY idx, value", (kind, prefix)
        )
        return [(value, index) for value, index in rows.fetchall()]

    def buckets(self, start: int, end: int) -> list[tuple[str, str]]:
        """Return the (kind, prefix) of the buckets that entries ``start … end-1`` stand in."""
        rows = self.connection.execute(
            "SELECT DISTINCT kind, prefix FROM lookups WHERE idx >= ? AND idx < ? ORDER BY kind, prefix", (start, end)
        )
        return [(kind, prefix) for kind, prefix in rows.fetchall()]

    def _one(self, where: str, values: Sequence[object]) -> Act | None:
        found = self._many(where, values)
        return found[0] if found else None

    def _many(self, where: str, values: Sequence[object]) -> list[Act]:
        rows = self.connection.execute(f"SELECT {_COLUMNS} FROM acts {where}", values).fetchall()
        return [_act(row) for row in rows]


def _act(row: Sequence[Any]) -> Act:
    fields = dict(zip(Act.__slots__, row, strict=False))
    fields["signers"] = tuple(row[10].split())
    fields["relations"] = tuple((kind, target) for kind, _, target in (one.partition("=") for one in row[11].split()))
    return Act(**fields)


def look_up_values(record: Record) -> list[tuple[str, str, str]]:
    """Return (kind, prefix, value) for each look-up bucket that ``record`` stands in.

    An act stands in the ``ref`` bucket of its own reference and of each act that it names, so that whoever holds an act
    can ask what became of it.
    """
    found = [("sha256", one["sha256"][:3], one["sha256"]) for one in record.documents]
    found += [("ref", ref[:2], ref) for ref in {record.ref, *(one["ref"] for one in record.relations if "ref" in one)}]
    if record.data["number"] is not None:
        value = number_hash(record.data["number"])
        found.append(("number", value[:3], value))
    return found
