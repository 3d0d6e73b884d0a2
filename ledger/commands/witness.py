"""``bening witness``: watch ledgers and other logs, and co-record that they only grow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.commands.common import Session, json_option, passphrase_option, printable, session
from ledger.errors import FetchError, UsageError

if TYPE_CHECKING:
    from ledger.keyfile import LogKeys
    from ledger.tlog.note import VerifierKey
    from ledger.witness.state import Log

__all__ = ["witness"]

_DIR = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
QUIET = 2 * 24 * 3600  # seconds: a ledger is shown to its witnesses every day, also when nothing is new


@click.group()
def witness() -> None:
    """Be a witness: co-record that ledgers and other logs only grow (C2SP tlog-witness)."""


@witness.command("init")
@click.argument("directory", type=_DIR)
@click.option("--name", required=True, help="The name in every cosignature, for ever, like audit.example/w1.")
@click.option("--key", type=_FILE, help="The witness's key file; made if absent. Default: DIR-keys/witness.pem.")
@click.option("--contact", default="", help="Whom to write to; stands on the witness's page.")
@passphrase_option
@json_option
@session
def init(here: Session, directory: Path, name: str, key: Path | None, contact: str) -> int:
    """Begin a witness in DIRECTORY; say which keys go into policies."""
    from ledger.keyfile import load_log_keys, new_log_keys
    from ledger.tlog.note import format_vkey
    from ledger.witness.home import create_home
    from ledger.witness.witness import vkeys_of

    key = key or directory.absolute().parent / f"{directory.name}-keys" / "witness.pem"
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        new_log_keys(key, here.new_passphrase(key))
    keys = load_log_keys(key, here.passphrase_of(key))
    home = create_home(directory, name, key, keys, contact)
    vkeys = [format_vkey(one) for one in vkeys_of(name, keys)]
    value = {"directory": str(directory), "name": name, "key": str(home.key), "vkeys": vkeys}
    told = {"folder": printable(directory), "key": printable(home.key), "name": printable(name)}
    here.report(value, [here.say("witness.made", **told), here.say("witness.vkeys"), *vkeys])
    return 0


@witness.command("add-log")
@click.argument("directory", type=_DIR)
@click.argument("vkeys", nargs=-1)
@click.option("--policy", metavar="FILE|URL", help="Take the log's keys from this policy instead.")
@click.option("--origin", help="The log's origin, where it is not the name of its keys.")
@json_option
@session
def add_log(here: Session, directory: Path, vkeys: tuple[str, ...], policy: str | None, origin: str | None) -> int:
    """Watch a log, by its VKEYS or by a policy. For a log that is watched, these take the place of its keys."""
    from ledger.tlog.note import format_vkey, parse_vkey
    from ledger.witness.home import open_home
    from ledger.witness.state import open_state

    open_home(directory)
    keys = [parse_vkey(one) for one in vkeys] + (_keys_in(policy) if policy else [])
    if not keys or (origin is None and len({key.name for key in keys}) > 1):
        raise UsageError("which log?", code="witness-which-log")
    name = origin or keys[0].name
    with open_state(directory) as state, state.transaction():
        state.add_log(name, keys)
    value = {"origin": name, "vkeys": [format_vkey(key) for key in keys]}
    here.report(value, [here.say("witness.watches", origin=printable(name), count=len(keys))])
    return 0


def _keys_in(place: str) -> list[VerifierKey]:
    """Return the keys with which a policy's log signs, its post-quantum one included."""
    from ledger.tlog.policy import LOG_PQ, parse_policy

    policy = parse_policy(_bytes_at(place))
    second = policy.witnesses.get(LOG_PQ)
    return [*policy.logs, *([second.key] if second is not None and second.key is not None else [])]


def _bytes_at(place: str) -> bytes:
    """Return the bytes of a file, or of one file behind a URL."""
    if "://" not in place:
        try:
            return Path(place).read_bytes()
        except OSError as error:
            raise FetchError(f"{place}: {error}", code="not-found", what=place) from None
    from ledger.verifier.client import open_source

    base, _, name = place.rpartition("/")
    return open_source(base).fetch(name, limit=1 << 20)


@witness.command("serve")
@click.argument("directory", type=_DIR)
@click.option("--listen", metavar="HOST:PORT|unix:PATH", help="Where to answer. Default: witness.toml.")
@click.option("--accept-clock", is_flag=True, help="Go on although the clock looks wrong.")
@passphrase_option
@session
def serve(here: Session, directory: Path, listen: str | None, accept_clock: bool) -> int:
    """Answer logs and monitors."""
    from ledger.clock import Clock
    from ledger.witness.home import open_home
    from ledger.witness.witness import Witness
    from web.server import serve_front
    from web.witness.app import WitnessFront

    home, keys = open_home(directory), _keys_of(here, directory)
    front = WitnessFront(home, lambda state: Witness(state, home.name, keys, Clock(accepted=accept_clock)))
    front.witness.check_clock()
    serve_front(front, listen or home.listen, started=lambda where: here.note(here.say("witness.listening", where=where)))
    return 0


