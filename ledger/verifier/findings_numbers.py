"""Findings about numbers: gaps and order in declared number books, numbers used twice, numbers at odds with their paper.

What they say depends on other acts, so it is kept for each number and each book's year, and made again for those that a
new act touches: by its own number, or by correcting or annulling an act.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.records.books import years_of
from ledger.records.replay import NumberKey
from ledger.verifier.findings import Finding, Ground, Rule, listed

__all__ = ["RULES", "refresh"]

RENEWED_IN_STEPS = 10  # times as many acts as are new: with fewer, all numbers are asked again, which is less work then
_CODE = 1  # of the rules below: another one makes every number be asked again
_BOOK_RULES = ("gap", "same-serial", "order")
_NOT_CORRECTED = "NOT EXISTS (SELECT 1 FROM relations r WHERE r.target = a.ref AND r.type = 'corrects')"


@dataclass(slots=True)
class _Touched:
    """The numbers and (series, year) that new acts touch."""

    numbers: set[NumberKey] = field(default_factory=set)
    books: set[tuple[str, str]] = field(default_factory=set)


def refresh(ground: Ground) -> None:
    """Bring what is kept up to date with the acts that are new, or make it all again: where that is less, or rules changed."""
    state, size = ground.state, ground.state.head.size
    books = json.dumps(sorted(ground.state.roster.series.values(), key=lambda book: str(book["id"])), sort_keys=True)
    by = f"{_CODE} {hashlib.sha256(books.encode('ascii')).hexdigest()} {list(state.roster.series)}"
    since = int(state.mark("numbers") or 0) if state.mark("numbers-by") == by else 0
    if since == size and state.mark("numbers-by") == by:
        return
    if (size - since) * RENEWED_IN_STEPS > size:
        for rule in ("same-number", *_BOOK_RULES):
            state.connection.execute("DELETE FROM findings WHERE rule = ?", (rule,))
        _keep(ground, _same_numbers(ground, ground.state.index.under_one_key("number")))
        _renew_books(ground, {(series, year) for series, year in ground.rows(_BOOK_YEARS)})
    else:
        touched = _touched(ground, since)
        _renew_numbers(ground, touched.numbers)
        _renew_books(ground, touched.books)
    state.set_mark("numbers", size)
    state.set_mark("numbers-by", by)


_BOOK_YEARS = "SELECT series, year FROM acts WHERE series IS NOT NULL GROUP BY series, year"
_COLUMNS = """
    SELECT form, office, folded, year, series, iif(kind = 'void', json_extract(body, '$.fields.series'), NULL), relations
    FROM acts WHERE
