"""What a process keeps of a catalogue in memory, for all its threads: columns for counting, bitmaps of frequent terms.

Eight bytes an act, and a bit an act for each of the last 256 frequent terms and facets' values that were asked for: 40 MB
for a million acts. Entries never change, so what is kept is only ever extended; a reader of an older snapshot looks at
the front of it.
"""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import Any

from ledger.catalog.bits import BLOCK, span, trimmed
from ledger.catalog.filters import FACETS

__all__ = ["PROFILE", "Columns", "Memory"]

PROFILE = tuple(name for name in FACETS if name != "supplier")
_MOST_BITMAPS = 256


class Memory:
    """The columns of the catalogue file that is there now; those of an older one, or before a withdrawal, are dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: object = None
        self._columns = Columns()

    def of(self, file: object) -> Columns:
        """Return the columns of a file, named by whatever tells it from the one before."""
        with self._lock:
            if self._file != file:
                self._file, self._columns = file, Columns()
            return self._columns


class Columns:
    """Profile and supplier of every act, and entries by value of a facet. Code 0: the act has no value."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._profiles, self._suppliers = array("I"), array("I")
        self._codes = {name: array("I", [0]) for name in PROFILE}
        self._bitmaps: dict[str, tuple[int, int, int]] = {}
        self._values: dict[str, dict[int, str]] = {name: {} for name in PROFILE}
        self._names: dict[int, str] = {}

    def values(self, facet: str) -> dict[int, str]:
        """Return the values of a facet of ``PROFILE`` by code; ``extend`` has been called."""
        return self._values[facet]

    def suppliers(self, codes: Sequence[int], read: Callable[[list[int]], dict[int, str]]) -> dict[int, str]:
        """Return the names of suppliers by code; ``read`` gives those that were never asked for."""
        if missing := [code for code in codes if code not in self._names]:
            self._names |= read(missing)
        return {code: self._names[code] for code in codes}

    def count(self, found: Sequence[int], facets: Collection[str]) -> dict[str, Counter[int]]:
        """Return, by facet, how many of the acts ``found`` have the value of each code; ``extend`` has been called."""
        counts: dict[str, Counter[int]] = {}
        if "supplier" in facets:
            counts["supplier"] = Counter(_picked(self._suppliers, found))
        if any(name in PROFILE for name in facets):
            profiles = _picked(self._profiles, found)
            counts |= {name: Counter(_picked(self._codes[name], profiles)) for name in facets if name in PROFILE}
        for counter in counts.values():
            counter.pop(0, None)
        return counts

    def bitmap(self, term: str, size: int, read: Callable[[int], int]) -> int:
        """Return the bitmap of a term among ``size`` entries; ``read`` gives it from an entry on."""
        low, bits = self.trimmed_bitmap(term, size, read)
        return bits << low if low else bits

    def trimmed_bitmap(self, term: str, size: int, read: Callable[[int], int]) -> tuple[int, int]:
        """Return how many entries lie before the first of a term's bitmap, in whole words, and the bitmap from there on."""
        with self._lock:
            known, low, bits = self._bitmaps.pop(term, (0, 0, 0))
            if known:
                self._bitmaps[term] = known, low, bits  # those asked for last are kept longest
        if known >= size:
            return low, bits & span(0, max(0, size - low)) if known > size else bits
        low, bits = trimmed(bits << low | read(known))
        with self._lock:
            self._bitmaps[term] = size, low, bits
            if len(self._bitmaps) > _MOST_BITMAPS:
                del self._bitmaps[next(iter(self._bitmaps))]
        return low, bits

    def extend(self, connection: Any, size: int) -> None:
        """Read what ``size`` entries have beyond those already here; inside the caller's snapshot."""
        with self._lock:
            query = "SELECT block, profiles, suppliers FROM columns WHERE block >= ? AND block < ? ORDER BY block"
            for block, profiles, suppliers in connection.execute(query, (len(self._profiles) // BLOCK, size // BLOCK)):
                self._profiles[block * BLOCK :] = array("I", profiles)
                self._suppliers[block * BLOCK :] = array("I", suppliers)
            if len(self._profiles) < size:
                self._extend_by_rows(connection, size)
                self._extend_profiles(connection)
                names = "SELECT code, facet, value FROM facets WHERE facet != 'supplier' AND code > ? ORDER BY code"
                last = max((code for codes in self._values.values() for code in codes), default=0)
                for code, facet, value in connection.execute(names, (last,)):
                    self._values[facet][code] = value

    def _extend_profiles(self, connection: Any) -> None:
        """Read the codes of profiles that are new; ids are given in a row from 1 on."""
        known = len(self._codes["kind"])
        query = f"SELECT id, {', '.join(PROFILE)} FROM profiles WHERE id >= ? ORDER BY id"
        for _, *codes in connection.execute(query, (known,)).fetchall():
            for name, code in zip(PROFILE, codes, strict=True):
                self._codes[name].append(code)

    def _extend_by_rows(self, connection: Any, size: int) -> None:
        start = len(self._profiles)
        profiles, suppliers = array("I", bytes(4 * (size - start))), array("I", bytes(4 * (size - start)))
        query = "SELECT idx, profile, supplier FROM acts WHERE idx >= ? AND idx < ?"
        for index, profile, supplier in connection.execute(query, (start, size)):
            profiles[index - start], suppliers[index - start] = profile, supplier
        self._profiles += profiles
        self._suppliers += suppliers


def _picked(column: array[int], places: Sequence[int]) -> Sequence[int]:
    """Return what stands in ``places`` of a column; one call of C for all of them."""
    if len(places) < 2:
        return [column[place] for place in places]
    found: tuple[int, ...] = itemgetter(*places)(column)
    return found
