"""Facets of a search: which values the hits have, and how often, exactly or not at all.

A value's number is counted under all other facets of the filter, since values of one facet are alternatives. Few hits are
counted one by one; for filters of facets alone, which may mean very many acts, the counts of their combinations are added
up; for what is left no numbers are given, only values that the newest hits have.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from ledger.catalog.bits import highest, places
from ledger.catalog.columns import PROFILE, Columns
from ledger.catalog.filters import FACETS, Filter
from ledger.catalog.finder import Finder

__all__ = ["MOST_COUNTED", "MOST_VALUES", "count_facets"]

MOST_COUNTED = 65_536
MOST_VALUES = 100
_SAMPLE = 4096

Counts = list[tuple[str, int | None]]


def count_facets(finder: Finder, columns: Columns, wanted: Filter, hits: int) -> dict[str, Counts]:
    """Return the values of every facet; ``hits`` are the acts that the whole filter means."""
    chosen = [name for name in FACETS if getattr(wanted, name)]
    found = _count(finder, columns, wanted, hits, [name for name in FACETS if name not in chosen])
    for name in chosen:
        found |= _count(finder, columns, wanted.without(name), finder.found(wanted, without=name), [name])
        found[name] += _missing(finder, wanted, name, {value for value, _ in found[name]})
    return {name: found[name] for name in FACETS}


def _count(finder: Finder, columns: Columns, wanted: Filter, hits: int, facets: list[str]) -> dict[str, Counts]:
    if wanted == Filter(sort=wanted.sort):
        return {name: _ranked(finder.connection, _everywhere(finder.connection, name)) for name in facets}
    if hits.bit_count() <= MOST_COUNTED:
        counts = columns.count(places(hits), facets)
        return {name: _ranked(finder.connection, counts[name].items()) for name in facets}
    sample = columns.count(list(islice(highest(hits), _SAMPLE)), facets)
    found: dict[str, Counts] = {}
    for name in facets:
        if name in PROFILE and not (wanted.q or wanted.supplier or wanted.since or wanted.until):
            found[name] = _ranked(finder.connection, _by_profiles(finder.connection, wanted, name))
        else:
            found[name] = [(value, None) for value, _ in _ranked(finder.connection, sample[name].items())]
    return found


def _everywhere(connection: Any, facet: str) -> list[tuple[int, int]]:
    query = "SELECT code, count FROM facets WHERE facet = ? AND count > 0 ORDER BY count DESC, code LIMIT ?"
    return list(connection.execute(query, (facet, MOST_VALUES)).fetchall())


def _by_profiles(connection: Any, wanted: Filter, facet: str) -> list[tuple[int, int]]:
    conditions, values = [f"{facet} > 0"], []
    for name in PROFILE:
        if getattr(wanted, name):
            conditions.append(
                f"{name} IN (SELECT code FROM facets WHERE facet = '{name}' AND value IN (SELECT value FROM json_each(?)))"
            )
            values.append(json.dumps(getattr(wanted, name)))
    query = f"SELECT {facet}, sum(count) FROM profiles WHERE {' AND '.join(conditions)} GROUP BY 1 HAVING sum(count) > 0"
    return list(connection.execute(query, values).fetchall())


def _ranked(connection: Any, counts: Iterable[tuple[int, int]]) -> Counts:
    """Name the most frequent values; among equals those that came first into the ledger, then in the order of letters."""
    most = sorted(counts, key=lambda one: (-one[1], one[0]))[:MOST_VALUES]
    query = "SELECT code, value FROM facets WHERE code IN (SELECT value FROM json_each(?))"
    names = dict(connection.execute(query, (json.dumps([code for code, _ in most]),)).fetchall()) if most else {}
    return [(names[code], count) for code, count in sorted(most, key=lambda one: (-one[1], names[one[0]]))]


def _missing(finder: Finder, wanted: Filter, name: str, present: set[str]) -> Counts:
    """Return what was chosen and is not among the hits, or not among the most frequent values."""
    hits = finder.found(wanted, without=name)
    chosen = [value for value in getattr(wanted, name) if value not in present]
    return [(value, (hits & finder.facet(name, value)).bit_count()) for value in chosen]
