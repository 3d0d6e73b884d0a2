"""What became of an act: later acts that changed it, and keys that are no longer trusted; computed by the one replay.

    annulled  revoked  corrected   it may no longer be relied on as it stands
    disputed                       a signer's key was revoked as untrustworthy from before this entry on
    amended                        it stands, with changes
    unchanged                      no revocation or change is recorded up to the published size

The worst comes first. A later act that was itself annulled or corrected changes nothing, and is shown as undone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.records.refs import format_ref
from ledger.records.replay import BINDING, Act, Change, changes_to
from ledger.records.roster import Roster
from web.site import PublishedActs, Reading

__all__ = ["BROKEN", "MOST_NAMING", "STATES", "Say", "Standing", "Suspect", "change_json", "change_sentence", "head_json",
           "standing_json", "standing_of", "suspects_of"]  # fmt: skip

STATES = ("annulled", "revoked", "corrected", "disputed", "amended", "unchanged")
BROKEN = ("annulled", "revoked", "corrected", "disputed")
MOST_NAMING = 200
_MARKS = ", ".join("?" * len(BINDING))
_BY_TYPE = {"annuls": "annulled", "revokes": "revoked", "corrects": "corrected", "amends": "amended"}

Say = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A signer's key that was revoked as untrustworthy from entry ``suspect_from`` on."""

    keyid: str
    holder: str
    suspect_from: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The ``state`` of an act at the published size, what later acts did to it, oldest first, and suspect keys.

    ``changes`` holds every one that can matter for the state, and of those that merely name it (``follows``,
    ``implements`` …) the first ``MOST_NAMING``; ``more`` counts the rest.
    """

    state: str
    changes: tuple[Change, ...]
    suspects: tuple[Suspect, ...]
    more: int = 0

    def that_count(self) -> list[Change]:
        """Return the changes that decide the state: not undone, the worst first."""
        counting = [one for one in self.changes if one.type in _BY_TYPE and not one.undone]
        return sorted(counting, key=lambda one: STATES.index(_BY_TYPE[one.type]))


def standing_of(reading: Reading, act: Act) -> Standing:
    """Return what became of ``act`` up to the published size."""
    around = _Around(reading, act.ref)
    changes, suspects = tuple(changes_to(around, act.ref)), suspects_of(reading.roster, act)
    found = {_BY_TYPE[one.type] for one in changes if one.type in _BY_TYPE and not one.undone}
    found |= {"disputed"} if suspects else set()
    state = next((one for one in STATES if one in found), "unchanged")
    return Standing(state, changes, suspects, around.more())


class _Around(PublishedActs):
    """The acts that decide what others mean; of those that merely name ``ref``, as many as are shown."""

    def __init__(self, reading: Reading, ref: str) -> None:
        super().__init__(reading.store.connection, reading.size)
        self.ref = ref

    def relating_to(self, ref: str) -> Sequence[tuple[str, Act]]:
        """Return (relation type, act) of those that name ``ref``, oldest first."""
        found = self._naming(ref, "IN", -1)
        if ref == self.ref:
            found = sorted([*found, *self._naming(ref, "NOT IN", MOST_NAMING)], key=lambda one: (one[1], one[0]))
        return [(kind, act) for kind, index in found if (act := self.by_index(index)) is not None]

    def more(self) -> int:
        """Return how many that name the act are not among them."""
        query = f"SELECT count(*) FROM relations WHERE target = ? AND idx < ? AND type NOT IN ({_MARKS})"
        count = self.connection.execute(query, (self.ref, self.size, *BINDING)).fetchone()[0]
        return max(0, int(count) - MOST_NAMING)

    def _naming(self, ref: str, among: str, most: int) -> list[tuple[str, int]]:
        chosen = f"target = ? AND idx < ? AND type {among} ({_MARKS})"
        query = f"SELECT type, idx FROM relations WHERE {chosen} ORDER BY idx, type LIMIT ?"
        return list(self.connection.execute(query, (ref, self.size, *BINDING, most)).fetchall())


def suspects_of(roster: Roster, act: Act) -> tuple[Suspect, ...]:
    """Return the keys that signed ``act`` and are no longer trusted from before it on; none once it is reaffirmed."""
    if act.id in roster.reaffirmed:
        return ()
    found = []
    for keyid in roster.suspects(list(act.signers), act.index):
        one = roster.enrolments[keyid]
        found.append(Suspect(keyid, one.holder, one.suspect_from or 0))
    return tuple(found)


def standing_json(reading: Reading, standing: Standing, say: Say) -> dict[str, Any]:
    """Return a standing with its sentence, and the entry and time up to which it was computed."""
    last = {"index": reading.size - 1, "time": reading.head.time}
    sentences = [
        say("check.key-suspect", keyid=one.keyid[:16], holder=one.holder, suspect_from=one.suspect_from)
        for one in standing.suspects
    ]
    sentences += [change_sentence(one, say) for one in standing.that_count()]
    if standing.state == "unchanged":
        sentences.append(say("api.no-change", **last))
    suspects = [{"keyid": one.keyid, "holder": one.holder, "suspect_from": one.suspect_from} for one in standing.suspects]
    return {"state": standing.state, "sentence": " ".join(sentences), "up_to": last, "suspects": suspects}


def change_sentence(change: Change, say: Say) -> str:
    """Return the sentence of a later act that names this one."""
    act = change.act
    code = "change-undone" if change.undone else f"change-{change.type.replace('_', '-')}"
    values = {"number": act.number or "-", "title": act.title, "date": act.signed_on, "index": act.index, "type": change.type}
    return say(f"check.{code}", ref=format_ref(act.ref), **values)


def change_json(reading: Reading, change: Change) -> dict[str, Any]:
    """Return a later act that names this one; ``disputed``: that act's own signer is no longer trusted."""
    return {
        "type": change.type,
        "direction": "named_by",
        **head_json(change.act),
        "undone": change.undone,
        "disputed": bool(suspects_of(reading.roster, change.act)),
    }


def head_json(act: Act) -> dict[str, Any]:
    """Return the head of an act as lists of related acts show it."""
    names = ("index", "time", "id", "ref", "kind", "form", "office", "number", "title", "signed_on")
    shown = {name: getattr(act, name) for name in names}
    return {**shown, "record_url": f"/api/v1/records/{act.index}"}
