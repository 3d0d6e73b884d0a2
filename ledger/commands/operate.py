"""``bening sequence status fsck rebuild``: the operator's daily commands."""

from __future__ import annotations

import re
from typing import Any

import click

from ledger.commands.common import (
    FALSE,
    REFUSED,
    UNCHECKED,
    Session,
    json_option,
    ledger_option,
    passphrase_option,
    printable,
    session,
)
from ledger.commands.ledgers import home_of, ledger_of
from ledger.errors import StoreError, UsageError

__all__ = ["fsck", "rebuild", "sequence", "status"]

_SAID = ("not-running", "restored", "unpublished")  # which the other lines have told


@click.command()
@click.option("--accept-clock", is_flag=True, help="Go on although the clock looks wrong; the ledger keeps that you said so.")
@click.option("--once", is_flag=True, help="Publish what waits, and end.")
@ledger_option
@passphrase_option
@session
def sequence(here: Session, accept_clock: bool, once: bool) -> int:
    """Run the sequencer: take up what is submitted, sign, publish. One per ledger."""
    from ledger.clock import Clock
    from ledger.publisher.sequencer import Sequencer, run
    from ledger.publisher.sharing import logs_kept, share
    from ledger.publisher.signing import open_log_keys
    from ledger.supervise import Stop

    home = home_of(here)
    keys = open_log_keys(home, here.passphrase_of)
    with home.lock() as ours:
        if not ours:
            raise StoreError("a sequencer is running", code="sequencer-running", path=str(home.path))
        share(home)
        sequencer = Sequencer(home, keys, Clock(accepted=accept_clock))
        try:
            sequencer.start()
            here.note(here.say("sequence.started", origin=home.origin, size=sequencer.tip.size))
            if once:
                while sequencer.step():
                    pass
            else:
                stopping = Stop()
                run(sequencer, stopped=stopping.is_set, wait=stopping.wait)
        finally:
            with logs_kept(home):
                sequencer.close()
    here.note(here.say("sequence.stopped", size=sequencer.tip.size))
    return 0


@click.command()
@click.option("--act", metavar="ID", help="Show what became of one submission instead, by the act's id.")
@click.option("--nagios", is_flag=True, help="One line for a monitor; exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.")
@ledger_option
@json_option
@session
def status(here: Session, act: str | None, nagios: bool) -> int:
    """Show the ledger's state: size, last checkpoint, what waits, space, whether a sequencer runs, and what needs somebody.

    Of a ledger elsewhere, what can be known publicly.

    With --nagios the exit status is the one that the Nagios plugin guidelines prescribe, not that of Bening's other
    commands: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. Without it, what was found never changes the status.
    """
    if act is not None:
        return _fate(here, act)
    if nagios:
        from ledger.commands.watching import nagios as watch

        return watch(here, home_of)
    found = ledger_of(here).status()
    here.report(found, _status_lines(here, found))
    return 0


@click.command()
@ledger_option
@json_option
@session
def fsck(here: Session) -> int:
    """Check everything again from the entries' bytes: store, tree, chain, signatures, files, documents."""
    from ledger.publisher.fsck import check_home
    from ledger.publisher.state import published_size

    home = home_of(here)
    faults = check_home(home)
    found = {"faults": [{"code": one.code, **one.values} for one in faults], "home": str(home.path)}
    lines = [here.say(f"fsck.{one.code}", **one.values) for one in faults[:50]]
    if len(faults) > 50:
        lines.append(here.say("fsck.more", count=len(faults) - 50))
    here.report(found, lines or [here.say("fsck.sound", home=printable(home.path), size=published_size(home))])
    return FALSE if faults else 0


@click.command()
@ledger_option
@json_option
@session
def rebuild(here: Session) -> int:
    """Make everything derived again: index, tiles, look-ups, policies. Entries and documents are not touched."""
    from ledger.publisher.rebuild import rebuild as rebuild_home

    home = home_of(here)
    size = rebuild_home(home)
    here.report({"home": str(home.path), "size": size}, [here.say("rebuild.done", home=printable(home.path), size=size)])
    return 0


def _fate(here: Session, act_id: str) -> int:
    from ledger.words import say_reason

    if not re.fullmatch(r"[0-9a-f]{64}", act_id, re.ASCII):
        raise UsageError(f"{act_id!r} is no id", code="bad-act-id", id=act_id[:80])
    fate = ledger_of(here).fate(act_id)
    sentences = [say_reason(one, here.lang) for one in fate.reasons]
    found = {"id": act_id, "state": fate.state, "index": fate.index, "reasons": sentences}
    lines = [here.say(f"fate.{fate.state}", id=act_id[:16], index=fate.index), *(f"  - {one}" for one in sentences)]
    here.report(found, lines)
    return {"published": 0, "refused": REFUSED}.get(fate.state, UNCHECKED)


def _status_lines(here: Session, found: dict[str, Any]) -> list[str]:
    alerts = found.get("alerts", [])
    shown = {key: value for key, value in found.items() if value not in (None, []) and value is not False
             and (key, value) != ("unpublished", 0) and key != "alerts"}  # fmt: skip
    lines = [here.say(f"status.{key}", **found) for key in shown]
    lines += [] if found.get("sequencer_running", True) else [here.say("status.no-sequencer")]
    return lines + [_sentence(here.say(f"watch.{one['code']}", **one["values"])) for one in alerts if one["code"] not in _SAID]


def _sentence(part: str) -> str:
    """Return a part of a monitor's line as a sentence of its own."""
    first = part.partition(" ")[0]
    return (part[:1].upper() if first.isalpha() else part[:1]) + part[1:] + "."