"""


def _touched(ground: Ground, since: int) -> _Touched:
    touched, targets = _Touched(), set[int]()
    for row in ground.rows(f"{_COLUMNS} idx >= ?", since):
        _touch(touched, row)
        for part in row[-1].split():
            kind, _, ref = part.partition("=")
            target = ground.state.index.by_ref(ref) if kind in ("corrects", "annuls") else None
            if target is not None:
                targets.add(target.index)
    for row in ground.rows(f"{_COLUMNS} idx IN (SELECT value FROM json_each(?))", json.dumps(sorted(targets))):
        _touch(touched, row)
    return touched


def _touch(touched: _Touched, row: Any) -> None:
    form, office, folded, year, *named, _ = row
    if folded is not None:
        touched.numbers.add((form, office, folded, year))
    touched.books.update((series, year) for series in named if series is not None)


def _keep(ground: Ground, rows: Iterable[tuple[str, int, int, str, list[Any]]]) -> None:
    """Keep (rule, place, n, scope, body): rows stand in the order of place and n, and are made again by their scope."""
    found = [(*row[:4], json.dumps(row[4], ensure_ascii=False)) for row in rows]
    ground.state.connection.executemany("INSERT INTO findings VALUES (?, ?, ?, ?, ?)", found)


def _forget(ground: Ground, rule: str, scopes: list[str]) -> None:
    query = "DELETE FROM findings WHERE rule = ? AND scope IN (SELECT value FROM json_each(?))"
    ground.state.connection.execute(query, (rule, json.dumps(scopes)))


# -- numbers used twice


def _renew_numbers(ground: Ground, numbers: set[NumberKey]) -> None:
    places: list[int] = []
    for key in numbers:
        acts = ground.state.index.by_number(key)
        places += [act.index for act in acts] if len(acts) > 1 else []
    _forget(ground, "same-number", [_scope(key) for key in sorted(numbers)])
    _keep(ground, _same_numbers(ground, places))


def _scope(key: NumberKey) -> str:
    return json.dumps(key, ensure_ascii=False)


def _same_numbers(ground: Ground, places: list[int]) -> Iterator[tuple[str, int, int, str, list[Any]]]:
    """One number on several acts of one office, form and year, none of which replaces another; among ``places``."""
    query = f"""
        SELECT form, office, folded, year, min(number), group_concat(ref, ' '), min(idx) FROM (
          SELECT idx, ref, form, office, number, folded, year FROM acts a
          WHERE folded IS NOT NULL AND idx IN (SELECT value FROM json_each(?1)) AND {_NOT_CORRECTED} ORDER BY idx
        ) GROUP BY form, office, folded, year HAVING count(*) > 1
    """
    for *key, number, refs, place in ground.rows(query, json.dumps(places)):
        form, office, folded, year = key
        acts = refs.split(" ")
        values = {"office": office, "form": form, "year": year, "number": number, "count": len(acts)}
        yield "same-number", place, 0, _scope((form, office, folded, year)), ["same-number", acts, values]


# -- books, year by year


def _renew_books(ground: Ground, touched: set[tuple[str, str]]) -> None:
    for position, book in enumerate(ground.state.roster.series.values()):
        years = {year if book["resets"] == "yearly" else "" for series, year in touched if series == book["id"]}
        for year in sorted(years):
            scope, place = f"{book['id']} {year}", position * 10_000 + int(year or 0)
            for rule, found in zip(_BOOK_RULES, (_gaps, _same_serials, _run_backwards), strict=True):
                _forget(ground, rule, [scope])
                _keep(ground, ((rule, place, n, scope, body) for n, body in enumerate(found(ground, book, year))))


def _gaps(ground: Ground, book: dict[str, Any], year: str) -> Iterator[list[Any]]:
    """Serials of a declared number book, since it is complete, that no act and no void act names."""
    query = "SELECT serial, signed_on FROM acts WHERE series = ?1 AND (?2 = '' OR year = ?2) ORDER BY serial, signed_on"
    voids = [(one.serials, one.signed_on) for one in ground.state.index.voids(book["id"])]
    for one in years_of(book, [(serial, day) for serial, day in ground.rows(query, book["id"], year)], voids):
        if one.gaps:
            count = sum(gap.count for gap in one.gaps)
            shown = [str(gap.first) if gap.count == 1 else f"{gap.first}–{gap.last}" for gap in one.gaps]
            values = {"series": book["id"], "office": book["office"], "year": one.year, "count": count}
            yield ["gap", [], values | {"serials": listed(shown)}]


def _same_serials(ground: Ground, book: dict[str, Any], year: str) -> Iterator[list[Any]]:
    """One serial of a declared book on several acts, none of which replaces another."""
    query = f"""
        SELECT serial, group_concat(ref, ' ') FROM (
          SELECT serial, ref FROM acts a WHERE series = ?1 AND (?2 = '' OR year = ?2) AND {_NOT_CORRECTED} ORDER BY idx
        ) GROUP BY serial HAVING count(*) > 1 ORDER BY serial
    """
    for serial, refs in ground.rows(query, book["id"], year):
        acts = refs.split(" ")
        values = {"series": book["id"], "office": book["office"], "serial": serial, "year": year, "count": len(acts)}
        yield ["same-serial", acts, values]


def _run_backwards(ground: Ground, book: dict[str, Any], year: str) -> Iterator[list[Any]]:
    """In a declared book, a higher serial on a paper with an earlier date."""
    query = f"""
        SELECT ref, serial, signed_on FROM acts a
        WHERE series = ?1 AND (?2 = '' OR year = ?2) AND {_NOT_CORRECTED} ORDER BY serial, idx
    """
    before: tuple[str, int, str] | None = None
    for ref, serial, signed_on in ground.rows(query, book["id"], year):
        if before is not None and before[2] > signed_on:
            values = {"series": book["id"], "office": book["office"], "serial": serial, "signed_on": signed_on}
            yield ["order", [ref, before[0]], values | {"before_serial": before[1], "before": before[2]}]
        before = (ref, serial, signed_on)


# -- what is told


def gaps(ground: Ground) -> Iterator[Finding]:
    """Serials of a declared number book, since it is complete, that no act and no void act names."""
    yield from ground.kept("gap")


def no_number_book(ground: Ground) -> Iterator[Finding]:
    """Offices of which nothing can be said about missing numbers, as they have declared no number book."""
    declared = {book["office"] for book in ground.state.roster.series.values()}
    rows = ground.rows("SELECT office, count FROM numbered ORDER BY 2 DESC, 1")
    without = [(office, count) for office, count in rows if office not in declared]
    if without:
        offices = listed([office for office, _ in without])
        values = {"count": len(without), "acts": sum(count for _, count in without), "offices": offices}
        yield Finding("no-number-book", (), values, remark=True)


def same_number(ground: Ground) -> Iterator[Finding]:
    """One number on several acts of one office, form and year, none of which replaces another."""
    yield from ground.kept("same-number")


def same_serial(ground: Ground) -> Iterator[Finding]:
    """One serial of a declared book on several acts, none of which replaces another."""
    yield from ground.kept("same-serial")


def dates_run_backwards(ground: Ground) -> Iterator[Finding]:
    """In a declared book, a higher serial on a paper with an earlier date."""
    yield from ground.kept("order")


def number_at_odds(ground: Ground) -> Iterator[Finding]:
    """A number without a digit, one that names another paper, or one with a month that does not exist."""
    yield from ground.kept_of_acts("number-at-odds")


RULES: tuple[Rule, ...] = (gaps, no_number_book, same_number, same_serial, dates_run_backwards, number_at_odds)