def _keys_of(here: Session, directory: Path) -> LogKeys:
    from ledger.keyfile import load_log_keys
    from ledger.witness.home import open_home

    path = open_home(directory).key
    return load_log_keys(path, here.passphrase_of(path))


@witness.command("status")
@click.argument("directory", type=_DIR)
@json_option
@session
def status(here: Session, directory: Path) -> int:
    """Say what has been seen of each log. Exit 1: a log has contradicted itself; 3: one is locked, or silent for two days."""
    from ledger.witness.home import open_home
    from ledger.witness.state import open_state

    home, now = open_home(directory), int(time.time())
    with open_state(directory, read_only=True) as state:
        logs, words = state.logs(), state.words()
    lines = [here.say("witness.status", name=printable(home.name), count=len(logs))]
    lines += [line for log in logs for line in _told(here, log, now)]
    value = {
        "name": home.name,
        "logs": [
            {
                "origin": log.origin, "size": log.seen.size if log.time else None, "root": log.seen.root.hex(),
                "time": log.time or None, "locked": log.locked or None, "odd": log.odd,
            }
            for log in logs
        ],
        "words": [{"time": when, "what": what} for when, what in words],
    }  # fmt: skip
    here.report(value, lines)
    if any(log.odd for log in logs):
        return 1
    return 3 if any(log.locked or (log.time and now - log.time > QUIET) for log in logs) else 0


def _told(here: Session, log: Log, now: int) -> list[str]:
    from ledger.records.entry import format_time

    told = {"origin": printable(log.origin), "size": log.seen.size, "hours": max(0, now - log.time) // 3600}
    if not log.time:
        lines = [here.say("witness.log-never", **told)]
    else:
        lines = [here.say("witness.log", **told, time=format_time(log.time))]
        lines += [here.say("witness.log-quiet", **told)] if now - log.time > QUIET else []
    lines += [here.say(f"witness.log-{log.locked}", **told)] if log.locked else []
    return lines + ([here.say("witness.log-odd", **told, count=log.odd)] if log.odd else [])


@witness.command("unlock")
@click.argument("directory", type=_DIR)
@click.argument("origin")
@click.option("--from", "place", metavar="FILE|URL", help="A checkpoint of the log that carries this witness's cosignature.")
@click.option("--on-my-word", is_flag=True, help="Nothing was cosigned after what is here. This is kept for ever.")
@passphrase_option
@json_option
@session
def unlock(here: Session, directory: Path, origin: str, place: str | None, on_my_word: bool) -> int:
    """After a restore: cosign the log ORIGIN again, by its newest checkpoint that this witness has cosigned."""
    from ledger.witness.home import open_home
    from ledger.witness.state import open_state
    from ledger.witness.witness import Witness

    if (place is None) != on_my_word:
        raise UsageError("--from or --on-my-word", code="witness-which-ground")
    home, keys = open_home(directory), _keys_of(here, directory)
    with open_state(directory) as state:
        seen = Witness(state, home.name, keys).unlock(origin, None if place is None else _bytes_at(place))
    here.report({"origin": origin, "size": seen.size}, [here.say("witness.unlocked", origin=printable(origin), size=seen.size)])
    return 0


@witness.command("evidence")
@click.argument("directory", type=_DIR)
@click.argument("origin")
@click.option("-o", "--output", "folder", type=_DIR, required=True, help="The folder for the files.")
@json_option
@session
def evidence(here: Session, directory: Path, origin: str, folder: Path) -> int:
    """Write what convicts the log ORIGIN, a file each, for anybody to check: bening verify FILE."""
    from ledger.durable import make_folder, write_once
    from ledger.witness.evidence import convictions_of
    from ledger.witness.home import open_home
    from ledger.witness.state import open_state

    open_home(directory)
    with open_state(directory, read_only=True) as state:
        log = state.log(origin)
        if log is None:
            raise UsageError(f"{origin} is not watched", code="unknown-origin", origin=origin)
        found = convictions_of(state, log)
    paths = []
    for name, data in found:
        make_folder(folder)
        write_once(folder / name, data)
        paths.append(str(folder / name))
    lines = [here.say("witness.evidence", path=printable(path)) for path in paths] or [here.say("witness.no-evidence")]
    here.report({"origin": origin, "files": paths}, lines)
    return 1 if paths else 0


@witness.command("backup")
@click.argument("directory", type=_DIR)
@click.argument("file", type=_FILE)
@json_option
@session
def backup(here: Session, directory: Path, file: Path) -> int:
    """Write a copy of what has been seen to FILE, without keys. Restored, it is locked until ``unlock``."""
    from ledger.witness.home import open_home
    from ledger.witness.state import open_state

    open_home(directory)
    with open_state(directory) as state:
        state.backup(file)
    here.report({"file": str(file)}, [here.say("witness.backed-up", file=printable(file))])
    return 0
