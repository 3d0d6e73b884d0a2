"""What became of an act: the ledger's own history, keys suspected since, withdrawals, and later acts that name it.

Only what was proven is shown. A look-up bucket that leaves an act out is not noticed here, so that nothing was left out
is said not to be checked; a full audit checks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.errors import LedgerError
from ledger.records.entry import Entry, parse_entry
from ledger.records.record import Record
from ledger.records.replay import Act, changes_to, judge_record
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.policy import Opened
from ledger.verifier.acts import LookedUpActs, record_at
from ledger.verifier.place import check_place
from ledger.verifier.reader import View
from ledger.verifier.trust import check_growth, follow, keep_evidence
from ledger.verifier.verdict import Check

if TYPE_CHECKING:
    from ledger.verifier.case import Case

__all__ = ["add_later"]


def add_later(case: Case, opened: Opened, entry: Entry, record: Record) -> None:
    """Add what is known today about ``record``."""
    _add_history(case, opened.checkpoint)
    if case.rosters:
        _add_suspicion(case, record)
        _add_withdrawals(case, record)
    if case.view is None:
        case.add("later", "not_checked", "later-offline", size=opened.checkpoint.size, time=entry.time)
        return
    try:
        if case.rosters:
            check_place(case, case.view, entry)
        _add_changes(case, case.view, record)
    except LedgerError as error:
        case.trouble("later", error)
        if case.given:
            case.add("later", "not_checked", "later-unread")


def _add_history(case: Case, checkpoint: Checkpoint) -> None:
    """The proof's checkpoint, the source's and the newest one pinned must be one history."""
    pin, view = case.trusted.pin, case.view
    try:
        if view is not None:
            check_growth(checkpoint, view)
            if pin is not None:
                follow(pin, view)
            case.add("history", "passed", "grew", size=view.size)
        elif pin is not None and pin.checkpoint is not None:
            _compare_offline(case, checkpoint, pin.checkpoint)
    except LedgerError as error:
        case.trouble("history", error)
        if pin is not None and view is not None and error.code in ("ledger-forked", "ledger-rolled-back"):
            keep_evidence(pin, case.proof.checkpoint, view.note)


def _compare_offline(case: Case, checkpoint: Checkpoint, seen: Checkpoint) -> None:
    """Without tiles only two checkpoints of one size can be compared."""
    if checkpoint.size != seen.size:
        return
    if checkpoint.root != seen.root:
        roots = {"old_root": seen.root.hex()[:16], "root": checkpoint.root.hex()[:16]}
        if case.trusted.pin is not None:
            keep_evidence(case.trusted.pin, case.proof.checkpoint)
        case.add("history", "failed", "ledger-forked", old_size=seen.size, size=checkpoint.size, **roots)
    else:
        case.add("history", "passed", "grew", size=seen.size)


def _add_suspicion(case: Case, record: Record) -> None:
    newest = case.rosters[-1]
    if record.id in newest.reaffirmed:
        return
    for keyid in newest.suspects(record.data["signers"], case.proof.index):
        one = newest.enrolments[keyid]
        case.add("key-trust", "disputed", "key-suspect", keyid=keyid[:16], holder=one.holder, suspect_from=one.suspect_from)


def _add_withdrawals(case: Case, record: Record) -> None:
    for document in record.documents:
        event = case.rosters[-1].withdrawn.get(document["sha256"])
        if event is not None:
            values = {"name": document["name"], "law": event["law"], "reason": event["reason"]}
            case.notices.append(Check("withdrawal", "passed", "document-withdrawn", values))


def _add_changes(case: Case, view: View, record: Record) -> None:
    acts = _AuthorisedActs(case, view)
    changes = [one for one in changes_to(acts, record.ref) if one.act.index > case.proof.index]
    for change in changes:
        if _is_authorised(case, view, change.act):
            values = _values(change.act) | {"type": change.type}
            code = "change-undone" if change.undone else f"change-{change.type.replace('_', '-')}"
            case.notices.append(Check("change", "passed", code, values))
    last = parse_entry(view.entry(view.size - 1))
    code = "later-changes" if changes else "no-later-change"
    case.add("later", "not_checked", code, index=view.size - 1, time=last.time, count=len(changes))


class _AuthorisedActs(LookedUpActs):
    """Later acts, but only those that admission would have taken: whoever may not annul undoes nothing."""

    def __init__(self, case: Case, view: View) -> None:
        super().__init__(view)
        self.case = case

    def relating_to(self, ref: str) -> Sequence[tuple[str, Act]]:
        """Return the authorised acts that name ``ref``."""
        return [(kind, act) for kind, act in super().relating_to(ref) if _is_authorised(self.case, self.view, act)]


def _is_authorised(case: Case, view: View, act: Act) -> bool:
    """A later act counts here only as it would at admission."""
    found = record_at(view, act.index)
    if found is None:
        return False
    entry, _ = found
    roster = next((one for one in case.rosters if one.hash == entry.roster), None)
    return roster is not None and not judge_record(roster, LookedUpActs(view, act.index), entry.envelope, time=entry.time)


def _values(act: Act) -> dict[str, object]:
    return {"index": act.index, "ref": act.ref, "number": act.number or "-", "title": act.title, "date": act.signed_on}
