"""The history of an act: what it did to others, and what later acts did to it, inside and outside this ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledger.records.record import Record
from ledger.records.replay import Act
from ledger.records.roster import Roster
from web.api.standing import Standing
from web.site import Reading

__all__ = ["Link", "became_of", "did"]


@dataclass(frozen=True, slots=True)
class Link:
    """One relation: to an ``act`` of this ledger, or to a paper ``outside`` it.

    ``undone``: the act that did it was itself annulled or replaced. ``disputed``: that act's signer is no longer trusted.
    """

    type: str
    act: Act | None = None
    outside: dict[str, Any] | None = None
    reason: str | None = None
    undone: bool = False
    disputed: bool = False


def did(reading: Reading, record: Record) -> list[Link]:
    """Return what ``record`` says that it does to other papers, in its own order."""
    return [
        Link(one["type"], reading.acts.by_ref(one["ref"]) if "ref" in one else None, one.get("outside"), one.get("reason"))
        for one in record.relations
    ]


def became_of(reading: Reading, standing: Standing) -> list[Link]:
    """Return what later acts did, oldest first."""
    return [
        Link(one.type, one.act, undone=one.undone, disputed=_is_disputed(reading.roster, one.act)) for one in standing.changes
    ]


def _is_disputed(roster: Roster, act: Act) -> bool:
    return act.id not in roster.reaffirmed and bool(roster.suspects(list(act.signers), act.index))
