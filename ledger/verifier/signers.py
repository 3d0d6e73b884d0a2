"""Who signed a record and whether they were entitled: the one replay, with the roster that the entry names.

The roster chain comes from a file, a bundle, the pinned store or the source, and is always replayed from the founding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import FormatError, LedgerError, Reason, VerificationError
from ledger.records.entry import Entry
from ledger.records.envelope import Envelope
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
    behind = case.view is None or case.view.size < case.proof.index  # what it does not hold yet, it cannot deny
    acts: Acts = _NoActs() if behind or case.view is None else LookedUpActs(case.view, case.proof.index)
    try:
        reasons = judge_record(roster, acts, entry.envelope, time=entry.time)
    except VerificationError as error:
        case.trouble("relations", error)
        reasons = judge_record(roster, _NoActs(), entry.envelope, time=entry.time)
        acts = _NoActs()
    except LedgerError:
        acts = _NoActs()
        reasons = judge_record(roster, acts, entry.envelope, time=entry.time)
    related = any("ref" in one for one in record.relations)
    online = not isinstance(acts, _NoActs)
    if case.given and online and any(one.code == "unknown-target" for one in reasons):
        # A look-up is a hint: that it names nothing is no evidence.
        reasons = [one for one in reasons if one.code != "unknown-target"]
        case.add("relations", "not_checked", "relations-not-found")
        related = False
    _add_reasons(case, reasons, online=online, related=related)


def known_rosters(case: Case) -> list[Roster]:
    """Return the longest chain at hand, replayed from the founding; shorter ones must be its beginning."""
    if case.trusted.founding is None:
        return []
    replayed: list[tuple[list[str], list[Roster]]] = []
    for chain, served in sorted(_chains(case), key=lambda one: len(one[0]), reverse=True):
        ids = [one.id for one in chain]
        if any(ids == known[: len(ids)] for known, _ in replayed):
            continue
        try:
            replayed.append((ids, replay_roster(chain, founding=case.trusted.founding)))
        except LedgerError as error:
            _refuse_chain(case, error, served)
    if len(replayed) > 1:  # both are the authority's: anything else would not have been replayed
        case.add("roster", "failed", "roster-forked")
    return replayed[0][1] if replayed else []


def _chains(case: Case) -> list[tuple[list[Envelope], bool]]:
    """Return the chains at hand, and whether the online copy serves them."""
    trusted, chains = case.trusted, list[tuple[list[Envelope], bool]]()
    chains += [(list(trusted.roster), False), (list(trusted.served), True)]
    if trusted.pin is not None:
        chains.append((list(trusted.pin.roster), False))
    if case.view is not None:
        try:
            chains.append((case.view.envelopes(), True))
        except FormatError:  # nobody has signed these bytes: a log-in page, a cut copy
            case.add("roster-file", "not_checked", "roster-file-unreadable", location=case.view.source.location)
        except LedgerError as error:
            case.trouble("roster-file", error)
    return [one for one in chains if one[0]]


def _refuse_chain(case: Case, error: LedgerError, served: bool) -> None:
    """A chain that cannot be replayed is a damaged file; only one that the authority signed could be another story."""
    if error.code == "roster-chain" or (served and error.code == "other-founding"):
        error = VerificationError(error.detail, code="roster-file")
    if served:
        case.trouble("roster", error)
    else:
        case.failed("roster", error)


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
