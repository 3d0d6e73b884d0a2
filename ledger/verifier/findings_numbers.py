"""Findings about numbers: gaps and order in declared number books, numbers used twice, numbers at odds with their paper."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ledger.verifier.findings import Finding, Ground, Rule, listed

__all__ = ["RULES", "gaps_between"]

_MONTHS = {"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}
_WORD = re.compile(r"[A-Z]+")


def gaps(ground: Ground) -> Iterator[Finding]:
    """Serials of a declared number book, since it is complete, that no act and no void act names."""
    for book in ground.state.roster.series.values():
        used = _serials(ground, book)
        for year in sorted(used):
            low, high = _range(book, year, used[year])
            missing = gaps_between({serial for serial, _ in used[year]} | _void(ground, book, year), low, high)
            if missing:
                count = sum(end - start + 1 for start, end in missing)
                shown = [str(start) if start == end else f"{start}–{end}" for start, end in missing]
                values = {"series": book["id"], "office": book["office"], "year": year, "count": count, "serials": listed(shown)}
                yield Finding("gap", (), values)


def _serials(ground: Ground, book: dict[str, Any]) -> dict[str, list[tuple[int, str]]]:
    """Return (serial, paper's date) by the book's year; one that never starts again has the one year ``""``."""
    used: dict[str, list[tuple[int, str]]] = {}
    for serial, signed_on in ground.rows("SELECT serial, signed_on FROM acts WHERE series = ? ORDER BY serial", book["id"]):
        used.setdefault(_year(book, signed_on), []).append((serial, signed_on))
    return {year: found for year, found in used.items() if not year or year >= book["complete_from"][:4]}


def _void(ground: Ground, book: dict[str, Any], year: str) -> set[int]:
    query = """
        SELECT signed_on, json_extract(body, '$.fields.series'), json_extract(body, '$.fields.serials')
        FROM acts WHERE kind = 'void'
    """
    found: set[int] = set()
    for signed_on, series, serials in ground.rows(query):
        if series == book["id"] and _year(book, signed_on) == year:
            found |= set(json.loads(serials))
    return found


def _year(book: dict[str, Any], signed_on: str) -> str:
    return signed_on[:4] if book["resets"] == "yearly" else ""


def _range(book: dict[str, Any], year: str, used: list[tuple[int, str]]) -> tuple[int, int]:
    """Return the serials between which the book must be whole: in the year of ``complete_from``, only from that day on."""
    since = [serial for serial, signed_on in used if signed_on >= book["complete_from"]]
    if not since:
        return 0, -1
    partial = year == book["complete_from"][:4] and not book["complete_from"].endswith("-01-01")
    return (min(since) if partial else book["start"]), max(since)


def gaps_between(used: set[int], low: int, high: int) -> list[tuple[int, int]]:
    """Return the ranges (first, last) in ``low … high`` that ``used`` does not hold; cost by ``used``, not by the range."""
    found, expected = [], low
    for serial in sorted(one for one in used if low <= one <= high):
        if serial > expected:
            found.append((expected, serial - 1))
        expected = serial + 1
    return [*found, (expected, high)] if expected <= high else found


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
