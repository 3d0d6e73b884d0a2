"""``bening roster``: who may do what. Every command makes one or more events, signed by the authority."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ledger.commands.common import Session, json_option, ledger_option, session
from ledger.commands.events import event_options, prepare_events, send_events, write_events
from ledger.commands.ledgers import ledger_of
from ledger.commands.logkey import log_key
from ledger.errors import UsageError

__all__ = ["roster"]

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def roster() -> None:
    """Offices, forms, keys, rules: what the authority has decided."""


def _words(text: str | None) -> list[str]:
    return [part for part in (text or "").split(",") if part]


def _given(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


@roster.command("apply")
@click.argument("file", type=_FILE)
@event_options
def apply(here: Session, file: Path, key_files: tuple[Path, ...], output: Path | None) -> int:
    """Make the events in FILE (TOML)."""
    from ledger.desk.roster_file import read_events

    return _make(here, read_events(file), key_files, output)


@roster.command("office")
@click.argument("office_id", metavar="ID")
@click.option("--name", required=True)
@click.option("--parent", help="The office above.")
@event_options
def office(here: Session, office_id: str, name: str, parent: str | None, key_files: tuple[Path, ...], output: Path | None) -> int:
    """Declare an office, or give it another name or place."""
    return _make(here, [{"event": "office", "id": office_id, "name": name, **_given(parent=parent)}], key_files, output)


@roster.command("form")
@click.argument("form_id", metavar="ID")
@click.option("--kind", required=True, help="What kind of paper it is.")
@click.option("--name", required=True, help="The city's own name for it.")
@click.option("--law", help="What it rests on.")
@event_options
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
@event_options
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
@event_options
def retire(here: Session, target: str, key_files: tuple[Path, ...], output: Path | None) -> int:
    """End a key: it signs nothing more. What it signed stands."""
    return _make(here, [{"event": "retire", "key": _keyid(here, target)}], key_files, output)


@roster.command("revoke")
@click.argument("target", metavar="KEYID|FILE.pub")
@click.option("--suspect-from", type=int, required=True, help="Acts signed with it from this index on are disputed.")
@click.option("--reason")
@event_options
def revoke(
    here: Session, target: str, suspect_from: int, reason: str | None, key_files: tuple[Path, ...], output: Path | None
) -> int:
    """End a key that was lost or stolen."""
    event = {"event": "revoke", "key": _keyid(here, target), "suspect_from": suspect_from, **_given(reason=reason)}
    return _make(here, [event], key_files, output)


@roster.command("reaffirm")
@click.argument("acts", metavar="REF|ID...", nargs=-1, required=True)
@event_options
def reaffirm(here: Session, acts: tuple[str, ...], key_files: tuple[Path, ...], output: Path | None) -> int:
    """Confirm acts that a revoked key had signed."""
    return _make(here, [{"event": "reaffirm", "acts": _act_ids(here, acts)}], key_files, output)


@roster.command("rule")
@click.option("--kind", help="For this kind …")
@click.option("--signatures", type=int, help="… this many different holders must sign …")
@click.option("--positions", help="… who hold one of these positions (with commas).")
@click.option("--office", "office_id", help="This office …")
@click.option("--over", help="… may amend, revoke or annul acts of that one.")
@event_options
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
@event_options
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
@event_options
def duty(here: Session, office_id: str, forms: str, begins: str, key_files: tuple[Path, ...], output: Path | None) -> int:
    """Record that an office has promised to publish forms here."""
    return _make(here, [{"event": "duty", "office": office_id, "forms": _words(forms), "from": begins}], key_files, output)


@roster.command("withdraw")
@click.argument("sha256")
@click.option("--law", required=True, help="The law that demands it.")
@click.option("--reason", required=True)
@event_options
def withdraw(here: Session, sha256: str, law: str, reason: str, key_files: tuple[Path, ...], output: Path | None) -> int:
    """Take a document's bytes out of the public folder; its hash stays."""
    return _make(here, [{"event": "withdraw", "sha256": sha256, "law": law, "reason": reason}], key_files, output)


@roster.command("authority")
@click.option("--pub", "pubs", type=_FILE, multiple=True, required=True, help="Public key; repeat for every one.")
@click.option("--threshold", type=click.IntRange(1, 16), required=True)
@event_options
def authority(here: Session, pubs: tuple[Path, ...], threshold: int, key_files: tuple[Path, ...], output: Path | None) -> int:
    """Replace the authority's keys. The old threshold and every new key sign."""
    from ledger.keyfile import load_public

    keys = [load_public(pub).spki_base64() for pub in pubs]
    return _make(here, [{"event": "authority", "keys": keys, "threshold": threshold}], key_files, output)


@roster.command("list")
@ledger_option
@json_option
@session
def list_(here: Session) -> int:
    """Show offices, forms, keys, rules and number books as they are now."""
    from ledger.desk.roster_view import roster_json, roster_lines

    now = ledger_of(here).roster()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    here.report(roster_json(now), roster_lines(now, here.say, today))
    return 0


roster.add_command(log_key)


def _make(here: Session, events: Sequence[dict[str, Any]], key_files: Sequence[Path], output: Path | None) -> int:
    """Draft, sign with the keys at hand, and submit; or write what still needs signatures."""
    ledger = ledger_of(here)
    ready = prepare_events(here, ledger, events, key_files)
    return write_events(here, ready, output) if output is not None or not ready.enough else send_events(here, ledger, ready)


def _keyid(here: Session, target: str) -> str:
    from ledger.keyfile import load_public

    return load_public(Path(target)).keyid if target.endswith(".pub") else target


def _act_ids(here: Session, targets: Sequence[str]) -> list[str]:
    """Return the ids of acts that are named by reference or by id."""
    from ledger.records.refs import parse_ref

    refs = [parse_ref(one) for one in targets if len(one) != 64]
    with ledger_of(here).read(lambda state: [state.index.by_ref(ref) for ref in refs]) as state:
        found = {ref: state.index.by_ref(ref) for ref in refs}
    ids = []
    for target in targets:
        act = None if len(target) == 64 else found[parse_ref(target)]
        if act is None and len(target) != 64:
            raise UsageError(f"no act {target}", code="no-such-act", ref=target)
        ids.append(target if act is None else act.id)
    return ids
