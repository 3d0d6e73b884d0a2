"""Reading the newest state of a home, for drafting and for the site: roster, acts, size. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ledger.errors import Reason
from ledger.index import Index
from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.publisher.store import Store
from ledger.records.roster import Roster

__all__ = ["Fate", "State", "fate_of", "open_state", "published_size"]


@dataclass(frozen=True, slots=True)
class State:
    """The roster and the acts after ``size`` entries."""

    roster: Roster
    index: Index
    size: int


@contextmanager
def open_state(home: Home) -> Iterator[State]:
    """Open the state of ``home``; the index can be asked until the block ends."""
    with Store(home, read_only=True) as store:
        head = store.head()
        yield State(store.roster(), store.index, head.size if head else 0)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a submission: ``published`` or ``integrated`` at ``index``, ``pending``, ``refused``, or ``unknown``."""

    state: str
    index: int | None = None
    reasons: tuple[Reason, ...] = ()


def fate_of(home: Home, act_id: str) -> Fate:
    """Return what became of the act or roster event with this id (hex SHA-256 of its payload)."""
    with Store(home, read_only=True) as store:
        index, size = store.index_of(act_id), store.published_size()
    if index is not None:
        return Fate("published" if index < size else "integrated", index)
    inbox = Inbox(home)
    try:
        state, reasons = inbox.state_of_act(act_id)
    finally:
        inbox.close()
    return Fate(state, None, reasons)


def published_size(home: Home) -> int:
    """Return the size of the checkpoint that is out."""
    with Store(home, read_only=True) as store:
        return store.published_size()
