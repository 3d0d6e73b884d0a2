"""``bening backup restore recover upgrade``: so that what was acknowledged survives the machine."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.commands.common import FALSE, Session, json_option, ledger_option, passphrase_option, printable, session
from ledger.commands.ledgers import home_of
from ledger.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.publisher.home import Home
    from ledger.publisher.recover import Mirror

__all__ = ["backup", "recover", "restore", "upgrade"]

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("directory", type=_FOLDER)
@click.option("--check", is_flag=True, help="Restore the backup on trial and check all of it.")
@ledger_option
@json_option
@session
def backup(here: Session, directory: Path, check: bool) -> int:
    """Back the ledger up into DIRECTORY: databases as of one moment, documents that are new. Never keys.

    May run while the ledger is at work. The two newest snapshots stay; `sha256sum -c` reads their manifests.
    """
    from ledger.publisher.backup import back_up

    size, faults = back_up(home_of(here), directory, check=check)
    found = {"backup": str(directory), "size": size, "checked": check, "faults": [one.code for one in faults]}
    done = "backup.checked" if check else "backup.done"
    lines = [here.say(f"fsck.{one.code}", **one.values) for one in faults]
    if faults:
        kept = all(one.code.startswith("document-") for one in faults)
        lines.append(here.say("backup.lacking" if kept else "backup.kept", directory=printable(directory), size=size))
    here.report(found, lines or [here.say(done, directory=printable(directory), size=size)])
    return FALSE if faults else 0


@click.command()
@click.argument("source", type=_FOLDER)
@click.argument("directory", type=_FOLDER)
@click.option("--snapshot", metavar="NAME", help="Of an older snapshot, as SOURCE/snapshots names it. Default: the newest.")
@json_option
@session
def restore(here: Session, source: Path, directory: Path, snapshot: str | None) -> int:
    """Make a home in DIRECTORY from the backup SOURCE, every file held against the manifest. It signs nothing until `recover`."""
    from ledger.publisher.restore import restore as restore_home

    home = restore_home(source, directory, name=snapshot)
    here.report({"home": str(home.path), "restored": True}, [here.say("restore.done", home=printable(home.path))])
    return 0


@click.command()
@click.option("--from", "source", metavar="URL|DIR", help="A mirror, or the public folder of the lost machine.")
@click.option("--accept-loss", is_flag=True, help="There is no mirror. The ledger keeps that you said so.")
@ledger_option
@passphrase_option
@json_option
@session
def recover(here: Session, source: str | None, accept_loss: bool) -> int:
    """After `restore`: bring back from a mirror what the backup did not hold, proven, and go on.

    Also where the database alone is old: from the home's own public folder. If it is interrupted, run it again.
    """
    from ledger.publisher.handover import sequence_once
    from ledger.publisher.recover import accept_loss as accept
    from ledger.publisher.recover import recover as recover_home
    from ledger.publisher.state import published_size

    if (source is None) == (not accept_loss):
        raise UsageError("either --from or --accept-loss", code="missing-options", options="--from | --accept-loss")
    home = home_of(here)
    if source is None:
        accept(home, datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        here.report({"home": str(home.path), "came_back": 0}, [here.say("recover.loss-accepted")])
        return 0
    for path in home.log_keys:  # asked for now: what comes back is let out again at the end
        here.passphrase_of(path)
    with tempfile.TemporaryDirectory(dir=home.path) as scratch:
        came = recover_home(home, _mirror(home, source, Path(scratch)), _progress(here))
    before = published_size(home)
    sequence_once(home, here.passphrase_of)
    waited = published_size(home) - before
    lines = [here.say("recover.done", count=came), *([here.say("recover.waited", count=waited)] if waited else [])]
    here.report({"home": str(home.path), "came_back": came, "published_waiting": waited}, lines)
    return 0


@click.command()
@click.option("--check", is_flag=True, help="Only say what would become of it; nothing is changed.")
@ledger_option
@json_option
@session
def upgrade(here: Session, check: bool) -> int:
    """Bring a home up to this version's format: copy, check again, compare every public file, and only then cut over.

    Sequencer and site must have been stopped. The old database is kept beside the new one.
    """
    from ledger.publisher.upgrade import upgrade as upgrade_home

    home = home_of(here)
    found = upgrade_home(home, check=check, progress=_progress(here))
    kept = str(home.path / f"ledger.db.v{found.found}") if found.done else None
    values = {"home": printable(home.path), "size": found.size, "found": found.found, "kept": printable(kept)}
    what = "kept" if found.faults else "done" if found.done else "checked" if found.found != _version() else "same"
    lines = [here.say(f"fsck.{one.code}", **one.values) for one in found.faults[:50]] + [here.say(f"upgrade.{what}", **values)]
    faults = [{"code": one.code, **one.values} for one in found.faults]
    here.report({"home": str(home.path), "found": found.found, "size": found.size, "done": found.done, "faults": faults}, lines)
    return FALSE if found.faults else 0


def _version() -> int:
    from ledger.publisher.schema import LEDGER_VERSION

    return LEDGER_VERSION


def _progress(here: Session) -> Callable[[int, int], None]:
    """Return what shows how far a long run is, on a terminal only; a line at most every half second."""
    import sys
    import time

    shown = [time.monotonic()]

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() and time.monotonic() - shown[0] > 0.5:
            shown[0] = time.monotonic()
            here.note(here.say("recover.progress", done=done, total=total))

    return show


def _mirror(home: Home, location: str, scratch: Path) -> Mirror:
    """Read ``location`` as a stranger would: every entry proven against its signed checkpoint.

    The log's keys are those that the mirror's roster names, replayed from this ledger's founding, as the authority has signed
    it: they may have been changed since the backup.
    """
    from ledger.publisher.recover import Mirror
    from ledger.records.roster import replay_roster
    from ledger.tlog.checkpoint import parse_checkpoint
    from ledger.tlog.note import parse_note, parse_vkey
    from ledger.tlog.policy import format_policy, parse_policy
    from ledger.verifier.client import fetch_checkpoint, fetch_document, open_source, read_roster
    from ledger.verifier.reader import view_of

    source = open_source(location)
    note = fetch_checkpoint(source)
    roster = replay_roster(read_roster(source), founding=home.founding)[-1]
    size = parse_checkpoint(parse_note(note).text).size
    ed25519, mldsa44 = (parse_vkey(one) for one in roster.log_keys_at(size)[-1].vkeys)
    view = view_of(source, parse_policy(format_policy(ed25519, mldsa44, home.founding)), home.founding, note)

    def document(sha256: str, size: int) -> Path:
        path = scratch / sha256
        with open(path, "wb") as file:
            fetch_document(source, sha256, size, file)
        return path

    return Mirror(view.note, lambda start, end: [view.entry(index) for index in range(start, end)], document)
