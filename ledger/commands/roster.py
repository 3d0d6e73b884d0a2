"""``bening roster``: who may do what. Every command makes one or more events, signed by the authority."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.commands.common import Session, json_option, ledger_option, passphrase_option, printable, session
from ledger.errors import AdmissionError, UsageError

if TYPE_CHECKING:
    from ledger.publisher.home import Home

__all__ = ["roster"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def roster() -> None:
    """Offices, forms, keys, rules: what the authority has decided."""


def _event_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        click.option("--key", "key_files", type=_FILE, multiple=True, help="Private key: the authority's, and a new key itself."),
        click.option("-o", "--output", type=_FILE, help="Write the event here, for others to sign, and do not submit it."),
        ledger_option,
        passphrase_option,
        json_option,
        session,
    ]
    for option in options:
        command = option(command)
    return command


def _words(text: str | None) -> list[str]:
    return [part for part in (text or "").split(",") if part]


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


@roster.command("apply")
@click.argument("file", type=_FILE)
@_event_options
def apply(here: Session, file: Path, key_files: tuple[Path, ...], output: Path | None) -> int:
    """Make the events in FILE (TOML)."""
    from ledger.desk.roster_file import read_events

    return _make(here, read_events(file), key_files, output)


@roster.command("office")
@click.argument("office_id", metavar="ID")
@click.option("--name", required=True)
@click.option("--parent", help="The office above.")
@_event_options
def office(here: Session, office_id: str, name: str, parent: str | None, key_files: tuple[Path, ...], output: Path | None) -> int:
    """Declare an office, or give it another name or place."""
    return _make(here, [{"event": "office", "id": office_id, "name": name, **_given(parent=parent)}], key_files, output)


@roster.command("form")
@click.argument("form_id", metavar="ID")
@click.option("--kind", required=True, help="What kind of paper it is.")
@click.option("--name", required=True, help="The city's own name for it.")
@click.option("--law", help="What it rests on.")
@_event_options
def form(
    here: Session, form_id: str, kind: str, name: str, law: str | None, key_files: tuple[Path, ...], output: Path | None
) -> int:
    """Declare a form of paper."""
    return _make(here, [{"event": "form", "id": form_id, "kind": kind, "name": name, **_given(law=law)}], key_files, output)


@roster.command("enrol")
@click.option("--pub", type=_FILE, required=True, help="The new key's public file.")
@click.option("--holder", help="Who holds it; a rule counts holders. Default: the position.")
@click.option("--position", required=True)
@click.option("--office", "offices", required=True, help="Office id; several with commas.")
@click.option("--kinds", required=True, help="Kinds that it may sign, with commas.")
@click.option("--from", "begins", required=True, help="First day (YYYY-MM-DD).")
@click.option("--until", help="Last day.")
@_event_options
def enrol(
    here: Session,
    pub: Path,
    holder: str | None,
    position: str,
    offices: str,
    kinds: str,
    begins: str,
    until: str | None,
    key_files: tuple[Path, ...],
    output: Path | None,
) -> int:
    """Enrol a key. The new key signs too, to show that its holder has it."""
    from ledger.keyfile import load_public

    event = {
        "event": "enrol",
        "key": load_public(pub).spki_base64(),
        "holder": holder or position,
        "position": position,
        "offices": _words(offices),
        "kinds": _words(kinds),
        "from": begins,
        **_given(until=until),
    }
    return _make(here, [event], key_files, output)


@roster.command("retire")
@click.argument("target", metavar="KEYID|FILE.pub")
@_event_options
def retire(here: Session, target: str, key_files: tuple[Path, ...], output: Path | None) -> int:
    """End a key: it signs nothing more. What it signed stands."""
    return _make(here, [{"event": "retire", "key": _keyid(here, target)}], key_files, output)


@roster.command("revoke")
@click.argument("target", metavar="KEYID|FILE.pub")
@click.option("--suspect-from", type=int, required=True, help="Acts signed with it from this index on are disputed.")
@click.option("--reason")
@_event_options
def revoke(
    here: Session, target: str, suspect_from: int, reason: str | None, key_files: tuple[Path, ...], output: Path | None
) -> int:
    """End a key that was lost or stolen."""
    event = {"event": "revoke", "key": _keyid(here, target), "suspect_from": suspect_from, **_given(reason=reason)}
    return _make(here, [event], key_files, output)


@roster.command("reaffirm")
@click.argument("acts", metavar="REF|ID...", nargs=-1, required=True)
@_event_options
def reaffirm(here: Session, acts: tuple[str, ...], key_files: tuple[Path, ...], output: Path | None) -> int:
    """Confirm acts that a revoked key had signed."""
    return _make(here, [{"event": "reaffirm", "acts": [_act_id(here, one) for one in acts]}], key_files, output)


@roster.command("rule")
@click.option("--kind", help="For this kind …")
@click.option("--signatures", type=int, help="… this many different holders must sign …")
@click.option("--positions", help="… who hold one of these positions (with commas).")
@click.option("--office", "office_id", help="This office …")
@click.option("--over", help="… may amend, revoke or annul acts of that one.")
@_event_options
def rule(
    here: Session,
    kind: str | None,
    signatures: int | None,
    positions: str | None,
    office_id: str | None,
    over: str | None,
    key_files: tuple[Path, ...],
    output: Path | None,
) -> int:
    """Rule how many must sign a kind, or that one office may act on another's papers."""
    if (kind is None) == (office_id is None):
        raise UsageError("either --kind or --office", code="missing-options", options="--kind | --office --over")
    event: dict[str, Any] = {"event": "rule", **_given(kind=kind, signatures=signatures, office=office_id, over=over)}
    if positions is not None:
        event["positions"] = _words(positions)
    return _make(here, [event], key_files, output)


