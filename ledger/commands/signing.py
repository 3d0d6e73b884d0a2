"""Signing and handing over, as the desk's commands share them: keys, who may sign, the last judgement, and the report."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.commands.clerk import now, printed
from ledger.commands.common import Session
from ledger.errors import AdmissionError, LedgerError, Reason, UsageError

if TYPE_CHECKING:
    from ledger.commands.ledgers import Ledger, Outcome
    from ledger.keyfile import PrivateKey
    from ledger.records.envelope import Envelope
    from ledger.records.roster import Roster
    from ledger.settings import Settings

__all__ = [
    "agree",
    "check_asked",
    "hand_over_one",
    "judge_first",
    "match_documents",
    "private_key",
    "proof_path",
    "public_id",
    "report_act",
    "roster_at_hand",
    "usual_key",
]


def usual_key(settings: Settings) -> tuple[Path, ...]:
    """Return the settings' key file.

    Raises:
        UsageError: there is none, and none was given.
    """
    if "key" not in settings.person:
        raise UsageError("no key", code="no-key")
    return (Path(settings.person["key"]),)


def public_id(here: Session, path: Path) -> str:
    """Return the keyid of a key file; its ``.pub`` is enough, so that no passphrase is asked before the look."""
    from ledger.keyfile import load_public

    beside = path if path.suffix == ".pub" else path.with_name(path.name + ".pub")
    return load_public(beside).keyid if beside.exists() else private_key(here, path).public.keyid


def private_key(here: Session, path: Path) -> PrivateKey:
    """Open a private key file."""
    from ledger.keyfile import load_private

    return load_private(path, here.passphrase_of(path))


def agree(here: Session, question: str, yes: bool) -> None:
    """Ask, unless ``yes``; without a terminal nobody can be asked.

    Raises:
        UsageError: ``needs-yes``.
        click.Abort: the answer was no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody to ask", code="needs-yes")
    if not click.confirm(here.say(question), err=True):
        here.note(here.say("desk.not-done"))
        raise click.Abort


def roster_at_hand(here: Session, envelope: Envelope) -> Roster | None:
    """Return the newest roster of the ledger that an envelope is bound to, where that ledger is here; signing needs none.

    Raises:
        UsageError, StoreError: a ledger was named for a roster event, and cannot be read.
        AdmissionError: it is another ledger than the event's.
    """
    from ledger.commands.ledgers import ledger_of
    from ledger.desk.acts import founding_of
    from ledger.records.events import ROSTER_TYPE

    founding = founding_of(envelope)
    event = envelope.payload_type == ROSTER_TYPE and founding is not None
    must = here.ledger is not None and event
    try:
        roster = ledger_of(here).roster_at_hand(newest=event)
    except LedgerError:
        if must:
            raise
        return None
    if roster is None:
        return None
    if must and roster.founding != founding:
        values: dict[str, object] = {"value": str(founding)[:16], "expected": roster.founding[:16]}
        raise AdmissionError([Reason("other-founding", "founding", values)])
    return roster if roster.founding == founding else None


def check_asked(here: Session, envelope: Envelope, keyids: Sequence[str], authority: Sequence[str] | None, yes: bool) -> None:
    """Refuse keys that have no place in an envelope, before anything is shown or signed.

    Raises:
        UsageError: ``not-a-signer``; ``authority-unknown``: it cannot be told here, and nobody said ``--yes``.
    """
    from ledger.desk.acts import is_asked

    for keyid in keyids:
        asked = is_asked(envelope, keyid, authority)
        if asked is False:
            raise UsageError(f"{keyid} may not sign this", code="not-a-signer", keyid=keyid[:16])
        if asked is None and not yes:
            raise UsageError(f"the authority is not known for {keyid}", code="authority-unknown", keyid=keyid[:16])
        if asked is None:
            here.note(here.say("desk.authority-unchecked", keyid=keyid[:16]))


def match_documents(envelope: Envelope, documents: Sequence[Path]) -> dict[str, Path]:
    """Return the documents by hash; one that the act does not name is refused before anything is sent."""
    from ledger.desk.documents import read_document
    from ledger.records.record import RECORD_TYPE, parse_record

    record = parse_record(envelope.payload) if envelope.payload_type == RECORD_TYPE else None
    named = {one["sha256"] for one in record.documents} if record else set()
    found: dict[str, Path] = {}
    for path in documents:
        document = read_document(path, "other")
        if document.sha256 not in named:
            raise UsageError(f"{path} is not named in the act", code="extra-document", name=path.name)
        found[document.sha256] = path
    return found


def judge_first(ledger: Ledger, envelope: Envelope, documents: Mapping[str, Path]) -> None:
    """Judge an envelope against the newest state, so that nothing is sent, and no passphrase asked, for what will be refused.

    Raises:
        AdmissionError: with every reason against it.
    """
    from ledger.records.record import RECORD_TYPE, parse_record
    from ledger.records.replay import judge

    if ledger.fate(envelope.id).index is not None:
        return  # it is there already, and will be answered with its entry
    with ledger.read() as state:
        reasons = judge(state.roster, state.index, envelope, index=state.size, time=now())
    if not reasons and envelope.payload_type == RECORD_TYPE:
        named = parse_record(envelope.payload).documents
        reasons = ledger.lacking([one for one in named if one["sha256"] not in documents])
    if reasons:
        raise AdmissionError(reasons)


def hand_over_one(ledger: Ledger, envelope: Envelope, documents: Mapping[str, Path]) -> Outcome:
    """Publish one envelope and return what became of it.

    Raises:
        AdmissionError: it was refused.
    """
    outcome = ledger.hand_over([(envelope, documents)])[0]
    if outcome.reasons:
        raise AdmissionError(outcome.reasons)
    return outcome


def report_act(here: Session, outcome: Outcome, proof: Path, remarks: list[dict[str, str]]) -> int:
    """Write the proof and tell the act's place; the exit status."""
    from ledger.durable import write_over

    if outcome.proof is not None:
        write_over(proof.absolute(), outcome.proof)
    written = str(proof) if outcome.proof is not None else None
    found = {"index": outcome.index, "ref": outcome.ref, "id": outcome.id, "proof": written, "already": outcome.already}
    said = "desk.already" if outcome.already else "desk.published"
    lines = [here.say(said, index=outcome.index, ref=printed(outcome.ref or ""), id=outcome.id)]
    here.report({**found, "warnings": remarks}, lines + ([here.say("desk.proof", proof=written)] if written else []))
    return 0


def proof_path(documents: Sequence[Path], outcome: Outcome) -> Path:
    """Return where an act's proof goes: beside its first document."""
    return documents[0].with_name(documents[0].name + ".tlog-proof") if documents else Path(f"{outcome.ref}.tlog-proof")
