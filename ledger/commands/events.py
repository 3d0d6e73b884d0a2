"""Roster events on their way from a command: drafted, signed with the keys at hand, judged, then submitted or written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.commands.common import Session, json_option, ledger_option, passphrase_option, printable, session
from ledger.errors import AdmissionError, UsageError

if TYPE_CHECKING:
    from ledger.commands.ledgers import Ledger
    from ledger.records.envelope import Envelope
    from ledger.records.roster import Roster

__all__ = ["Ready", "event_options", "prepare_events", "send_events", "write_events"]

_FILE = click.Path(path_type=Path, dir_okay=False)
_STILL_MISSING = ("too-few-authority-signatures", "no-proof-of-possession")


def event_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every command that makes an event takes: keys, where to write it, and the ledger."""
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


@dataclass(frozen=True, slots=True)
class Ready:
    """Roster payloads with the signatures at hand, judged to follow ``roster``; ``enough``: ready to be submitted."""

    roster: Roster
    size: int
    drafts: tuple[Envelope, ...]
    count: int
    enough: bool


def prepare_events(here: Session, ledger: Ledger, events: Sequence[dict[str, Any]], key_files: Sequence[Path]) -> Ready:
    """Draft events, sign them with the keys at hand, and judge them.

    Raises:
        AdmissionError: an event may not follow.
        UsageError: ``not-a-signer``: a key has no place in any of them.
    """
    from ledger.desk.acts import is_asked, progress_of, sign_act
    from ledger.desk.roster_file import draft_payloads
    from ledger.keyfile import load_private

    signers = [load_private(file, here.passphrase_of(file)) for file in key_files]
    with ledger.read() as state:
        now, size = state.roster, state.size
    drafts = draft_payloads(now, events)
    for signer in signers:
        asked = [is_asked(draft, signer.public.keyid, now.authority.keys()) for draft in drafts]
        if not any(asked):
            raise UsageError(f"{signer.public.keyid} may not sign this", code="not-a-signer", keyid=signer.public.keyid[:16])
        drafts = [sign_act(draft, signer) if fits else draft for draft, fits in zip(drafts, asked, strict=True)]
    enough = all((progress_of(draft, now).count or 0) >= now.threshold for draft in drafts)
    _judge(now, drafts, size)
    return Ready(now, size, tuple(drafts), len(events), enough)


def _judge(roster: Roster, drafts: Sequence[Envelope], size: int) -> None:
    """Judge payloads one after the other; signatures may still be missing."""
    from ledger.records.roster import apply_roster, judge_roster

    for index, draft in enumerate(drafts, start=size):
        reasons = [one for one in judge_roster(roster, draft, index=index) if one.code not in _STILL_MISSING]
        if reasons:
            raise AdmissionError(reasons)
        roster = apply_roster(roster, draft, index=index)


def send_events(here: Session, ledger: Ledger, ready: Ready, more: Sequence[str] = ()) -> int:
    """Submit events and tell their place, and ``more``; the exit status.

    Raises:
        AdmissionError: they were refused.
    """
    outcomes = ledger.hand_over([(draft, {}) for draft in ready.drafts])
    refused = [reason for outcome in outcomes for reason in outcome.reasons]
    if refused:
        raise AdmissionError(refused)
    shown = {"events": [{"id": one.id, "index": one.index} for one in outcomes], "before": ready.size}
    here.report(shown, [*(here.say("roster.done", index=one.index, count=ready.count) for one in outcomes[-1:]), *more])
    return 0


def write_events(here: Session, ready: Ready, output: Path | None, more: Sequence[str] = ()) -> int:
    """Write the events for others to sign, and say whose signatures are there and whose are missing."""
    from ledger.desk.acts import progress_lines, progress_of
    from ledger.durable import write_over
    from ledger.records.envelope import dump_envelope

    first, drafts = output or Path("EVENT.json"), ready.drafts
    files = [first] if len(drafts) == 1 else [first.with_stem(f"{first.stem}-{n}") for n in range(1, len(drafts) + 1)]
    lines: list[str] = []
    for file, draft in zip(files, drafts, strict=True):
        write_over(file.absolute(), dump_envelope(draft))
        lines.append(here.say("roster.drafted", file=printable(file)))
        lines += progress_lines(progress_of(draft, ready.roster), here.say)
    here.report({"unsigned": [str(file) for file in files]}, [*lines, *more])
    return 0
