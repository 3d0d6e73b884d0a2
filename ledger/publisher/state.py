"""Reading the newest state of a home, for drafting and for the site: roster, acts, size. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ledger.index import Index
from ledger.publisher.home import Home
from ledger.publisher.store import Store
from ledger.records.roster import Roster

__all__ = ["State", "open_state"]


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
