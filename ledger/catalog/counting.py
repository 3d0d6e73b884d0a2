"""Facets of a search: which values the hits have, and how often.

A value's number is counted under all other facets of the filter, since values of one facet are alternatives. Few hits are
looked up one by one; many are intersected with the bitmap of each value. Suppliers are too many for that: beyond
``MOST_COUNTED`` hits theirs are not counted, and only some that the newest hits have are named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from operator import itemgetter

from ledger.catalog.bits import count_common, highest, places, trimmed
from ledger.catalog.filters import FACETS, Filter
from ledger.catalog.finder import Finder
from ledger.catalog.memory import PROFILE

__all__ = ["MOST_COUNTED", "MOST_VALUES", "count_facets"]

MOST_COUNTED = 8192
MOST_VALUES = 100
_SAMPLE = 1024
_ONE_ENTRY = 0.00007

Counts = list[tuple[str, int | None]]


def count_facets(finder: Finder, wanted: Filter, hits: int) -> dict[str, Counts]:
    """Return the values of every facet; ``hits`` are the acts that the whole filter means."""
    chosen = [name for name in FACETS if getattr(wanted, name)]
    found = _count(finder, wanted, hits, [name for name in FACETS if name not in chosen])
    for name in chosen:
        others = finder.found(wanted, without=name)
        found |= _count(finder, wanted.without(name), others, [name])
        present = {value for value, _ in found[name]}
        missing = [value for value in getattr(wanted, name) if value not in present]
        found[name] += [(value, (others & finder.facet(name, value)).bit_count()) for value in missing]
    return {name: found[name] for name in FACETS}


def _count(finder: Finder, wanted: Filter, hits: int, facets: list[str]) -> dict[str, Counts]:
    """Count some facets of ``hits``, which are all that ``wanted`` means."""
    if finder.whole and wanted == Filter(sort=wanted.sort):
        return {name: _ranked(finder, name, _everywhere(finder, name)) for name in facets}
    low, rest = trimmed(hits)
    number, found = rest.bit_count(), {}
    if _bitmaps_are_cheaper(finder, facets, number, rest.bit_length()):
        codes = {name: finder.columns.values(name) for name in facets if name in PROFILE}
        for name, known in codes.items():
            found[name] = _ranked(finder, name, [(code, count_common(low, rest, *finder.trimmed(code))) for code in known])
    left = [name for name in facets if name not in found]
    if left and number <= MOST_COUNTED:
        counted = finder.columns.count(places(rest, low), left)
        found |= {name: _ranked(finder, name, counts.items()) for name, counts in counted.items()}
    elif left:
        sample = finder.columns.count(list(islice(highest(hits), _SAMPLE)), left)
        found |= {name: [(value, None) for value, _ in _ranked(finder, name, counts.items())] for name, counts in sample.items()}
    return found


def _bitmaps_are_cheaper(finder: Finder, facets: list[str], number: int, length: int) -> bool:
    """Tell whether to intersect ``length`` entries with each value rather than to look up ``number`` hits (microseconds)."""
    if number > MOST_COUNTED:
        return True
    values = sum(len(finder.columns.values(name)) for name in facets if name in PROFILE)
    listing = 0.0 if "supplier" in facets else length * 0.0003 + number * 0.16
    return values * (15 + length * _ONE_ENTRY) < listing + number * 0.05 * (len(facets) + 1)


def _everywhere(finder: Finder, facet: str) -> list[tuple[int, int]]:
    query = "SELECT code, count FROM facets WHERE facet = ? AND count > 0 ORDER BY count DESC, code LIMIT ?"
    return list(finder.connection.execute(query, (facet, MOST_VALUES)).fetchall())


def _ranked(finder: Finder, facet: str, counts: Iterable[tuple[int, int]]) -> Counts:
    """Name the most frequent values, of equals those met first, and put equals in the order of letters."""
    most = sorted(counts, key=itemgetter(1), reverse=True)[:MOST_VALUES]
    names = finder.columns.values(facet) if facet in PROFILE else _suppliers(finder, [code for code, _ in most])
    named = [(-count, names[code]) for code, count in most if count]
    return [(name, -count) for count, name in sorted(named)]


def _suppliers(finder: Finder, codes: list[int]) -> dict[int, str]:
    query = "SELECT code, value FROM facets WHERE code IN (SELECT value FROM json_each(?))"

    def read(missing: list[int]) -> dict[int, str]:
        return dict(finder.connection.execute(query, (json.dumps(missing),)).fetchall())

    return finder.columns.suppliers(codes, read)