@roster.command("series")
@click.argument("series_id", metavar="ID")
@click.option("--office", "office_id", required=True)
@click.option("--forms", required=True, help="Form ids, with commas.")
@click.option("--pattern", required=True, help="Like '*/{serial} Tahun {year}'.")
@click.option("--start", type=int, default=1, show_default=True)
@click.option("--resets", type=click.Choice(["yearly", "never"]), default="yearly", show_default=True)
@click.option("--complete-from", required=True, help="From this day on every number is published or explained.")
@_event_options
def series(
    here: Session,
    series_id: str,
    office_id: str,
    forms: str,
    pattern: str,
    start: int,
    resets: str,
    complete_from: str,
    key_files: tuple[Path, ...],
    output: Path | None,
) -> int:
    """Declare a number book: only then can a gap be stated."""
    event = {
        "event": "series",
        "id": series_id,
        "office": office_id,
        "forms": _words(forms),
        "pattern": pattern,
        "start": start,
        "resets": resets,
        "complete_from": complete_from,
    }
    return _make(here, [event], key_files, output)


@roster.command("duty")
@click.option("--office", "office_id", required=True)
@click.option("--forms", required=True, help="Form ids, with commas.")
@click.option("--from", "begins", required=True)
@_event_options
def duty(here: Session, office_id: str, forms: str, begins: str, key_files: tuple[Path, ...], output: Path | None) -> int:
    """Record that an office has promised to publish forms here."""
    return _make(here, [{"event": "duty", "office": office_id, "forms": _words(forms), "from": begins}], key_files, output)


@roster.command("withdraw")
@click.argument("sha256")
@click.option("--law", required=True, help="The law that demands it.")
@click.option("--reason", required=True)
@_event_options
def withdraw(here: Session, sha256: str, law: str, reason: str, key_files: tuple[Path, ...], output: Path | None) -> int:
    """Take a document's bytes out of the public folder; its hash stays."""
    return _make(here, [{"event": "withdraw", "sha256": sha256, "law": law, "reason": reason}], key_files, output)


@roster.command("authority")
@click.option("--pub", "pubs", type=_FILE, multiple=True, required=True, help="Public key; repeat for every one.")
@click.option("--threshold", type=click.IntRange(1, 16), required=True)
@_event_options
def authority(here: Session, pubs: tuple[Path, ...], threshold: int, key_files: tuple[Path, ...], output: Path | None) -> int:
    """Replace the authority's keys. The old threshold and every new key sign."""
    from ledger.keyfile import load_public

    keys = [load_public(pub).spki_base64() for pub in pubs]
    return _make(here, [{"event": "authority", "keys": keys, "threshold": threshold}], key_files, output)


