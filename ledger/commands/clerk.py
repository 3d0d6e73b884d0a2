"""What the desk's commands share: settings, keys, questions, the look before publishing, and the report after it."""

from __future__ import annotations

import os
import sys
import time as clock
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.commands.common import Session, printable
from ledger.errors import AdmissionError, LedgerError, Reason, UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ledger.desk.drafting import Draft, Request
    from ledger.keyfile import PrivateKey
    from ledger.publisher.handover import Outcome
    from ledger.publisher.home import Home
    from ledger.publisher.state import State
    from ledger.records.envelope import Envelope
    from ledger.records.roster import Roster
    from ledger.settings import Settings

__all__ = [
    "agree",
    "ask_setup",
    "check_asked",
    "complete",
    "hand_over_one",
    "home_here",
    "judge_first",
    "load_settings",
    "look",
    "make_draft",
    "match_documents",
    "now",
    "open_home",
    "printed",
    "private_key",
    "proof_path",
    "public_id",
    "report_act",
    "request_of",
    "roster_at_hand",
    "salt_lines",
    "usual_key",
    "write_label",
]

_ASKED = {
    "--office": "office",
    "--form": "form",
    "--number": "number",
    "--title": "title",
    "--signed-on": "signed-on",
    "--signatory": "signatory",
    "--reason": "reason",
}


def request_of(documents: Sequence[str], said: dict[str, Any], signers: Sequence[str]) -> Request:
    """Return what the options of a command say about an act."""
    from ledger.desk.drafting import DATES, Request

    dates = {key: said.pop(key) for key in DATES}
    given = {key: value for key, value in said.items() if value not in (None, ())}
    return Request(
        documents=tuple(documents),
        signers=tuple(signers),
        dates={key: value for key, value in dates.items() if value is not None},
        **given,
    )


def complete(here: Session, request: Request, state: State, settings: Settings, *, ask_ref: bool = True) -> Request:
    """Add what is certain, and ask for what only the person knows; without a terminal name all of it at once.

    Raises:
        AdmissionError: what is known already speaks against it; nobody is asked for the rest.
    """
    from ledger.desk.drafting import missing_facts, with_defaults
    from ledger.desk.judging import judge_known

    request = with_defaults(request, state.roster, settings.person)
    missing = missing_facts(request)
    if not sys.stdin.isatty() or not all(option in _ASKED for option in missing):
        return request
    for option in (None, *missing):
        request = with_defaults(_asked(here, request, option), state.roster, settings.person) if option else request
        if option in (None, "--form", "--office") and (reasons := judge_known(request, state.roster)):
            raise AdmissionError(reasons)
    if ask_ref and request.ref is None and request.documents:
        from dataclasses import replace

        request = replace(request, ref=_asked_ref(here))
    return request


def _asked_ref(here: Session) -> str | None:
    """Ask for the reference on the paper's label, again until it is one; an empty answer: there is no label."""
    from ledger.errors import FormatError
    from ledger.records.refs import parse_ref
    from ledger.words import explain

    while answer := click.prompt(here.say("ask.ref"), default="", show_default=False, err=True):
        try:
            return parse_ref(answer)
        except FormatError as error:
            here.note(explain(error, here.lang))
    return None


def _asked(here: Session, request: Request, option: str) -> Request:
    from dataclasses import replace

    answer = click.prompt(here.say(f"ask.{_ASKED[option]}"), err=True)
    if option == "--signed-on":
        return replace(request, dates={**request.dates, "signed_on": answer})
    if option == "--signatory":
        return replace(request, signatories=(answer,))
    changed: dict[str, Any] = {_ASKED[option]: answer}
    return replace(request, **changed)


def make_draft(request: Request, state: State) -> Draft:
    """Return the draft, judged as far as it can be before it is signed."""
    from ledger.desk.drafting import draft as make

    return make(request, state.roster, state.index, time=now())


def look(here: Session, made: Draft, state: State, *, whole: bool) -> list[dict[str, str]]:
    """Show the preview, or only what looks odd; return the odd things for ``--json``."""
    from ledger.desk.preview import preview, warnings_about
    from ledger.records.entry import local_date

    today = local_date(now(), state.roster.utc_offset)
    remarks = warnings_about(made.data, state.roster, state.index, today=today, documents=made.documents)
    told = [{"code": one.code, "path": one.path, "sentence": here.say(f"warning.{one.code}", **one.values)} for one in remarks]
    lines = [here.say("preview.warning", text=one["sentence"]) for one in told if not here.json]
    for line in preview(made, state.roster, state.index, say=here.say, today=today) if whole else lines:
        here.note(line)
    return told


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


