"""The first page: what this is and is not, search, the newest acts, and the ledger's state in plain words."""

from __future__ import annotations

import time

from flask import Blueprint

from ledger.records.entry import format_time, local_date
from ledger.records.shapes import date_of
from web.app import reading
from web.pages.corecording import co_recorders
from web.pages.frame import page
from web.pages.names import Names
from web.pages.rows import rows_of

__all__ = ["blueprint", "quiet_days"]

_NEWEST = 8

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
def home() -> str:
    """Show the first page."""
    rows = rows_of(reading, [row for row in reading.catalog.newest(_NEWEST) if row.index < reading.size])
    days = quiet_days(reading.head.time, int(time.time()), reading.roster.utc_offset)
    return page("home.html", rows=rows, names=Names(reading.roster), days=days, witnesses=co_recorders(reading), own_search=True)


def quiet_days(last: str, now: int, utc_offset: str) -> int:
    """Return how many days lie between the local dates of the last entry (UTC time) and of ``now`` (POSIX seconds)."""
    then, today = (date_of(local_date(one, utc_offset)) for one in (last, format_time(now)))
    return max(0, (today - then).days) if then and today else 0
