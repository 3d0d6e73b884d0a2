"""Number books: of a declared book, year by year, which serials stand here, are explained, or are not published here.

    book 1 … 9, complete from 1 January     published 1 2 3 6 9     explained 4     not published here 5, 7–8

Nothing is said about serials before the day from which the office has declared its book complete, nor about those after
the last one published: nobody but the office knows how far it has counted.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["BookYear", "Gap", "gaps_between", "ranges_of", "years_of"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Serials ``first … last`` that are not published here; ``since`` is the date of the paper with the next serial."""

    first: int
    last: int
    since: str

    @property
    def count(self) -> int:
        """How many serials."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class BookYear:
    """One year of a book (``""`` where it never starts again): it is whole between serials ``low`` and ``high``, gaps apart.

    ``published`` are the serials of acts, all of that year, in order; ``explained`` those of void acts within the span.
    """

    year: str
    low: int
    high: int
    published: tuple[int, ...]
    explained: tuple[int, ...]
    gaps: tuple[Gap, ...]


def years_of(
    book: dict[str, Any], papers: Sequence[tuple[int, str]], voids: Iterable[tuple[Sequence[int], str]]
) -> list[BookYear]:
    """Return the years of ``book``, the oldest first.

    ``papers`` are (serial, date of the paper) of its acts, by serial; ``voids`` (serials, date of the paper) of what
    explains serials. The cost follows the acts, not the serials.
    """
    used: dict[str, list[tuple[int, str]]] = {}
    for serial, signed_on in papers:
        used.setdefault(_year(book, signed_on), []).append((serial, signed_on))
    explained: dict[str, set[int]] = {}
    for serials, signed_on in voids:
        explained.setdefault(_year(book, signed_on), set()).update(serials)
    since = _year(book, book["complete_from"])
    return [_book_year(book, year, used[year], explained.get(year, set())) for year in sorted(used) if year >= since]


def _book_year(book: dict[str, Any], year: str, used: list[tuple[int, str]], explained: set[int]) -> BookYear:
    low, high = _span(book, year, used)
    serials = sorted({serial for serial, _ in used})
    dates = dict(reversed(used))
    gaps = [Gap(first, last, dates[_after(serials, last)]) for first, last in gaps_between({*serials, *explained}, low, high)]
    within = sorted(serial for serial in explained if low <= serial <= high)
    return BookYear(year, low, high, tuple(serials), tuple(within), tuple(gaps))


def _after(serials: list[int], last: int) -> int:
    """Return the first serial beyond ``last``; there is one, as a span ends with a published serial."""
    return serials[bisect.bisect_right(serials, last)]


def _year(book: dict[str, Any], signed_on: str) -> str:
    return signed_on[:4] if book["resets"] == "yearly" else ""


def _span(book: dict[str, Any], year: str, used: list[tuple[int, str]]) -> tuple[int, int]:
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


def ranges_of(serials: Iterable[int]) -> list[str]:
    """Return serials as people list them: ``1``, ``4–5``.

    >>> ranges_of([5, 1, 4])
    ['1', '4–5']
    """
    found: list[list[int]] = []
    for serial in sorted(set(serials)):
        if found and serial == found[-1][1] + 1:
            found[-1][1] = serial
        else:
            found.append([serial, serial])
    return [str(first) if first == last else f"{first}–{last}" for first, last in found]
