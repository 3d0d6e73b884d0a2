"""The first page: what this is and is not, search, the newest acts, and the ledger's state in plain words."""

from __future__ import annotations

import time

from flask import Blueprint

from ledger.records.entry import format_time, local_date
from ledger.records.replay import Act
from ledger.records.shapes import date_of
from web.app import reading
from web.pages.corecording import co_recorders
from web.pages.frame import page
from web.pages.names import Names
from web.pages.rows import acts_as_rows
from web.site import Reading

__all__ = ["blueprint", "newest", "quiet_days"]

_NEWEST = 8

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def home() -> str:
    """Show the first page."""
    rows = acts_as_rows(reading, newest(reading, _NEWEST))
    days = quiet_days(reading.head.time, int(time.time()), reading.roster.utc_offset)
    return page("home.html", rows=rows, names=Names(reading.roster), days=days, witnesses=co_recorders(reading), own_search=True)


def newest(reading: Reading, count: int) -> list[Act]:
    """Return the newest published acts, the newest first; asked of the index, which is never behind."""
    query = "SELECT idx FROM acts WHERE idx < ? ORDER BY idx DESC LIMIT ?"
    places = reading.acts.connection.execute(query, (reading.size, count)).fetchall()
    return [act for (index,) in places if (act := reading.acts.by_index(index)) is not None]


def quiet_days(last: str, now: int, utc_offset: str) -> int:
    """Return how many days lie between the local dates of the last entry (UTC time) and of ``now`` (POSIX seconds)."""
    then, today = (date_of(local_date(one, utc_offset)) for one in (last, format_time(now)))
    return max(0, (today - then).days) if then and today else 0
