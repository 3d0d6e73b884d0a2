"""Counting facets: profile and supplier of every act in memory, eight bytes each, so that hits are counted by looking up."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from ledger.catalog.bits import BLOCK

__all__ = ["PROFILE", "Columns"]

PROFILE = ("kind", "form", "office", "year", "method")


class Columns:
    """The columns of one catalogue, kept by a reader and extended as the catalogue grows. Code 0: the act has no value."""

    def __init__(self) -> None:
        self._profiles, self._suppliers = array("I"), array("I")
        self._known: dict[int, tuple[int, ...]] = {}

    def extend(self, connection: Any, size: int) -> None:
        """Read what ``size`` entries have beyond those already here; inside the caller's snapshot."""
        start = len(self._profiles)
        if start >= size:
            return
        query = "SELECT block, profiles, suppliers FROM columns WHERE block >= ? ORDER BY block"
        for block, profiles, suppliers in connection.execute(query, (start // BLOCK,)):
            if (block + 1) * BLOCK <= size:
                self._put(block * BLOCK, array("I", profiles), array("I", suppliers))
        self._extend_by_rows(connection, size)
        names = ", ".join(PROFILE)
        last = max(self._known, default=0)
        self._known |= {row[0]: row[1:] for row in connection.execute(f"SELECT id, {names} FROM profiles WHERE id > ?", (last,))}

    def count(self, found: Sequence[int], facets: Collection[str]) -> dict[str, Counter[int]]:
        """Return, by facet, how many of the acts ``found`` have the value of each code."""
        counts: dict[str, Counter[int]] = {name: Counter() for name in facets}
        if "supplier" in counts:
            counts["supplier"].update(map(self._suppliers.__getitem__, found))
        places = [(counts[name], PROFILE.index(name)) for name in counts if name in PROFILE]
        for profile, number in Counter(map(self._profiles.__getitem__, found)).items() if places else ():
            codes = self._known[profile]
            for counter, place in places:
                counter[codes[place]] += number
        for counter in counts.values():
            counter.pop(0, None)
        return counts

    def _put(self, start: int, profiles: array[int], suppliers: array[int]) -> None:
        self._profiles[start:], self._suppliers[start:] = profiles, suppliers

    def _extend_by_rows(self, connection: Any, size: int) -> None:
        start = len(self._profiles)
        missing = bytes(4 * (size - start))
        self._profiles.frombytes(missing)
        self._suppliers.frombytes(missing)
        query = "SELECT idx, profile, supplier FROM acts WHERE idx >= ? AND idx < ?"
        for index, profile, supplier in connection.execute(query, (start, size)):
            self._profiles[index], self._suppliers[index] = profile, supplier
