"""Findings about numbers: gaps and order in declared number books, numbers used twice, numbers at odds with their paper."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ledger.records.books import years_of
from ledger.verifier.findings import Finding, Ground, Rule, listed

__all__ = ["RULES"]

_MONTHS = {"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}
_WORD = re.compile(r"[A-Z]+")


def gaps(ground: Ground) -> Iterator[Finding]:
    """Serials of a declared number book, since it is complete, that no act and no void act names."""
    index = ground.state.index
    for book in ground.state.roster.series.values():
        voids = [(one.serials, one.signed_on) for one in index.voids(book["id"])]
        for year in years_of(book, index.serials(book["id"]), voids):
            if year.gaps:
                count = sum(gap.count for gap in year.gaps)
                shown = [str(gap.first) if gap.count == 1 else f"{gap.first}–{gap.last}" for gap in year.gaps]
                values = {"series": book["id"], "office": book["office"], "year": year.year, "count": count}
                yield Finding("gap", (), values | {"serials": listed(shown)})


def no_number_book(ground: Ground) -> Iterator[Finding]:
    """Offices of which nothing can be said about missing numbers, as they have declared no number book."""
    declared = {book["office"] for book in ground.state.roster.series.values()}
    rows = ground.rows("SELECT office, count(*) FROM acts WHERE number IS NOT NULL GROUP BY office ORDER BY 2 DESC, 1")
    without = [(office, count) for office, count in rows if office not in declared]
    if without:
        offices = listed([office for office, _ in without])
        values = {"count": len(without), "acts": sum(count for _, count in without), "offices": offices}
        yield Finding("no-number-book", (), values, remark=True)


def same_number(ground: Ground) -> Iterator[Finding]:
    """One number on several acts of one office, form and year, none of which replaces another."""
    query = """
        SELECT office, form, year, min(number), group_concat(ref, ' ') FROM (SELECT * FROM acts ORDER BY idx)
        WHERE folded IS NOT NULL AND ref NOT IN (SELECT target FROM relations WHERE type = 'corrects')
        GROUP BY form, office, folded, year HAVING count(*) > 1 ORDER BY min(idx)
    """
    for office, form, year, number, refs in ground.rows(query):
        acts = tuple(refs.split(" "))
        yield Finding("same-number", acts, {"office": office, "form": form, "year": year, "number": number, "count": len(acts)})


def same_serial(ground: Ground) -> Iterator[Finding]:
    """One serial of a declared book on several acts, none of which replaces another."""
    query = """
        SELECT serial, iif(?2, year, ''), group_concat(ref, ' ') FROM (SELECT * FROM acts ORDER BY idx)
        WHERE series = ?1 AND ref NOT IN (SELECT target FROM relations WHERE type = 'corrects')
        GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 2, 1
    """
    for book in ground.state.roster.series.values():
        for serial, found_year, refs in ground.rows(query, book["id"], book["resets"] == "yearly"):
            acts = tuple(refs.split(" "))
            values = {"series": book["id"], "office": book["office"], "serial": serial, "year": found_year, "count": len(acts)}
            yield Finding("same-serial", acts, values)


def dates_run_backwards(ground: Ground) -> Iterator[Finding]:
    """In a declared book, a higher serial on a paper with an earlier date."""
    query = """
        SELECT * FROM (
          SELECT ref, serial, signed_on, lag(ref) OVER book, lag(serial) OVER book, lag(signed_on) OVER book AS before
          FROM acts WHERE series = ?1 AND ref NOT IN (SELECT target FROM relations WHERE type = 'corrects')
          WINDOW book AS (PARTITION BY iif(?2, year, '') ORDER BY serial, idx)
        ) WHERE before > signed_on
    """
    for book in ground.state.roster.series.values():
        rows = ground.rows(query, book["id"], book["resets"] == "yearly")
        for ref, serial, signed_on, before_ref, before_serial, before in rows:
            values = {"series": book["id"], "office": book["office"], "serial": serial, "signed_on": signed_on}
            yield Finding("order", (ref, before_ref), values | {"before_serial": before_serial, "before": before})


def number_at_odds(ground: Ground) -> Iterator[Finding]:
    """A number without a digit, one that names another paper, or one with a month that does not exist."""
    query = "SELECT ref, kind, number, office FROM acts WHERE number IS NOT NULL ORDER BY idx"
    for ref, kind, number, office in ground.rows(query):
        values: dict[str, object] = {"number": number, "office": office, "kind": kind}
        words = _WORD.findall(number.upper())
        if not any(character.isdigit() for character in number):
            yield Finding("number-without-digit", (ref,), values)
        mark = next((one for one in ground.data["number_marks"] if one["mark"] in words), None)
        if mark is not None and kind not in mark["kinds"] and not _names(ground, words, kind):
            yield Finding("number-names-other-paper", (ref,), values | {"mark": mark["mark"]})
        month = next((part for part in re.split(r"[^A-Za-z0-9]+", number) if _is_odd_month(part)), None)
        if month is not None:
            yield Finding("month-malformed", (ref,), values | {"month": month})


def _names(ground: Ground, words: list[str], kind: str) -> bool:
    """Tell whether the number also names a paper of its own kind, as in *SPK/BAST*."""
    return any(one["mark"] in words and kind in one["kinds"] for one in ground.data["number_marks"])


def _is_odd_month(part: str) -> bool:
    return len(part) > 1 and set(part) <= set("IVX") and part not in _MONTHS


RULES: tuple[Rule, ...] = (gaps, no_number_book, same_number, same_serial, dates_run_backwards, number_at_odds)
