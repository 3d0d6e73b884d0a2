"""``/r/<ref>`` and ``/n/<number>``: from what is printed on a paper, in any spelling, to the acts that carry it."""

from __future__ import annotations

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from ledger.errors import FormatError
from ledger.records.refs import format_ref, parse_ref
from web.app import reading
from web.pages.frame import page, url
from web.pages.names import Names
from web.pages.rows import acts_as_rows

__all__ = ["blueprint"]

_MOST_ACTS = 200
_LONGEST = 200

blueprint = Blueprint("lookups", __name__)


@blueprint.get("/r/")
@blueprint.get("/n/")
def typed() -> Response | tuple[str, int]:
    """Go on with a reference or number that was typed into a plain form."""
    for name, path in (("ref", "/r/"), ("number", "/n/")):
        text = request.args.get(name, "").strip()[: _LONGEST + 1]
        if text.strip("/"):
            return redirect(url(path + text), 303)
    return _not_found("nothing-typed", "")


@blueprint.get("/r/<path:typed>")
def ref(typed: str) -> Response | tuple[str, int]:
    """Lead to the act of a reference."""
    try:
        stored = parse_ref(typed.strip())
    except FormatError:
        return _not_found("no-reference", typed)
    act = reading.acts.by_ref(stored)
    return redirect(url(f"/records/{act.index}"), 302) if act else _not_found("unknown-reference", format_ref(stored))


@blueprint.get("/n/<path:typed>")
def number(typed: str) -> str | tuple[str, int]:
    """List every act that carries a number, in any spelling, office, form and year."""
    acts = reading.acts.by_number_alone(typed.strip()) if len(typed) <= _LONGEST else []
    if not acts:
        return _not_found("unknown-number", typed)
    rows = acts_as_rows(reading, acts[:_MOST_ACTS])
    return page("number.html", typed=typed, rows=rows, count=len(acts), names=Names(reading.roster))


def _not_found(why: str, typed: str) -> tuple[str, int]:
    return page("not-found.html", why=why, typed=typed[:_LONGEST], noindex=True, own_search=True), 404
