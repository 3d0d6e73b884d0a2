"""One act before the verifier: the numbered plan by which its evidence becomes a verdict.

    1 the checkpoint is the trusted log's        RFC 6962, C2SP tlog-policy
    2 the entry stands in it                     inclusion proof; only now are the entry's bytes parsed
    3 the entry continues the chain, and was made for this founding
    4 the document is one that the record names
    5 the signatures hold, and their keys were entitled   the one replay, with the roster that the entry names
    6 what is known today                        history, suspected keys, withdrawals, later acts

Trusted are the policy and the founding. The evidence and the source of the view are trusted for nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from ledger.errors import AdmissionError, FormatError, LedgerError, NewerFormatError
from ledger.records.entry import Entry, first_prev, format_time, parse_entry
from ledger.records.envelope import Envelope
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import RECORD_TYPE, Record, parse_record
from ledger.records.roster import Roster, judge_roster
from ledger.tlog.merkle import check_inclusion, leaf_hash
from ledger.tlog.organisations import co_recorded, organisations
from ledger.tlog.policy import Opened, Policy
from ledger.tlog.proof import Proof
from ledger.verifier.facts import facts_of
from ledger.verifier.later import add_later
from ledger.verifier.logkeys import ended_at, names_keys_of, open_by_roster, size_of
from ledger.verifier.place import check_event_place
from ledger.verifier.reader import View
from ledger.verifier.signers import SIGNATURE, add_group, check_signers, known_rosters, roster_of
from ledger.verifier.trust import Pin, origin_of
from ledger.verifier.verdict import Check, Facts, State, Verdict, check_of, copy_check

__all__ = ["Case", "Document", "Trusted", "judge_case"]


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the reader trusts: a policy and, if known, a founding; ``pinned`` False if both came from the ledger itself.

    ``roster`` is a chain from a file or a bundle, ``served`` one from a ledger that could not be opened; both are replayed
    from the founding like any other.
    """

    policy: Policy
    founding: str | None
    pin: Pin | None = None
    roster: tuple[Envelope, ...] = ()
    pinned: bool = True
    served: tuple[Envelope, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document in hand; ``salts`` may open a commitment to it, where it was withheld."""

    name: str
    sha256: str
    salts: tuple[bytes, ...] = ()

    @property
    def commitments(self) -> set[str]:
        """What a record that withholds this document may show instead of its hash (design, 3.1)."""
        return {hashlib.sha256(salt + bytes.fromhex(self.sha256)).hexdigest() for salt in self.salts}


@dataclass(slots=True)
class Case:
    """What has been found so far. ``given``: the proof did not come from the view, whose damage then is its own matter."""

    trusted: Trusted
    proof: Proof
    view: View | None
    document: Document | None
    given: bool = False
    checks: list[Check] = field(default_factory=list)
    notices: list[Check] = field(default_factory=list)
    facts: Facts | None = None
    rosters: list[Roster] = field(default_factory=list)

    def add(self, name: str, state: State, code: str, /, **values: object) -> None:
        """Note how one check ended."""
        self.checks.append(Check(name, state, code, values))

    def failed(self, name: str, error: LedgerError) -> None:
        """Note the check that ``error`` ended."""
        self.checks.append(check_of(name, error))

    def trouble(self, name: str, error: LedgerError) -> None:
        """Note what ``error`` says about the online copy; a fork is never only the copy's matter."""
        check = check_of(name, error)
        if self.given and self.view is not None:
            check = copy_check(check, self.view.source.location)
        if check not in self.checks:
            self.checks.append(check)


def judge_case(trusted: Trusted, proof: Proof, *, subject: str, view: View | None, document: Document | None = None,
               before: tuple[Check, ...] = (), given: bool = False) -> Verdict:  # fmt: skip
    """Return the verdict about the act in ``proof.extra``; ``before`` are checks already made. Raises nothing on bad evidence.

    ``given``: the proof did not come from ``view``, whose own troubles are then told apart.
    """
    case = Case(trusted, proof, view, document, given, list(before))
    _run(case)
    if document is not None and not any(one.name == "document" for one in case.checks):
        case.add("document", "not_checked", "document-not-compared", sha256=document.sha256)
    origin = trusted.policy.logs[0].name if trusted.policy.logs else ""
    founding = trusted.founding or ""
    return Verdict(subject, tuple(case.checks), case.facts, tuple(case.notices), origin, founding)


def _run(case: Case) -> None:
    opened = _check_checkpoint(case)  # 1
    if opened is None or not _check_inclusion(case, opened):  # 2
        return
    entry = _parsed(case)
    if entry is None:
        return
    _check_chain(case, entry)  # 3
    case.rosters = known_rosters(case)
    if ended_at(opened, case.rosters):
        case.add("checkpoint", "failed", "log-keys-ended", size=opened.checkpoint.size)
    if entry.envelope.payload_type == ROSTER_TYPE:
        if case.document is not None:
            case.add("document", "failed", "document-of-roster-event", sha256=case.document.sha256, index=case.proof.index)
        _judge_roster_entry(case, entry)
        return
    record = _check_record(case, entry)
    if record is None:
        return
    _check_document(case, record)  # 4
    check_signers(case, entry, record)  # 5
    _witnesses(case, opened)
    add_later(case, opened, entry, record)  # 6


def _check_checkpoint(case: Case) -> Opened | None:
    try:
        opened = case.trusted.policy.check(case.proof.checkpoint)
    except LedgerError as error:
        if error.code == "wrong-key":
            return _check_by_roster(case, error)
        if error.code == "no-quorum":  # the log has signed it; that too few have cosigned is no evidence of a lie
            case.add("checkpoint", "not_checked", "too-few-witnesses", **error.values)
        else:
            case.failed("checkpoint", error)
        return None
    case.add("checkpoint", "passed", "checkpoint-holds", origin=opened.checkpoint.origin, size=opened.checkpoint.size)
    return opened


def _check_by_roster(case: Case, wrong_key: LedgerError) -> Opened | None:
    """Other keys than the pinned ones signed: the log's at that size, by the roster; nobody's; or not to be known here."""
    trusted, note = case.trusted, case.proof.checkpoint
    aside = Case(trusted, case.proof, case.view, None, case.given)
    rosters = known_rosters(aside)
    try:
        opened = open_by_roster(trusted.policy, note, rosters)
    except LedgerError as error:
        if error.code == "wrong-key" and not _covers(case, rosters, size_of(note)):
            case.add("checkpoint", "not_checked", "log-keys-unknown", size=size_of(note))
        else:
            case.failed("checkpoint", wrong_key if error.code == "wrong-key" else error)
        case.checks += aside.checks
        return None
    case.add("checkpoint", "passed", "checkpoint-by-roster", origin=opened.checkpoint.origin, size=opened.checkpoint.size)
    return opened


def _covers(case: Case, rosters: list[Roster], size: int) -> bool:
    """Tell whether ``rosters`` surely hold every change of keys up to ``size``: the pinned keys sign that or a later size."""
    pin = case.trusted.pin
    seen = [] if pin is None or pin.checkpoint is None or not pin.roster else [pin.checkpoint.size]
    seen += [] if case.view is None else [case.view.size]
    return size <= max(seen, default=-1) and names_keys_of(case.trusted.policy, rosters)


def _check_inclusion(case: Case, opened: Opened) -> bool:
    proof, checkpoint = case.proof, opened.checkpoint
    if proof.extra is None:
        case.add("inclusion", "not_checked", "proof-without-entry")
        return False
    try:
        leaf = leaf_hash(proof.extra)
        check_inclusion(proof.hashes, index=proof.index, size=checkpoint.size, leaf=leaf, root=checkpoint.root)
    except LedgerError as error:
        case.failed("inclusion", error)
        return False
    case.add("inclusion", "passed", "included", index=proof.index, size=checkpoint.size)
    return True


def _parsed(case: Case) -> Entry | None:
    try:
        return parse_entry(case.proof.extra or b"")
    except LedgerError as error:
        case.failed("entry", error)
        return None


def _check_chain(case: Case, entry: Entry) -> None:
    """An odd entry's audit path begins with the leaf before it; for the others the source's tiles are asked."""
    index, before = case.proof.index, None
    if index == 0:
        before = first_prev(origin_of(case.trusted.policy))
    elif index % 2:
        before = case.proof.hashes[0].hex()
    elif case.view is not None and index < case.view.size:
        try:
            before = case.view.leaf(index - 1).hex()
        except LedgerError as error:
            case.trouble("chain", error)
            return
    if before is None:
        case.add("chain", "not_checked", "chain-not-checked", index=index)
    elif before != entry.prev:
        case.add("chain", "failed", "chain-broken", index=index, before=index - 1)
    else:
        case.add("chain", "passed", "chain-holds", index=index)


def _check_record(case: Case, entry: Entry) -> Record | None:
    """Accept a record that was made for the trusted founding."""
    if entry.envelope.payload_type != RECORD_TYPE:
        case.add("record", "not_checked", "newer-format", detail=entry.envelope.payload_type)
        return None
    try:
        record = parse_record(entry.envelope.payload)
    except AdmissionError as error:
        case.add("record", "failed", "not-authorised", reasons=str(error))
        return None
    except (FormatError, NewerFormatError) as error:
        case.failed("record", error)
        return None
    _check_founding(case, record.data["founding"])
    index, origin = case.proof.index, origin_of(case.trusted.policy)
    case.facts = facts_of(record, roster_of(case, entry), index=index, time=entry.time, origin=origin)
    return record


def _check_founding(case: Case, founding: str) -> None:
    trusted = case.trusted
    if trusted.founding is None:
        case.add("founding", "not_checked", "founding-unknown", founding=founding)
    elif trusted.founding != founding:
        case.add("founding", "failed", "other-founding", founding=founding[:16], expected=trusted.founding[:16])
    else:
        case.add("founding", "passed", "founding-holds", founding=founding)
    if not trusted.pinned:
        case.add("pinned", "not_checked", "not-pinned", founding=founding)


def _check_document(case: Case, record: Record) -> None:
    if case.document is None:
        return
    found = next((one for one in record.documents if one["sha256"] == case.document.sha256), None)
    if found is None and _is_committed(case, record):
        return
    if found is None:
        case.add("document", "failed", "document-differs", sha256=case.document.sha256, ref=record.ref)
        return
    case.add("document", "passed", "document-identical", sha256=found["sha256"], name=found["name"], role=found["role"])


def _is_committed(case: Case, record: Record) -> bool:
    """Note that the record withholds this very document, if its salt opens one of the commitments."""
    commitments = case.document.commitments if case.document else set()
    withheld = [one for one in record.data["documents"] if "withheld" in one]
    found = next((one for one in withheld if one["withheld"] in commitments), None)
    if found is not None:
        values = {"commitment": found["withheld"], "reason": found["reason"], "law": found["law"]}
        case.add("document", "passed", "document-committed", **values)
    elif withheld and not commitments:
        case.add("document", "not_checked", "document-perhaps-withheld", ref=record.ref)
    return found is not None or (bool(withheld) and not commitments)


def _judge_roster_entry(case: Case, entry: Entry) -> None:
    """A roster event: it must be the next payload of the chain, and the authority's."""
    founds = entry.envelope.id == case.trusted.founding
    before = Roster() if founds else roster_of(case, entry)
    if before is None:
        for name in ("founding", "signature", "authority"):
            case.add(name, "not_checked", "signer-not-checked", roster=entry.roster[:16])
        return
    _check_founding(case, before.founding or entry.envelope.id)
    reasons = judge_roster(before, entry.envelope, index=case.proof.index)
    add_group(case, "signature", [one for one in reasons if one.code in SIGNATURE], "signatures-hold")
    add_group(case, "authority", [one for one in reasons if one.code not in SIGNATURE], "authority-holds")
    if case.view is not None:
        try:
            check_event_place(case, case.view, entry)
        except LedgerError as error:
            case.failed("authority", error)


def _witnesses(case: Case, opened: Opened) -> None:
    """Say which organisations co-record the list; the log's own post-quantum key is none."""
    policy = case.trusted.policy
    names, seen = list(organisations(policy)), co_recorded(policy, opened.cosigned)
    if not names:
        case.add("witnesses", "not_checked", "no-witness-in-policy")
    elif seen:
        case.add("witnesses", "passed", "witnessed", names=", ".join(seen))
        times = [time for time in seen.values() if time is not None]
        if case.facts is not None and times:
            case.facts = replace(case.facts, witnessed=format_time(min(times)))
    else:
        case.add("witnesses", "not_checked", "no-witness-signed", names=", ".join(names))
