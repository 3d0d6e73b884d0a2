"""The tables of the index, and the rows by which an act goes into them.

    acts, documents, relations   what each act says, in the order of the entries
    keys, keys_new               where an act may stand under its id, reference, number or a document: 60 bits of the value

Random keys are what makes a large database slow: each insert touches another page. So a key is one small integer, new ones
are gathered in ``keys_new``, and every ``MERGE_EVERY`` entries they are merged, sorted, into ``keys``. A key is a hint:
what it leads to is compared whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from ledger.records.numbers import fold_number, folded_hash
from ledger.records.record import Record
from ledger.records.replay import Act

__all__ = ["MERGE_EVERY", "SCHEMA", "TABLES", "Rows", "act_row", "key_of", "keys_of", "look_up_values", "packed", "range_of"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS acts (
  idx INTEGER PRIMARY KEY, time TEXT NOT NULL, id TEXT NOT NULL, ref TEXT NOT NULL, kind TEXT NOT NULL,
  form TEXT NOT NULL, office TEXT NOT NULL, number TEXT, folded TEXT, year TEXT NOT NULL, title TEXT NOT NULL,
  signed_on TEXT NOT NULL, signers TEXT NOT NULL, relations TEXT NOT NULL,
  series TEXT, serial INTEGER, body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS acts_series ON acts (series, serial, signed_on) WHERE series IS NOT NULL;
CREATE INDEX IF NOT EXISTS acts_void ON acts (idx) WHERE kind = 'void';
CREATE TABLE IF NOT EXISTS relations (
  idx INTEGER NOT NULL, type TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (target, idx, type)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
  idx INTEGER NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (idx, sha256)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (key INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (key, idx)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys_new (key INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (key, idx)) STRICT, WITHOUT ROWID;
"""
TABLES = {
    "acts": "SELECT * FROM acts ORDER BY idx",
    "relations": "SELECT * FROM relations ORDER BY target, idx, type",
    "documents": "SELECT * FROM documents ORDER BY idx, sha256",
    "keys": "SELECT key, idx FROM keys UNION ALL SELECT key, idx FROM keys_new ORDER BY 1, 2",
}
MERGE_EVERY = 50_000

_KEPT_WHOLE = ("contract", "void")  # kinds of whose fields something is asked later

_KINDS = {"id": 0, "ref": 1, "number": 2, "sha256": 3}
_BITS = 60
_PLACES = 32
_PLACE = (1 << _PLACES) - 1
_DIGITS = bytes.maketrans(b"ABCDEFGHJKMNPQRSTVWXYZ", b"abcdefghijklmnopqrstuv")  # Crockford's base32, as int() reads base 32


def key_of(kind: str, value: str) -> int:
    """Return the key of a value: ``id``, ``number`` and ``sha256`` are hex SHA-256, ``ref`` a reference.

    Keys keep the order of the values, so that all values with one beginning are one range of keys.

    Raises:
        ValueError: nothing of that kind can have such a value.
    """
    return _KINDS[kind] << _BITS | (_bits_of_ref(value) if kind == "ref" else int(value[:15], 16))


def _bits_of_ref(ref: str) -> int:
    return int(ref[:11].encode("ascii").translate(_DIGITS), 32) << 5


def range_of(kind: str, prefix: str) -> tuple[int, int]:
    """Return the first key of the values that begin with ``prefix``, and the first behind them."""
    each = 5 if kind == "ref" else 4
    first = int(prefix.encode("ascii").translate(_DIGITS), 1 << each) if prefix else 0
    shift, base = _BITS - each * len(prefix), _KINDS[kind] << _BITS
    return base + (first << shift), base + (first + 1 << shift)


def keys_of(record: Record) -> list[int]:
    """Return the keys under which an act is found; that of its id first, of its reference next."""
    data, number = record.data, record.data["number"]
    keys = [int(record.id[:15], 16), 1 << _BITS | _bits_of_ref(data["ref"])]  # as ``key_of``, without a call for each
    if number is not None:
        keys.append(2 << _BITS | int(folded_hash(fold_number(number))[:15], 16))
    return keys + [3 << _BITS | int(one["sha256"][:15], 16) for one in data["documents"] if "sha256" in one]


def packed(keys: Sequence[int], index: int) -> list[int]:
    """Return what ``Rows.keys`` holds for an entry at ``index``: each key, once, with the place in its lowest 32 bits."""
    return [key << _PLACES | index for key in dict.fromkeys(keys)]