@roster.command("log-key")
@click.argument("file", type=_FILE)
@click.option("--from-size", type=int, required=True, help="Checkpoints from this size on carry the new keys.")
@click.option("--overlap-until-size", type=int, required=True, help="Up to before this size the old keys sign as well.")
@_event_options
def log_key(
    here: Session, file: Path, from_size: int, overlap_until_size: int, key_files: tuple[Path, ...], output: Path | None
) -> int:
    """Announce new keys of the log (made in FILE if absent), and name them in bening.toml."""
    from ledger.keyfile import load_log_keys, new_log_keys
    from ledger.publisher.home import add_log_key

    home = _home(here)
    if not file.exists():
        new_log_keys(file, here.new_passphrase(file))
    vkeys = load_log_keys(file, here.passphrase_of(file)).vkeys(home.origin)
    event = {"event": "log_key", "vkeys": list(vkeys), "from_size": from_size, "overlap_until_size": overlap_until_size}
    add_log_key(home, file)
    return _make(here, [event], key_files, output)


@roster.command("list")
@ledger_option
@json_option
@session
def list_(here: Session) -> int:
    """Show offices, forms, keys, rules and number books as they are now."""
    from ledger.desk.roster_view import roster_json, roster_lines
    from ledger.publisher.state import open_state

    with open_state(_home(here)) as state:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        here.report(roster_json(state.roster), roster_lines(state.roster, here.say, today))
    return 0


def _make(here: Session, events: Sequence[dict[str, Any]], key_files: Sequence[Path], output: Path | None) -> int:
    """Draft, sign with the keys at hand, and submit; or write what still needs signatures."""
    from ledger.desk.roster_file import draft_payloads
    from ledger.keyfile import load_private
    from ledger.publisher.handover import Submission, hand_over
    from ledger.publisher.state import open_state
    from ledger.records.envelope import Envelope, add_signature, dump_envelope
    from ledger.records.events import new_keys

    home = _home(here)
    signers = [load_private(file, here.passphrase_of(file)) for file in key_files]
    with open_state(home) as state:
        now, index = state.roster, state.size
        drafts = draft_payloads(now, events)
    signed: list[Envelope] = []
    for draft in drafts:
        fitting = _fitting(draft, now.authority.keys(), new_keys)
        for signer in signers:
            if signer.public.keyid in fitting:
                draft = add_signature(draft, signer.public.keyid, signer.sign)
        signed.append(draft)
    enough = all(len([one for one in draft.signatures if one.keyid in now.authority]) >= now.threshold for draft in signed)
    if output is not None or not enough:
        return _write_out(here, signed, output or Path("EVENT.json"), dump_envelope)
    outcomes = hand_over(home, [Submission(draft) for draft in signed], keys=here.passphrase_of)
    refused = [reason for outcome in outcomes for reason in outcome.reasons]
    if refused:
        raise AdmissionError(refused)
    shown = {"events": [{"id": one.id, "index": one.index} for one in outcomes], "before": index}
    here.report(shown, [here.say("roster.done", index=one.index, count=len(events)) for one in outcomes[-1:]])
    return 0


def _fitting(draft: Any, authority: Any, new_keys: Any) -> set[str]:
    from ledger.records import canonical
    from ledger.records.events import key_of

    events = canonical.parse(draft.payload, limit=len(draft.payload))["events"]
    return set(authority) | {key_of(key).keyid for event in events for key in new_keys(event)}


def _write_out(here: Session, drafts: Sequence[Any], output: Path, dump: Callable[[Any], bytes]) -> int:
    from ledger.durable import write_over

    files = [output] if len(drafts) == 1 else [output.with_stem(f"{output.stem}-{n}") for n in range(1, len(drafts) + 1)]
    for file, draft in zip(files, drafts, strict=True):
        write_over(file.absolute(), dump(draft))
    shown = {"unsigned": [str(file) for file in files]}
    here.report(shown, [here.say("roster.drafted", file=printable(file)) for file in files])
    return 0


def _home(here: Session) -> Home:
    from ledger.commands.ledgers import home_of

    return home_of(here)


def _keyid(here: Session, target: str) -> str:
    from ledger.keyfile import load_public

    return load_public(Path(target)).keyid if target.endswith(".pub") else target


def _act_id(here: Session, target: str) -> str:
    from ledger.publisher.state import open_state
    from ledger.records.refs import parse_ref

    if len(target) == 64:
        return target
    with open_state(_home(here)) as state:
        act = state.index.by_ref(parse_ref(target))
    if act is None:
        raise UsageError(f"no act {target}", code="no-such-act", ref=target)
    return act.id
