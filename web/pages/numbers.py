"""``/numbers`` and ``/coverage``: what is not there. Declared number books with their gaps, and promises with what came."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from flask import Blueprint

from ledger.catalog.filters import Filter
from ledger.index import Void
from ledger.records.books import BookYear, Gap, ranges_of, years_of
from ledger.records.entry import local_date
from ledger.records.shapes import date_of
from web.app import reading
from web.pages.frame import page
from web.pages.kept import kept
from web.pages.names import Names
from web.site import Reading

__all__ = ["Book", "Explained", "Promise", "Year", "blueprint", "books_of", "offices_without_book", "promises_of"]

_MOST_GAPS = 60
_SAMPLE = 1000

blueprint = Blueprint("numbers", __name__)


@dataclass(frozen=True, slots=True)
class Explained:
    """Serials that a void act explains, as people list them."""

    index: int
    reason: str
    law: str | None
    serials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Year:
    """One year of a book, ready to be shown; ``oldest``: the gap that has stood open longest, ``days`` of it so far."""

    found: BookYear
    missing: int
    gaps: tuple[Gap, ...]
    more: int
    oldest: Gap | None
    days: int
    explained: tuple[Explained, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """A declared number book, the newest year first."""

    declared: dict[str, Any]
    years: tuple[Year, ...]


@dataclass(frozen=True, slots=True)
class Promise:
    """A duty and what came since; ``wanted`` finds it; ``lag`` is the median in days over the newest ``sample`` acts.

    ``begun``: its day has come by the newest entry.
    """

    duty: dict[str, Any]
    wanted: Filter
    count: int
    last: str | None
    lag: float | None
    sample: int
    begun: bool

    @property
    def whole(self) -> bool:
        """Every act was looked at."""
        return self.sample == self.count


@blueprint.get("/numbers")
def numbers() -> str:
    """Show the declared number books."""
    books = kept("books", reading, lambda: books_of(reading))
    without = kept("offices", reading, lambda: offices_without_book(reading))
    return page("numbers.html", books=books, without=without, names=Names(reading.roster), ranges_of=ranges_of)


@blueprint.get("/coverage")
def coverage() -> str:
    """Show what offices have promised to publish, and what came."""
    promises = kept("promises", reading, lambda: promises_of(reading))
    return page("coverage.html", promises=promises, names=Names(reading.roster))


def books_of(reading: Reading) -> list[Book]:
    """Return every declared book with its years."""
    found = []
    for declared in reading.roster.series.values():
        voids = reading.acts.voids(declared["id"], reading.size)
        papers = reading.acts.serials(declared["id"], reading.size)
        years = years_of(declared, papers, [(one.serials, one.signed_on) for one in voids])
        found.append(Book(declared, tuple(_year(reading, one, voids, declared) for one in reversed(years))))
    return found


def _year(reading: Reading, found: BookYear, voids: list[Void], book: dict[str, Any]) -> Year:
    today = local_date(reading.head.time, reading.roster.utc_offset)
    oldest = min(found.gaps, key=lambda gap: gap.since, default=None)
    explained = [_explained(one, found) for one in voids if book["resets"] != "yearly" or one.signed_on[:4] == found.year]
    return Year(
        found, sum(gap.count for gap in found.gaps), found.gaps[:_MOST_GAPS], len(found.gaps[_MOST_GAPS:]),
        oldest, _days(oldest.since, today) if oldest else 0, tuple(one for one in explained if one.serials),
    )  # fmt: skip


def _explained(void: Void, found: BookYear) -> Explained:
    within = [serial for serial in void.serials if found.low <= serial <= found.high]
    return Explained(void.index, void.reason, void.law, tuple(ranges_of(within)))


def _days(earlier: str, later: str) -> int:
    first, last = date_of(earlier), date_of(later)
    return max(0, (last - first).days) if first and last else 0


def offices_without_book(reading: Reading) -> list[tuple[str, int]]:
    """Return (office, its acts) of the offices that publish here and have declared no number book."""
    declared = {book["office"] for book in reading.roster.series.values()}
    counts = [(one, reading.catalog.count(Filter(office=(one,)), reading.size)) for one in reading.roster.offices]
    return [(office, count) for office, count in counts if count and office not in declared]


def promises_of(reading: Reading) -> list[Promise]:
    """Return every duty with what was recorded since its day."""
    return [_promise(reading, duty) for duty in reading.roster.duties]


def _promise(reading: Reading, duty: dict[str, Any]) -> Promise:
    wanted = Filter(office=(duty["office"],), form=tuple(duty["forms"]), since=duty["from"])
    rows = reading.catalog.search(wanted, per_page=_SAMPLE, size=reading.size).rows
    lags = [row.lag_days for row in rows]
    begun = duty["from"] <= local_date(reading.head.time, reading.roster.utc_offset)
    count = max(len(rows), reading.catalog.count(wanted, reading.size))
    return Promise(duty, wanted, count, rows[0].recorded_on if rows else None, median(lags) if lags else None, len(rows), begun)
