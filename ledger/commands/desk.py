"""``setup number draft sign submit publish``: an official's day."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.commands.clerk import (
    ask_setup,
    complete,
    load_settings,
    look,
    make_draft,
    printed,
    request_of,
    salt_lines,
    write_label,
)
from ledger.commands.common import Session, json_option, ledger_option, passphrase_option, printable, session
from ledger.commands.ledgers import check_place, ledger_of
from ledger.commands.signing import (
    agree,
    check_asked,
    hand_over_one,
    judge_first,
    match_documents,
    private_key,
    proof_path,
    public_id,
    report_act,
    roster_at_hand,
    usual_key,
)
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.commands.ledgers import State

__all__ = ["draft", "number", "publish", "setup", "sign", "submit"]

_FILE = click.Path(path_type=Path, dir_okay=False)


def _act_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a person can say about an act; the same for ``draft`` and ``publish``."""
    options = [
        click.option("--kind", help="Kind of paper. Default: that of the form."),
        click.option("--form", help="Form of paper, an id in the roster. Default: your settings'."),
        click.option("--office", help="Office id. Default: your settings', or the key's only one."),
        click.option("--number", help="The number, exactly as on the paper."),
        click.option("--unnumbered", metavar="REASON", help="The paper has no number, because …"),
        click.option("--title"),
        click.option("--signed-on", help="Date on the paper: 2026-11-02 or '2 November 2026'."),
        click.option("--drafted-on"),
        click.option("--promulgated-on"),
        click.option("--effective-on"),
        click.option("--expires-on"),
        click.option("--language", help="Language of the paper. Default: the ledger's first."),
        click.option("--ref", help="The reference on the paper's label. Default: a new one."),
        click.option("--field", "fields", multiple=True, metavar="KEY=VALUE", help="A fact of this kind; repeat for lists."),
        click.option("--extra", multiple=True, metavar="KEY=VALUE", help="Any other fact."),
        click.option("--relates", multiple=True, metavar="TYPE=REF", help="Or TYPE=outside:NUMBER[;year=…;title=…;kind=…]."),
        click.option("--corrects", metavar="REF", help="This replaces an earlier record; needs --reason."),
        click.option("--reason", help="Why: for --corrects and --relates."),
        click.option("--signatory", "signatories", multiple=True, metavar="POSITION", help="[;name=…;capacity=plt;basis=…]"),
        click.option("--withhold", "withheld", multiple=True, metavar="FILE;reason=…;law=…", help="Commit to it, unseen."),
        click.option("--series", help="Number book. Default: the one whose pattern the number follows."),
        click.option("--serial", type=click.IntRange(0), help="Serial in it."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.option("-L", "--ledger", "where", metavar="DIR|URL", help="The ledger that you publish to: its folder, or its site.")
@click.option("--name", help="A short name for it.")
@click.option("--key", type=_FILE, help="Your key file.")
@click.option("--office")
@click.option("--form")
@click.option("--kind")
@click.option("--signatory", help="Position of who usually signs the papers.")
@click.option("--signatory-name")
@click.option("--capacity", type=click.Choice(["definitive", "plt", "plh", "pj", "an"]))
@click.option("--basis")
@click.option("--language")
@json_option
@session
def setup(here: Session, /, where: str | None, name: str | None, key: Path | None, **person: str | None) -> int:
    """Say once what is always the same: ledger, key, office, form. Without options it asks, or shows."""
    settings = load_settings()
    person["key"] = None if key is None else str(key.absolute())
    if where is None and not any(person.values()) and sys.stdin.isatty():
        where, name, person = ask_setup(here, settings)
    if where is not None:
        check_place(where)
        chosen = name or Path(where.rstrip("/")).name.split(".")[0] or "ledger"
        settings = settings.with_ledger(chosen, where)
    settings = settings.with_person(**person)
    settings.save()
    shown = {"default": settings.default, "ledgers": dict(settings.ledgers), "person": dict(settings.person)}
    facts = {**settings.ledgers, **settings.person}
    lines = [here.say("desk.setup-line", name=key, value=value) for key, value in facts.items()]
    here.report({"path": str(settings.path), **shown}, [*lines, here.say("desk.setup-done", path=str(settings.path))])
    return 0


@click.command()
@click.argument("form")
@click.option("--count", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option("--svg", is_flag=True, help="Write labels as SVG: code, reference and name.")
@click.option("--png", is_flag=True, help="Write the QR code alone as PNG.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the labels. Default: here.")
@ledger_option
@json_option
@session
def number(here: Session, form: str, count: int, svg: bool, png: bool, out: Path | None) -> int:
    """Draw references, and make labels to put on papers before they are signed."""
    from ledger.records.refs import draw_ref, format_ref

    ledger, drawn = ledger_of(here), [draw_ref() for _ in range(count + 10)]
    kinds = [kind for kind, wanted in (("svg", svg or (out is not None and not png)), ("png", png)) if wanted]

    def unused(state: State) -> list[str]:
        return [ref for ref in drawn if state.index.by_ref(ref) is None][:count]

    with ledger.read(unused) as state:
        if form not in state.roster.forms:
            raise UsageError(f"no form {form}", code="no-such-form", form=form, known=", ".join(state.roster.forms))
        refs, name = unused(state), state.roster.name
    address = ledger.address if kinds else None
    files = [[str(write_label(address, name, ref, form, kind, out or Path())) for kind in kinds] for ref in refs]
    shown = [{"ref": ref, "file": one[0] if one else None, "files": one} for ref, one in zip(refs, files, strict=True)]
    lines = [here.say("desk.number", ref=format_ref(ref), file="  ".join(one)) for ref, one in zip(refs, files, strict=True)]
    here.report({"form": form, "labels": shown}, [*lines, here.say("desk.number-how", form=form)])
    return 0


@click.command()
@click.argument("documents", nargs=-1, metavar="[ROLE:]DOCUMENT...")
@click.option("-o", "--output", type=_FILE, default=Path("ACT.json"), show_default=True)
@click.option("--signer", "signers", type=_FILE, multiple=True, help="Public key of a signer; repeat. Default: your key.")
@_act_options
@ledger_option
@json_option
@session
def draft(here: Session, /, documents: tuple[str, ...], output: Path, signers: tuple[Path, ...], **said: Any) -> int:
    """Describe an act, for its signers to sign. Nothing is published."""
    from ledger.desk.documents import keep_salts
    from ledger.durable import write_over
    from ledger.records.envelope import dump_envelope

    settings = load_settings()
    keys = signers or usual_key(settings)
    with ledger_of(here).read() as state:
        request = complete(here, request_of(documents, said, [public_id(here, one) for one in keys]), state, settings)
        made = make_draft(request, state)
        remarks = look(here, made, state, whole=not here.json)
    keep_salts(made.salts)
    write_over(output.absolute(), dump_envelope(made.envelope))
    found = {"file": str(output), "id": made.envelope.id, "ref": made.data["ref"], "warnings": remarks}
    lines = [here.say("desk.drafted", file=printable(output), id=made.envelope.id, ref=printed(made.data["ref"]))]
    here.report(found, lines + salt_lines(here, made))
    return 0


@click.command()
@click.argument("file", type=_FILE, metavar="ACT.json")
@click.option("--key", "key_files", type=_FILE, multiple=True, help="Your key; repeat. Default: your settings'.")
@click.option("--join", "joined", type=_FILE, multiple=True, metavar="COPY.json", help="Take over a copy's signatures; repeat.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@ledger_option
@passphrase_option
@json_option
@session
def sign(here: Session, file: Path, key_files: tuple[Path, ...], joined: tuple[Path, ...], yes: bool) -> int:
    """Sign an act, a roster event or a founding, after a look at what it says. Needs no ledger.

    With --join and no --key it only brings together what was signed apart.
    """
    from ledger.desk.acts import describe, join_signatures, progress_lines, progress_of, read_act, sign_act
    from ledger.durable import write_over
    from ledger.records.envelope import dump_envelope

    files = key_files or (() if joined else usual_key(load_settings()))
    envelope = read_act(file)
    roster = roster_at_hand(here, envelope)
    authority = None if roster is None else list(roster.authority)
    envelope = join_signatures(envelope, [read_act(one) for one in joined], authority)
    check_asked(here, envelope, [public_id(here, one) for one in files], authority, yes)
    if files and not yes:
        for line in describe(envelope, here.say, roster):
            here.note(line)
    agree(here, "desk.agree-sign", yes or not files)
    keys = [private_key(here, one) for one in files]
    for key in keys:
        envelope = sign_act(envelope, key, authority)
    write_over(file.absolute(), dump_envelope(envelope))
    progress = progress_of(envelope, roster)
    lines = [here.say("desk.signed", keyid=key.public.keyid[:16], file=printable(file)) for key in keys]
    lines += [here.say("desk.joined", count=len(envelope.signatures), file=printable(file))] if joined else []
    counted = None if progress.count is None else {"count": progress.count, "threshold": progress.threshold}
    found = {"file": str(file), "id": envelope.id, "waiting": list(progress.waiting), "authority": counted}
    here.report(found, lines + progress_lines(progress, here.say))
    return 0


@click.command()
@click.argument("file", type=_FILE, metavar="ACT.json")
@click.argument("documents", nargs=-1, type=_FILE, metavar="[DOCUMENT...]")
@click.option("--proof", type=_FILE, help="Where the proof goes. Default: beside the first document.")
@ledger_option
@passphrase_option
@json_option
@session
def submit(here: Session, file: Path, documents: tuple[Path, ...], proof: Path | None) -> int:
    """Publish a signed act with its documents, or a signed roster event."""
    from ledger.desk.acts import missing_signers, read_act
    from ledger.records.record import RECORD_TYPE

    envelope = read_act(file)
    waiting = missing_signers(envelope)
    if waiting:
        keyids = ", ".join(keyid[:16] for keyid in waiting)
        raise UsageError(f"not signed by {keyids}", code="not-signed-yet", keyids=keyids)
    ledger, files = ledger_of(here), match_documents(envelope, documents)
    judge_first(ledger, envelope, files)
    outcome = hand_over_one(ledger, envelope, files)
    if envelope.payload_type == RECORD_TYPE:
        return report_act(here, outcome, proof or proof_path(documents, outcome), [])
    here.report({"id": outcome.id, "index": outcome.index, "already": outcome.already},
                [here.say("desk.published-event", index=outcome.index, id=outcome.id)])  # fmt: skip
    return 0


@click.command()
@click.argument("documents", nargs=-1, metavar="[ROLE:]DOCUMENT...")
@click.option("--key", "key_files", type=_FILE, multiple=True, help="Your key; repeat where several must sign.")
@click.option("--proof", type=_FILE, help="Where the proof goes. Default: DOCUMENT.tlog-proof.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_act_options
@ledger_option
@passphrase_option
@json_option
@session
def publish(
    here: Session, /, documents: tuple[str, ...], key_files: tuple[Path, ...], proof: Path | None, yes: bool, **said: Any
) -> int:
    """Publish a paper: describe it, look at it, sign it, hand it over."""
    from ledger.desk.acts import sign_act
    from ledger.desk.documents import keep_salts

    settings, ledger = load_settings(), ledger_of(here)
    keys = key_files or usual_key(settings)
    with ledger.read() as state:
        request = request_of(documents, said, [public_id(here, one) for one in keys])
        request = complete(here, request, state, settings, ask_ref=not yes)
        made = make_draft(request, state)
        remarks = look(here, made, state, whole=not yes)
    agree(here, "desk.agree-publish", yes)
    envelope = made.envelope
    for key in keys:
        envelope = sign_act(envelope, private_key(here, key))
    keep_salts(made.salts)  # before anything is public: without its salt a commitment can never be opened
    outcome = hand_over_one(ledger, envelope, made.paths)
    for line in salt_lines(here, made):
        here.note(line)
    return report_act(here, outcome, proof or proof_path([one.path for one in made.documents], outcome), remarks)
