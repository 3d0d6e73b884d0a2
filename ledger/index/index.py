"""Acts found again: by reference, id, number, document and relation, and in their look-up buckets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.index.rows import Rows, key_of, keys_of, range_of
from ledger.records.numbers import fold_number, folded_hash, number_hash
from ledger.records.record import Record
from ledger.records.replay import Act, Acts, NumberKey, act_of

__all__ = ["Index", "KnownActs", "Void"]

_ALL = 2**62
_COLUMNS = "idx, time, id, ref, kind, form, office, number, title, signed_on, signers, relations"
_CANDIDATES = "(SELECT idx FROM keys WHERE key = ?1 UNION ALL SELECT idx FROM keys_new WHERE key = ?1)"
_CARRIED = "EXISTS (SELECT 1 FROM {} WHERE key = value)"
_RANGE = "(SELECT idx FROM keys WHERE key >= ?1 AND key < ?2 UNION SELECT idx FROM keys_new WHERE key >= ?1 AND key < ?2)"
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
        act, rows = act_of(record, index=index, time=time), Rows()
        rows.add(record, act, keys_of(record))
        rows.write(self.connection)
        return act

    def add_id(self, entry_id: str, index: int) -> None:
        """Add an entry that is no act: it is found by its id only."""
        rows = Rows()
        rows.add_id(entry_id, index)
        rows.write(self.connection)

    def by_ref(self, ref: str) -> Act | None:
        """Return the act that carries ``ref``."""
        found = self._under("ref", ref, "ref = ?2", ref)
        return found[0] if found else None

    def by_id(self, act_id: str) -> Act | None:
        """Return the act of that id."""
        found = self._under("id", act_id, "id = ?2", act_id)
        return found[0] if found else None

    def by_index(self, index: int) -> Act | None:
        """Return the act at ``index``."""
        found = self._many("WHERE idx = ?", (index,))
        return found[0] if found else None

    def by_number(self, key: NumberKey) -> Sequence[Act]:
        """Return the acts under one number key, oldest first."""
        where = "form = ?2 AND office = ?3 AND folded = ?4 AND year = ?5"
        return self._under("number", folded_hash(key[2]), where, *key)

    def by_office_number(self, office: str, number: str) -> Sequence[Act]:
        """Return the acts of an office under a number, whatever their form and year, oldest first."""
        return self._under("number", number_hash(number), "office = ?2 AND folded = ?3", office, fold_number(number))

    def by_number_alone(self, number: str) -> Sequence[Act]:
        """Return the acts under a number in any spelling, whatever their office, form and year, oldest first."""
        return self._under("number", number_hash(number), "folded = ?2", fold_number(number))

    def body(self, ref: str) -> dict[str, Any] | None:
        """Return the whole record that carries ``ref``."""
        act = self.by_ref(ref)
        if act is None:
            return None
        row = self.connection.execute("SELECT body FROM acts WHERE idx = ?", (act.index,)).fetchone()
        return dict(json.loads(row[0]))

    def by_document(self, sha256: str) -> Sequence[Act]:
        """Return the acts that name a document, oldest first."""
        where = "EXISTS (SELECT 1 FROM documents d WHERE d.idx = acts.idx AND d.sha256 = ?2)"
        return self._under("sha256", sha256, where, sha256)

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
        """Return the lines of one look-up bucket (``sha256``, ``ref`` or ``number``): (value, index), by index."""
        query = {
            "sha256": f"SELECT sha256, idx FROM documents WHERE idx IN {_RANGE} AND sha256 >= ?3 AND sha256 < ?4",
            "ref": f"SELECT ref, idx FROM acts WHERE idx IN {_RANGE} AND ref >= ?3 AND ref < ?4 "
            "UNION SELECT target, idx FROM relations WHERE target >= ?3 AND target < ?4",
            "number": f"SELECT number, idx FROM acts WHERE idx IN {_RANGE} AND number IS NOT NULL",
        }[kind]
        beyond = f"{prefix}~"
        limits = (prefix, beyond) if kind != "number" else ()
        rows = self.connection.execute(query, (*range_of(kind, prefix), *limits)).fetchall()
        if kind == "number":
            rows = [(value, index) for number, index in rows if (value := number_hash(number)).startswith(prefix)]
        return sorted(rows, key=lambda row: (row[1], row[0]))

    def buckets(self, start: int, end: int) -> list[tuple[str, str]]:
        """Return the (kind, prefix) of the buckets that entries ``start … end-1`` stand in."""
        found = set()
        within = "FROM acts WHERE idx >= ? AND idx < ?"
        for ref, number, relations in self.connection.execute(f"SELECT ref, number, relations {within}", (start, end)):
            found |= {("ref", ref[:2]), *(("ref", one.partition("=")[2][:2]) for one in relations.split())}
            if number is not None:
                found.add(("number", number_hash(number)[:3]))
        query = "SELECT DISTINCT substr(sha256, 1, 3) FROM documents WHERE idx >= ? AND idx < ?"
        found |= {("sha256", prefix) for (prefix,) in self.connection.execute(query, (start, end))}
        return sorted(found)

    def places(self, kind: str, value: str) -> list[int]:
        """Return where entries may stand under a value: hints, to be compared whole."""
        try:
            key = key_of(kind, value)
        except ValueError:
            return []
        return [index for (index,) in self.connection.execute(_CANDIDATES[1:-1], (key,)).fetchall()]

    def naming(self, ref: str) -> list[int]:
        """Return where the acts stand that name ``ref``, in order."""
        rows = self.connection.execute("SELECT DISTINCT idx FROM relations WHERE target = ? ORDER BY idx", (ref,))
        return [index for (index,) in rows.fetchall()]

    def under_one_key(self, kind: str) -> list[int]:
        """Return where entries stand that share a key of a kind with others: hints, to be compared whole."""
        first, behind = range_of(kind, "")
        places = []
        for one, other in (("keys", "keys"), ("keys_new", "keys_new"), ("keys", "keys_new"), ("keys_new", "keys")):
            query = f"""
                SELECT a.idx FROM {one} a WHERE a.key >= ? AND a.key < ?
                AND EXISTS (SELECT 1 FROM {other} b WHERE b.key = a.key AND b.idx <> a.idx)
            """
            places += [index for (index,) in self.connection.execute(query, (first, behind))]
        return sorted(set(places))

    def known(self, keys: Sequence[int]) -> set[int]:
        """Return those of ``keys`` that some entry carries."""
        query = f"SELECT value FROM json_each(?1) WHERE {' OR '.join(map(_CARRIED.format, ('keys', 'keys_new')))}"
        return {key for (key,) in self.connection.execute(query, (f"[{','.join(map(str, sorted(keys)))}]",))}

    def _under(self, kind: str, value: str, where: str, *values: object) -> list[Act]:
        """Return the acts to which a key leads and of which ``where`` is true, oldest first."""
        try:
            key = key_of(kind, value)
        except ValueError:
            return []
        return self._many(f"WHERE idx IN {_CANDIDATES} AND {where} ORDER BY idx", (key, *values))

    def _many(self, where: str, values: Sequence[object]) -> list[Act]:
        rows = self.connection.execute(f"SELECT {_COLUMNS} FROM acts {where}", values).fetchall()
        return [_act(row) for row in rows]


def _act(row: Sequence[Any]) -> Act:
    index, time, act_id, ref, kind, form, office, number, title, signed_on, signers, relations = row
    pairs = tuple((kind, target) for kind, _, target in (one.partition("=") for one in relations.split()))
    return Act(index, time, act_id, ref, kind, form, office, number, title, signed_on, tuple(signers.split()), pairs)
