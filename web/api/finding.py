"""Exact look-ups for software: up to a hundred keys at once.

``ref`` and ``id`` name one act; ``number`` all acts of that number in any spelling and office; ``document`` all that name
a file; ``names`` all whose relations name a reference. An answer is whole or refused, never shortened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
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


def _number(typed: str) -> str:
    if not fold_number(typed):
        raise UsageError("an empty number", code="bad-filter", name="number", value=typed[:60])
    return number_hash(typed)


KINDS: dict[str, Callable[[str], str]] = {
    "ref": parse_ref,
    "id": lambda typed: digest("id", typed),
    "document": lambda typed: digest("document", typed),
    "names": parse_ref,
    "number": _number,
}
_HINTS = {"ref": "ref", "id": "id", "document": "sha256", "number": "number"}


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
    stored = [(kind, typed, KINDS[kind](typed)) for kind, typed in dict.fromkeys(asked)]
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
        index = self.reading.store.index
        for value in values:
            places = index.naming(value) if kind == "names" else index.places(_HINTS[kind], value)
            for place in sorted(place for place in places if place < self.reading.size):
                self._look(kind, value, place)

    def _look(self, kind: str, value: str, place: int) -> None:
        """Keep the act at ``place``, if it is what the hint promised."""
        query = "SELECT idx, time, id, ref, body FROM acts WHERE idx = ?"
        act = self.reading.store.connection.execute(query, (place,)).fetchone()
        if act is None or not _carries(kind, value, act):
            return
        self._count, self._bytes = self._count + 1, self._bytes + len(act[4])
        if self._count > MOST_ACTS or self._bytes > MOST_BYTES:
            raise UsageError("too much for one answer", code="find-too-much", limit=MOST_ACTS, mib=MOST_BYTES // 1024**2)
        self.acts.setdefault((kind, value), []).append(_act_json(*act))


def _carries(kind: str, value: str, act: Sequence[Any]) -> bool:
    """Tell whether an act (idx, time, id, ref, body) carries a value that its key only hinted at."""
    if kind in ("id", "ref", "names"):
        return kind == "names" or value == act[2 if kind == "id" else 3]
    record = json.loads(act[4])
    if kind == "document":
        return any(one.get("sha256") == value for one in record["documents"])
    return record["number"] is not None and number_hash(record["number"]) == value


def _act_json(index: int, time: str, act_id: str, ref: str, body: str) -> dict[str, Any]:
    return {"index": index, "time": time, "id": act_id, "ref": ref, "payload": format_base64(body.encode("utf-8"))}