def look_up_values(record: Record) -> list[tuple[str, str, str]]:
    """Return (kind, prefix, value) for each look-up bucket that ``record`` stands in.

    An act stands in the ``ref`` bucket of its own reference and of each act that it names, so that whoever holds an act
    can ask what became of it.
    """
    found = [("sha256", one["sha256"][:3], one["sha256"]) for one in record.documents]
    found += [("ref", ref[:2], ref) for ref in {record.ref, *(one["ref"] for one in record.relations if "ref" in one)}]
    if record.data["number"] is not None:
        value = folded_hash(fold_number(record.data["number"]))
        found.append(("number", value[:3], value))
    return found


def act_row(record: Record, *, whole: bool = True) -> tuple[Any, ...]:
    """Return the row of an act in ``acts``, without its place and time; see ``Rows`` for ``whole``."""
    data, payload = record.data, record.payload
    number, signed_on, relations = data["number"], data["signed_on"], data["relations"]
    folded = None if number is None else fold_number(number)
    named = " ".join([f"{one['type']}={one['ref']}" for one in relations if "ref" in one]) if relations else ""
    signers, series, serial = data["signers"], data.get("series"), data.get("serial")
    return (
        record.id, data["ref"], data["kind"], data["form"], data["office"], number, folded, signed_on[:4], data["title"],
        signed_on, signers[0] if len(signers) == 1 else " ".join(signers), named, series, serial,
        str(payload, "utf-8") if whole or data["kind"] in _KEPT_WHOLE else _signatories_of(data),
    )  # fmt: skip


def _signatories_of(data: dict[str, Any]) -> str:
    named = data["signatories"]
    return orjson.dumps({"signatories": named}).decode("utf-8") if any("name" in one for one in named) else "{}"


class Rows:
    """Rows that wait to be written together: ``executemany`` writes about twice as many a second.

    An index that is not ``whole``, an audit's, does not find acts by their ids (whoever has an act's record has its
    reference), and holds of most acts no more than the columns and the signatories: a body is two thirds of a row.
    """

    def __init__(self, *, whole: bool = True) -> None:
        self.whole = whole
        self.acts: list[tuple[Any, ...]] = []
        self.relations: list[tuple[int, str, str]] = []
        self.documents: list[tuple[int, str, int]] = []
        self.keys: list[int] = []  # as ``packed``, which is sorted several times as fast as pairs
        self.last = -1

    def add(self, record: Record, act: Act, keys: Sequence[int]) -> None:
        """Add what an act, at its place, becomes; ``keys`` are ``keys_of`` the record."""
        data, index = record.data, act.index
        self.documents += [(index, one["sha256"], one["size"]) for one in data["documents"] if "sha256" in one]
        self.relations += [(index, kind, target) for kind, target in act.relations]
        self.keys += packed(keys if self.whole else keys[1:], index)
        self.acts.append((index, act.time, *act_row(record, whole=self.whole)))
        self.last = index

    def add_found(self, act: tuple[Any, ...], documents: Sequence[tuple[Any, ...]]) -> None:
        """Add what the rows of an act and its documents, found in an index that is not whole, make beside themselves."""
        index, ref, folded, relations = act[0], act[3], act[8], act[13]
        self.relations += [(index, *one.split("=")) for one in relations.split()]
        keys = [key_of("ref", ref), *(key_of("sha256", one[1]) for one in documents)]
        self.keys += packed(keys if folded is None else [*keys, key_of("number", folded_hash(folded))], index)
        self.last = index

    def add_id(self, entry_id: str, index: int) -> None:
        """Add an entry that is no act and is found by its id only."""
        self.keys += packed([key_of("id", entry_id)], index)
        self.last = index

    def write(self, connection: Any) -> None:
        """Write everything; inside the caller's transaction."""
        self.write_acts(connection)
        self.write_keys(connection)

    def write_acts(self, connection: Any) -> None:
        """Write all but the keys, by which the acts are not found before ``write_keys``."""
        connection.executemany(f"INSERT INTO acts VALUES ({', '.join('?' * 17)})", self.acts)
        connection.executemany("INSERT INTO relations VALUES (?, ?, ?)", self.relations)
        connection.executemany("INSERT INTO documents VALUES (?, ?, ?)", self.documents)
        self.acts, self.relations, self.documents = [], [], []

    def write_keys(self, connection: Any) -> None:
        """Write the keys, and merge them with those before when it is time."""
        if not self.keys:
            return
        self.keys.sort()
        keys, places = [one >> _PLACES for one in self.keys], [one & _PLACE for one in self.keys]
        is_time = min(places) // MERGE_EVERY != (self.last + 1) // MERGE_EVERY
        if is_time:
            connection.execute("INSERT INTO keys SELECT key, idx FROM keys_new ORDER BY key, idx")
            connection.execute("DELETE FROM keys_new")
        table = "keys" if is_time else "keys_new"
        connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", zip(keys, places, strict=True))
        self.keys = []
