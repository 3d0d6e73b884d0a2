"""``/records``: search, facets as a plain form, chips that remove one wish, order, pages, and exports of exactly this filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, request

from ledger.catalog.filters import FACETS, SORTS, Filter
from ledger.errors import FormatError, UsageError
from ledger.records.refs import parse_ref
from ledger.records.replay import Act
from web.app import reading
from web.pages.fields import Say, shown_method
from web.pages.frame import page, say_of, url
from web.pages.names import Names
from web.pages.rows import rows_of

__all__ = ["Chip", "Choice", "blueprint"]

_PER_PAGE = 20
_MOST_ROWS = 10_000
_CHOICES = 12
EXPORTS = ("json", "jsonl", "csv", "xlsx", "atom")

blueprint = Blueprint("search", __name__)


@dataclass(frozen=True, slots=True)
class Chip:
    """One wish of the filter, in words, and the address without it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that a facet offers: ``count`` None is not counted."""

    value: str
    label: str
    count: int | None
    chosen: bool


@blueprint.get("/records")
def records() -> str:
    """Show one page of the acts that the query wants."""
    from flask import g

    wanted = Filter.read(request.args.items(multi=True))
    number = _page_number(request.args.get("page", "1"))
    found = reading.catalog.search(wanted, page=number, per_page=_PER_PAGE, size=reading.size)
    say, names = say_of(g.lang), Names(reading.roster)
    return page(
        "records.html",
        wanted=wanted, found=found, names=names, own_search=True, sorts=SORTS,
        rows=rows_of(reading, found.rows, wanted.q),
        chips=_chips(wanted, say, names), facets=_facets(wanted, found.facets, say, names), exact=_exact(wanted.q),
        exports={one: _export(one, wanted) for one in EXPORTS}, number=number,
        pages=_pages(wanted, number, found.count, found.exact),
        reach=min(reading.catalog.size, reading.size), noindex=bool(wanted.pairs()) or number > 1,
    )  # fmt: skip


def _page_number(text: str) -> int:
    """Return the page that is asked for.

    Raises:
        UsageError: ``bad-filter``: no number, or beyond what one search shows; exports hold all rows.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= _MOST_ROWS // _PER_PAGE):
        raise UsageError(f"page={text[:20]!r}", code="bad-filter", name="page", value=text[:20])
    return int(text)


def _exact(q: str) -> Act | None:
    """Return the act whose reference the words are, in any spelling."""
    try:
        return reading.acts.by_ref(parse_ref(q.strip()))
    except FormatError:
        return None


def _label(name: str, value: str, say: Say, names: Names) -> str:
    """Return a facet's value in words."""
    if name == "method":
        return shown_method(value, say)
    if name in ("office", "form"):
        return names.office(value) if name == "office" else names.form(value)
    return say(f"page.kind-{value}") if name == "kind" else value


def _chips(wanted: Filter, say: Say, names: Names) -> list[Chip]:
    found = []
    for name, value in wanted.pairs():
        if name != "sort":
            left = wanted.without(name, value) if name in FACETS else wanted.without(name)
            found.append(Chip(name, _label(name, value, say, names), url("/records", left.pairs())))
    return found


def _facets(
    wanted: Filter, counted: Mapping[str, list[tuple[str, int | None]]], say: Say, names: Names
) -> dict[str, list[Choice]]:
    """Return what each facet offers: what is chosen first, then the most frequent values."""
    offered = {}
    for name in FACETS:
        chosen, counts = getattr(wanted, name), dict(counted.get(name, []))
        values = list(dict.fromkeys((*chosen, *list(counts)[:_CHOICES])))
        offered[name] = [Choice(one, _label(name, one, say, names), counts.get(one), one in chosen) for one in values]
    return {name: choices for name, choices in offered.items() if choices}


def _export(form: str, wanted: Filter) -> str:
    query = urlencode(wanted.pairs())
    path = "/feed.atom" if form == "atom" else f"/api/v1/records.{form}"
    return path + (f"?{query}" if query else "")


def _pages(wanted: Filter, number: int, count: int, exact: bool) -> dict[str, str]:
    """Return the addresses of the page before and the page after, where there are such."""
    last = min(-(-count // _PER_PAGE), _MOST_ROWS // _PER_PAGE) if exact else _MOST_ROWS // _PER_PAGE
    near = {"before": number - 1, "after": number + 1}
    return {
        name: url("/records", [*wanted.pairs(), *([("page", other)] if other > 1 else [])])
        for name, other in near.items()
        if 1 <= other <= last
    }
