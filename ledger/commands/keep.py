"""``bening backup restore recover``: so that what was acknowledged survives the machine."""

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
    from ledger.publisher.home import Home
    from ledger.publisher.recover import Mirror

__all__ = ["backup", "recover", "restore"]

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("directory", type=_FOLDER)
@click.option("--check", is_flag=True, help="Restore the backup on trial and check all of it.")
@ledger_option
@json_option
@session
def backup(here: Session, directory: Path, check: bool) -> int:
    """Back the ledger up into DIRECTORY: databases as of one moment, documents that are new. Never keys."""
    from ledger.publisher.backup import back_up

    size, faults = back_up(home_of(here), directory, check=check)
    found = {"backup": str(directory), "size": size, "checked": check, "faults": [one.code for one in faults]}
    done = "backup.checked" if check else "backup.done"
    lines = [here.say(f"fsck.{one.code}", **one.values) for one in faults]
    if faults:
        lines.append(here.say("backup.kept", directory=printable(directory)))
    here.report(found, lines or [here.say(done, directory=printable(directory), size=size)])
    return FALSE if faults else 0


@click.command()
@click.argument("source", type=_FOLDER)
@click.argument("directory", type=_FOLDER)
@json_option
@session
def restore(here: Session, source: Path, directory: Path) -> int:
    """Make a home in DIRECTORY from the backup SOURCE. It signs nothing until `recover`."""
    from ledger.publisher.backup import restore as restore_home

    home = restore_home(source, directory)
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
    """After `restore`: bring back from a mirror what the backup did not hold, proven, and go on."""
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
        came = recover_home(home, _mirror(home, source, Path(scratch)))
    before = published_size(home)
    sequence_once(home, here.passphrase_of)
    waited = published_size(home) - before
    lines = [here.say("recover.done", count=came), *([here.say("recover.waited", count=waited)] if waited else [])]
    here.report({"home": str(home.path), "came_back": came, "published_waiting": waited}, lines)
    return 0


def _mirror(home: Home, location: str, scratch: Path) -> Mirror:
    """Read ``location`` as a stranger would: every entry proven against its signed checkpoint."""
    from ledger.publisher.recover import Mirror
    from ledger.tlog.policy import parse_policy
    from ledger.verifier.client import fetch_document, open_source
    from ledger.verifier.reader import open_ledger

    source = open_source(location)
    view = open_ledger(source, parse_policy((home.public / "policy").read_bytes()), home.founding)

    def document(sha256: str, size: int) -> Path:
        path = scratch / sha256
        with open(path, "wb") as file:
            fetch_document(source, sha256, size, file)
        return path

    return Mirror(view.note, lambda start, end: [view.entry(index) for index in range(start, end)], document)
