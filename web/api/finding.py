"""Exact look-ups for software: up to a hundred keys at once, one query for each kind of key.

``ref`` and ``id`` name one act; ``number`` all acts of that number in any spelling and office; ``document`` all that name
a file; ``names`` all whose relations name a reference. An answer is whole or refused, never shortened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ledger.errors import UsageError
from ledger.records.numbers import fold_number, number_hash
from ledger.records.refs import parse_ref
from ledger.tlog.encoding import format_base64
from web.api.asking import digest
from web.site import Reading

__all__ = ["KINDS", "MOST_KEYS", "find"]

MOST_KEYS = 100
MOST_ACTS = 5_000
MOST_BYTES = 16 * 1024 * 1024
_COLUMNS = "a.idx, a.time, a.id, a.ref, a.body"


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of key is read, and how acts are found by it: the query's first column is the key as it is stored.

    In the query ``$`` stands for the marks of the keys, ``#`` for those of their look-up prefixes.
    """

    read: Callable[[str], str]
    query: str


def _number(typed: str) -> str:
    if not fold_number(typed):
        raise UsageError("an empty number", code="bad-filter", name="number", value=typed[:60])
    return number_hash(typed)


KINDS = {
    "ref": _Kind(parse_ref, f"SELECT a.ref, {_COLUMNS} FROM acts a WHERE a.ref IN ($)"),
    "id": _Kind(lambda typed: digest("id", typed), f"SELECT a.id, {_COLUMNS} FROM acts a WHERE a.id IN ($)"),
    "document": _Kind(
        lambda typed: digest("document", typed),
        f"SELECT d.sha256, {_COLUMNS} FROM documents d JOIN acts a ON a.idx = d.idx WHERE d.sha256 IN ($)",
    ),
    "names": _Kind(
        parse_ref, f"SELECT DISTINCT r.target, {_COLUMNS} FROM relations r JOIN acts a ON a.idx = r.idx WHERE r.target IN ($)"
    ),
    "number": _Kind(
        _number,
        f"SELECT l.value, {_COLUMNS} FROM lookups l JOIN acts a ON a.idx = l.idx "
        "WHERE l.kind = 'number' AND l.prefix IN (#) AND l.value IN ($)",
    ),
}


def find(reading: Reading, keys: Iterable[tuple[str, str]]) -> dict[str, list[dict[str, Any]]]:
    """Return the published acts under each key ``kind=as typed``, oldest first; a key that none carries has an empty list.

    Raises:
        UsageError: ``find-nothing``, ``find-too-many-keys``, ``find-too-much``; a malformed key.
        FormatError: ``bad-ref``.
    """
    asked = list(keys)
    if not asked:
        raise UsageError("no key", code="find-nothing")
    if len(asked) > MOST_KEYS:
        raise UsageError(f"{len(asked)} keys", code="find-too-many-keys", count=len(asked), limit=MOST_KEYS)
    stored = [(kind, typed, KINDS[kind].read(typed)) for kind, typed in dict.fromkeys(asked)]
    found = _Found(reading)
    for kind in KINDS:
        values = sorted({value for one, _, value in stored if one == kind})
        if values:
            found.add(kind, values)
    return {f"{kind}={typed}": found.acts.get((kind, value), []) for kind, typed, value in stored}


class _Found:
    """The acts found so far, by kind and stored key; refuses to hold more than an answer may."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.acts: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._count = self._bytes = 0

    def add(self, kind: str, values: list[str]) -> None:
        """Add the acts under keys of one kind."""
        query = KINDS[kind].query + " AND a.idx < ? ORDER BY a.idx"
        prefixes = sorted({value[:3] for value in values}) if "#" in query else []
        query = query.replace("$", _marks(values)).replace("#", _marks(prefixes))
        for key, *act in self.reading.store.connection.execute(query, (*prefixes, *values, self.reading.size)):
            self._count, self._bytes = self._count + 1, self._bytes + len(act[4])
            if self._count > MOST_ACTS or self._bytes > MOST_BYTES:
                raise UsageError("too much for one answer", code="find-too-much", limit=MOST_ACTS, mib=MOST_BYTES // 1024**2)
            self.acts.setdefault((kind, key), []).append(_act_json(*act))


def _act_json(index: int, time: str, act_id: str, ref: str, body: str) -> dict[str, Any]:
    return {"index": index, "time": time, "id": act_id, "ref": ref, "payload": format_base64(body.encode("utf-8"))}


def _marks(values: list[str]) -> str:
    return ", ".join("?" * len(values))