def hand_over_one(here: Session, home: Home, envelope: Envelope, documents: dict[str, Path]) -> Outcome:
    """Publish one envelope and return what became of it.

    Raises:
        AdmissionError: it was refused.
    """
    from ledger.publisher.handover import Submission, hand_over

    outcome = hand_over(home, [Submission(envelope, documents)], keys=here.passphrase_of)[0]
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


def proof_path(documents: Sequence[Path], outcome: Outcome) -> Path:
    """Return where an act's proof goes: beside its first document."""
    return documents[0].with_name(documents[0].name + ".tlog-proof") if documents else Path(f"{outcome.ref}.tlog-proof")


def salt_lines(here: Session, made: Draft) -> list[str]:
    """Return what to do with the salts of withheld documents."""
    return [here.say("desk.committed", name=one.document.path.name, file=printable(one.path)) for one in made.salts]


def write_label(home: Home, name: str, ref: str, form: str, kind: str, out: Path) -> Path:
    """Write the label of one reference as a picture of one kind."""
    from ledger.desk.labels import label_png, label_svg
    from ledger.durable import make_folder, write_over

    make_folder(out.absolute())
    data = label_png(ref, name, home.url) if kind == "png" else label_svg(ref, name, home.url).encode("utf-8")
    path = out / f"{form}-{printed(ref)}.{kind}"
    write_over(path.absolute(), data)
    return path


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


def roster_at_hand(here: Session, envelope: Envelope) -> Roster | None:
    """Return the newest roster of the ledger that an envelope is bound to, where that ledger is here; signing needs none.

    Raises:
        UsageError, StoreError: a ledger was named for a roster event, and cannot be read.
        AdmissionError: it is another ledger than the event's.
    """
    from ledger.desk.acts import founding_of
    from ledger.records.events import ROSTER_TYPE

    founding = founding_of(envelope)
    must = here.ledger is not None and envelope.payload_type == ROSTER_TYPE and founding is not None
    try:
        with open_home(home_here(here)) as state:
            roster = state.roster
    except LedgerError:
        if must:
            raise
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


def judge_first(home: Home, envelope: Envelope, documents: dict[str, Path]) -> None:
    """Judge an envelope against the newest state, so that no passphrase is asked for what will be refused.

    Raises:
        AdmissionError: with every reason against it.
    """
    from ledger.publisher.documents import judge_documents
    from ledger.publisher.state import fate_of
    from ledger.records.record import RECORD_TYPE, parse_record
    from ledger.records.replay import judge

    if fate_of(home, envelope.id).index is not None:
        return  # it is there already, and will be answered with its entry
    with open_home(home) as state:
        reasons = judge(state.roster, state.index, envelope, index=state.size, time=now())
    if not reasons and envelope.payload_type == RECORD_TYPE:
        named = parse_record(envelope.payload).documents
        reasons = list(judge_documents(home, [one for one in named if one["sha256"] not in documents]))
    if reasons:
        raise AdmissionError(reasons)


def ask_setup(here: Session, settings: Settings) -> tuple[str, str | None, dict[str, str | None]]:
    """Ask for everything that ``setup`` keeps."""
    where = click.prompt(here.say("ask.ledger"), default=settings.ledgers.get(settings.default or ""), err=True)
    name = click.prompt(here.say("ask.ledger-name"), default=Path(where.rstrip("/")).name.split(".")[0], err=True)
    person = {
        key: click.prompt(here.say(f"ask.{key}"), default=settings.person.get(key, ""), err=True)
        for key in ("key", "office", "form", "signatory")
    }
    person["key"] = person["key"] and str(Path(person["key"]).expanduser().absolute())
    return where, name, dict(person)


def now() -> str:
    """Return the time as entries state it."""
    from ledger.records.entry import format_time

    return format_time(int(clock.time()))


def printed(ref: str) -> str:
    """Return a reference as it is printed."""
    from ledger.records.refs import format_ref

    return format_ref(ref)


def load_settings() -> Settings:
    """Return the settings of whoever runs this."""
    from ledger.settings import Settings

    return Settings.load(os.environ)


def open_home(home: Home) -> AbstractContextManager[State]:
    """Open the newest state of a home, to be read."""
    from ledger.publisher.state import open_state

    return open_state(home)


def home_here(here: Session) -> Home:
    """Return the home folder that this run speaks of."""
    from ledger.commands.ledgers import home_of

    return home_of(here)
