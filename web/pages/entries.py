"""``/records/<index>``: the page of one entry. An act's page says first what became of it, then what it is.

Above the fold on a small phone, in this order: status, form and number and title and office, money and supplier (or subject
and effect), four dates, who signed the paper and who published it, the document, what to compare, what was (not) checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, g, make_response

from ledger.desk.labels import label_svg
from ledger.errors import StoreError, UsageError
from ledger.records.entry import Entry, local_date
from ledger.records.record import Record
from ledger.records.replay import Act
from ledger.records.shapes import date_of
from web.api.standing import standing_of
from web.app import reading
from web.documents import SHOWN
from web.pages.corecording import first_co_recorded
from web.pages.fields import leading_fields, other_fields, positions_of
from web.pages.frame import page, say_of
from web.pages.history import Link, became_of, did
from web.pages.names import Names
from web.pages.proofs import picture_of
from web.pages.roster import show_decision
from web.present import Present

__all__ = ["Document", "blueprint"]

_CHANGES = ("annuls", "corrects", "revokes", "amends", "completes")
_EFFECTS = ("amends", "corrects", "revokes", "annuls", "completes")
_CLAIMS = ("drafted_on", "promulgated_on", "effective_on", "expires_on")
_QUIET_KINDS = ("personnel", "permit")  # search engines are asked to stay away: domain.md, persons

blueprint = Blueprint("entries", __name__)


@dataclass(frozen=True, slots=True)
class Document:
    """A document as its act states it: ``address`` to have it, ``shown`` to see it in place; ``withdrawn`` by which event."""

    stated: dict[str, Any]
    address: str | None
    shown: str | None
    withdrawn: dict[str, Any] | None


@blueprint.get("/records/<int:index>")
def entry(index: int) -> Response:
    """Show an act, or a decision about the roster."""
    found = reading.record(index)
    if found is not None:
        return _act(index, *found)
    return make_response(show_decision(index, _entry(index)))


@blueprint.get("/records/<int:index>/label.svg")
def label(index: int) -> Response:
    """Draw the QR label of an act."""
    act = reading.acts.by_index(index)
    if act is None:
        raise _no_entry(index)
    svg = label_svg(act.ref, reading.roster.name, reading.home.url)
    return Response(svg, mimetype="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})


def _entry(index: int) -> Entry:
    found = reading.entry(index)
    if found is None:
        raise _no_entry(index)
    return found


def _no_entry(index: int) -> UsageError:
    return UsageError(f"entry {index}", code="no-entry", index=index, last=reading.size - 1)


def _act(index: int, entry: Entry, record: Record) -> Response:
    data, say, roster = record.data, say_of(g.lang), reading.roster
    show, act = Present(g.lang, roster.utc_offset), _known(index)
    standing = standing_of(reading, act)
    became, acted = became_of(reading, standing), did(reading, record)
    here = local_date(entry.time, roster.utc_offset)
    quiet = data["kind"] in _QUIET_KINDS
    html = page(
        "act.html",
        index=index, entry=entry, data=data, act=act, names=Names(roster), lag=_days(data["signed_on"], here),
        standing=standing, changes=_in_effect(became), became=became, acted=acted,
        effects=[one for one in acted if one.type in _EFFECTS], reaffirmed=record.id in roster.reaffirmed,
        leading=leading_fields(data, say, show), others=other_fields(data, say, show), positions=positions_of(data, say),
        claims=[name for name in _CLAIMS if name in data], documents=_documents(data),
        co_recorded=first_co_recorded(reading, index),
        picture=picture_of(reading, index), permalink=f"{(reading.home.url or '').rstrip('/')}/r/{record.ref}",
        up_to=reading.head.time, noindex=quiet,
    )  # fmt: skip
    response = make_response(html)
    if quiet:
        response.headers["X-Robots-Tag"] = "noindex"
    return response


def _known(index: int) -> Act:
    act = reading.acts.by_index(index)
    if act is None:
        raise StoreError(f"entry {index} is not in the index", code="entries-missing", start=index, end=index + 1)
    return act


def _in_effect(became: list[Link]) -> list[Link]:
    """Return what later acts did that still counts, the gravest first."""
    counting = [one for one in became if one.type in _CHANGES and not one.undone]
    return sorted(counting, key=lambda one: _CHANGES.index(one.type))


def _days(earlier: str, later: str) -> int:
    first, last = date_of(earlier), date_of(later)
    return (last - first).days if first and last else 0


def _documents(data: dict[str, Any]) -> list[Document]:
    """Return the documents, those that were signed first."""
    found = [_document(one) for one in data["documents"]]
    return sorted(found, key=lambda one: one.stated["role"] != "signed")


def _document(stated: dict[str, Any]) -> Document:
    sha256 = stated.get("sha256")
    withdrawn = reading.roster.withdrawn.get(sha256) if sha256 else None
    if sha256 is None or withdrawn is not None:
        return Document(stated, None, None, dict(withdrawn) if withdrawn else None)
    shown = f"/view/{sha256}" if stated["media_type"] in SHOWN else None
    return Document(stated, f"/documents/{sha256[:2]}/{sha256}", shown, None)
