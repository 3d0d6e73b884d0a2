"""Where one entry stands among the others: the roster that it names, and its time, held against the ledger around it.

An entry says itself by which roster it was judged, and when. Alone it could name an older roster, in which a key had not
ended yet, or an earlier time. So the ledger is asked where the roster's payloads stand, and what the neighbours say. A log
that lies throughout is found by ``audit``; here a lie has to be told by every entry around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import LedgerError
from ledger.records.entry import Entry, parse_entry
from ledger.records.events import ROSTER_TYPE
from ledger.records.roster import Roster
from ledger.verifier.reader import View

if TYPE_CHECKING:
    from ledger.verifier.case import Case

__all__ = ["check_event_place", "check_place", "roster_place"]

_WALK = 4096


def check_place(case: Case, view: View, entry: Entry) -> None:
    """Note what the ledger around the entry says against it; ``case.rosters`` is the chain at hand, not empty.

    Raises:
        LedgerError: the ledger could not be read.
    """
    _check_newest(case, view)
    if case.proof.index < view.size:
        _check_neighbours(case, view, entry)
        _check_named(case, view, entry)


def check_event_place(case: Case, view: View, entry: Entry) -> None:
    """Note whether a roster event stands at its payload's one place.

    Raises:
        LedgerError: the ledger could not be read.
    """
    n = next((one.n for one in case.rosters if one.hash == entry.envelope.id), None)
    place = None if n is None else roster_place(view, case.rosters, n)
    if place is None:
        case.add("authority", "not_checked", "roster-place-unknown", n=-1 if n is None else n)
    elif place != case.proof.index:
        case.add("authority", "failed", "roster-replayed", n=n, place=place, index=case.proof.index)


def _check_newest(case: Case, view: View) -> None:
    """The chain at hand must reach the roster that the ledger's last entry names; revocations may be missing otherwise."""
    last = _entry_at(view, view.size - 1)
    if last is None or _after(last) not in {one.hash for one in case.rosters}:
        case.add("roster", "not_checked", "roster-not-whole", n=case.rosters[-1].n, size=view.size)


def _check_neighbours(case: Case, view: View, entry: Entry) -> None:
    index = case.proof.index
    before = _entry_at(view, index - 1) if index else None
    after = _entry_at(view, index + 1) if index + 1 < view.size else None
    if before is not None and before.time > entry.time:
        case.add("authority", "failed", "time-turned-back", index=index, place=index - 1, time=entry.time, other=before.time)
    if after is not None and after.time < entry.time:
        case.add("authority", "failed", "time-turned-back", index=index, place=index + 1, time=entry.time, other=after.time)


def _check_named(case: Case, view: View, entry: Entry) -> None:
    """The named roster must stand before the entry, and the next one not."""
    n = next((one.n for one in case.rosters if one.hash == entry.roster), None)
    if n is None:
        return
    index = case.proof.index
    own = roster_place(view, case.rosters, n)
    following = roster_place(view, case.rosters, n + 1) if n + 1 < len(case.rosters) else view.size
    if own is not None and own >= index:
        case.add("authority", "failed", "roster-from-later", n=n, place=own, index=index)
    elif following is not None and following < index:
        case.add("authority", "failed", "roster-outdated", n=n + 1, place=following, index=index)
    elif own is None or following is None:
        case.add("authority", "not_checked", "roster-place-unknown", n=n)


def roster_place(view: View, rosters: list[Roster], n: int) -> int | None:
    """Return the index of roster payload ``n``, found by halving, as entries name rosters in their order.

    Entries that name an outdated roster lead halving past it, so the last ``_WALK`` entries before that place are read as
    well. None if it is not there. Cost: about log2(size) entry bundles where nothing is wrong.
    """
    turns = {one.hash: one.n for one in rosters}
    low, high = 0, view.size
    while low < high:
        middle = (low + high) // 2
        entry = _entry_at(view, middle)
        if entry is not None and turns.get(entry.roster, -1) >= n:
            high = middle
        else:
            low = middle + 1
    for place in range(low - 1, max(low - 1 - _WALK, -1), -1):
        entry = _entry_at(view, place)
        if entry is not None and entry.envelope.id == rosters[n].hash:
            return place
    return None


def _after(entry: Entry) -> str:
    """Return the hash of the newest roster after ``entry``."""
    return entry.envelope.id if entry.envelope.payload_type == ROSTER_TYPE else entry.roster


def _entry_at(view: View, index: int) -> Entry | None:
    """Return a proven entry; None if it is of a later version or was written against the rules.

    Raises:
        ProofError, FetchError: it could not be read as the checkpoint promises.
    """
    data = view.entry(index)
    try:
        return parse_entry(data)
    except LedgerError:
        return None
