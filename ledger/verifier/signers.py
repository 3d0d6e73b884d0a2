"""Who signed a record and whether they were entitled: the one replay, with the roster that the entry names.

The roster chain comes from a file, a bundle, the pinned store or the source, and is always replayed from the founding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import LedgerError, Reason, VerificationError
from ledger.records.entry import Entry
from ledger.records.record import Record
from ledger.records.replay import Act, Acts, NumberKey, judge_record
from ledger.records.roster import Roster, replay_roster
from ledger.verifier.acts import LookedUpActs

if TYPE_CHECKING:
    from ledger.verifier.case import Case
    from ledger.verifier.verdict import State

__all__ = ["SIGNATURE", "add_group", "check_signers", "known_rosters", "roster_of"]

SIGNATURE = ("bad-signature", "signatures-are-not-the-signers")
RELATIONS = ("unknown-target", "not-competent")
NAMES = ("ref-used", "number-used")


def check_signers(case: Case, entry: Entry, record: Record) -> None:
    """Judge the record by the roster that its entry names."""
    roster = roster_of(case, entry)
    if roster is None:
        for name in ("signature", "authority"):
            case.add(name, "not_checked", "signer-not-checked", roster=entry.roster[:16])
        return
    acts: Acts = _NoActs() if case.view is None else LookedUpActs(case.view, case.proof.index)
    try:
        reasons = judge_record(roster, acts, entry.envelope, time=entry.time)
    except VerificationError as error:
        case.failed("relations", error)
        reasons = judge_record(roster, _NoActs(), entry.envelope, time=entry.time)
        acts = _NoActs()
    except LedgerError:
        acts = _NoActs()
        reasons = judge_record(roster, acts, entry.envelope, time=entry.time)
    related = any("ref" in one for one in record.relations)
    _add_reasons(case, reasons, online=not isinstance(acts, _NoActs), related=related)


def known_rosters(case: Case) -> list[Roster]:
    """Return the longest chain at hand, replayed from the founding; shorter ones must be its beginning."""
    founding, chains = case.trusted.founding, [list(case.trusted.roster)]
    if founding is None:
        return []
    if case.trusted.pin is not None:
        chains.append(list(case.trusted.pin.roster))
    if case.view is not None:
        try:
            chains.append(case.view.envelopes())
        except LedgerError as error:
            case.failed("roster-file", error)
    chains = sorted(filter(None, chains), key=len)
    if not chains:
        return []
    try:
        rosters = replay_roster(chains[-1], founding=founding)
    except LedgerError as error:
        case.failed("roster", error)
        return []
    longest = [one.id for one in chains[-1]]
    if any([one.id for one in chain] != longest[: len(chain)] for chain in chains):
        case.add("roster", "failed", "roster-forked")
    return rosters


def roster_of(case: Case, entry: Entry) -> Roster | None:
    """Return the roster that ``entry`` says it was judged by, if it is at hand."""
    return next((one for one in case.rosters if one.hash == entry.roster), None)


def add_group(case: Case, name: str, reasons: list[Reason], held: str) -> None:
    """Note ``held`` if nothing speaks against one check, otherwise each reason."""
    if not reasons:
        case.add(name, "passed", held)
    for reason in reasons:
        state: State = "not_checked" if reason.unknown else "failed"
        code = "newer-format" if reason.unknown else reason.code
        case.add(name, state, code, detail=str(reason), path=reason.path, **reason.values)


def _add_reasons(case: Case, reasons: list[Reason], *, online: bool, related: bool) -> None:
    groups: dict[str, list[Reason]] = {"signature": [], "authority": [], "relations": [], "names": []}
    for reason in reasons:
        groups[_group_of(reason)].append(reason)
    if groups["signature"]:
        groups["authority"] = [one for one in groups["authority"] if one.code != "no-signer-for-office-and-kind"]
    add_group(case, "signature", groups["signature"], "signatures-hold")
    add_group(case, "authority", groups["authority"], "authority-holds")
    if not online:
        if related:
            case.add("relations", "not_checked", "relations-not-checked")
        return
    if related:
        add_group(case, "relations", groups["relations"], "relations-hold")
    if groups["names"]:
        add_group(case, "names", groups["names"], "names-hold")


def _group_of(reason: Reason) -> str:
    for name, codes in (("signature", SIGNATURE), ("relations", RELATIONS), ("names", NAMES)):
        if reason.code in codes:
            return name
    return "authority"


class _NoActs:
    """No earlier act can be asked for: whoever is offline."""

    def by_ref(self, ref: str) -> Act | None:
        """Nothing is known."""
        return None

    def by_number(self, key: NumberKey) -> list[Act]:
        """Nothing is known."""
        return []

    def relating_to(self, ref: str) -> list[tuple[str, Act]]:
        """Nothing is known."""
        return []
