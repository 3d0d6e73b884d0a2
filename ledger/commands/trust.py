"""``trust``: what this reader has decided to trust, small enough to compare with a newspaper."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.commands.common import Session, founding_option, json_option, session

if TYPE_CHECKING:
    from ledger.settings import Settings
    from ledger.verifier.trust import Pin

__all__ = ["trust"]


@click.group()
def trust() -> None:
    """Pin a ledger: its policy and its founding, small enough to compare with a newspaper."""


@trust.command("add")
@click.argument("where")
@founding_option
@click.option("--name", help="What to call it here. Default: from its origin.")
@click.option("--accept-policy", is_flag=True, help="Pin again though the policy asks for fewer witnesses than the pinned one.")
@json_option
@session
def trust_add(here: Session, where: str, founding: str | None, name: str | None, accept_policy: bool) -> int:
    """Pin the ledger at a URL, in a folder, or in a policy file."""
    from ledger.verifier.client import open_source
    from ledger.verifier.trust import add_pin, propose_file, propose_source, read_policy_file

    settings = _settings()
    where = settings.ledgers.get(where, where)
    checked = re.match(r"[a-z]+://", where) is not None or Path(where).is_dir()
    offered = propose_source(open_source(where), founding) if checked else propose_file(read_policy_file(Path(where)), founding)
    pin = add_pin(settings.trust_dir, offered, name=name, accept_policy=accept_policy)
    lines = [*_pin_lines(here, pin), "", here.say("trust.compare")]
    here.report(_pin_json(pin), lines if checked else [*lines, here.say("trust.unchecked")])
    return 0


@trust.command("list")
@json_option
@session
def trust_list(here: Session) -> int:
    """Show the pinned ledgers."""
    from ledger.verifier.trust import load_pins

    pins = load_pins(_settings().trust_dir)
    lines = [line for pin in pins for line in _pin_lines(here, pin)] or [here.say("trust.none")]
    here.report({"pinned": [_pin_json(pin) for pin in pins]}, lines)
    return 0


@trust.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@session
def remove(here: Session, name: str, yes: bool) -> int:
    """Forget a pinned ledger and what was seen of it. A ledger that changed its founding is no reason by itself."""
    import shutil
    import sys

    from ledger.errors import UsageError
    from ledger.verifier.trust import load_pins

    pin = next((one for one in load_pins(_settings().trust_dir) if one.name == name), None)
    if pin is None:
        raise UsageError(f"no pin {name}", code="no-such-pin", name=name)
    if not yes and not sys.stdin.isatty():
        raise UsageError("nobody to ask", code="needs-yes")
    if not yes and not click.confirm(here.say("trust.ask-remove", name=name, founding=pin.founding), err=True):
        raise click.Abort
    shutil.rmtree(pin.folder)
    here.report({"removed": name, "founding": pin.founding}, [here.say("trust.removed", name=name)])
    return 0


def _settings() -> Settings:
    from ledger.settings import Settings

    return Settings.load(os.environ)


def _pin_lines(here: Session, pin: Pin) -> list[str]:
    witnesses = _witnesses(pin)
    lines = [here.say("trust.pinned", name=pin.name), here.say("trust.origin", origin=pin.origin)]
    lines.append(here.say("trust.founding", founding=pin.founding))
    lines += [here.say("trust.key", kind=kind, key=key) for kind, key in _key_ids(pin)]
    lines.append(here.say("trust.witnesses", names=", ".join(witnesses)) if witnesses else here.say("trust.no-witness"))
    return lines if pin.checkpoint is None else [*lines, here.say("trust.seen", size=pin.checkpoint.size)]


def _pin_json(pin: Pin) -> dict[str, object]:
    checkpoint = pin.checkpoint
    return {
        "name": pin.name,
        "origin": pin.origin,
        "founding": pin.founding,
        "keys": dict(_key_ids(pin)),
        "witnesses": _witnesses(pin),
        "location": pin.location,
        "size": None if checkpoint is None else checkpoint.size,
    }


def _key_ids(pin: Pin) -> list[tuple[str, str]]:
    """Return the kinds of the log's keys, and what a newspaper prints of them: the SHA-256 of each vkey's key."""
    import hashlib

    from ledger.tlog.note import parse_vkey

    keys = [parse_vkey(one).key for one in pin.vkeys]
    kinds = ["Ed25519" if len(key) == 32 else "ML-DSA-44" for key in keys]
    return list(zip(kinds, (hashlib.sha256(key).hexdigest() for key in keys), strict=True))


def _witnesses(pin: Pin) -> list[str]:
    from ledger.tlog.organisations import organisations

    return list(organisations(pin.policy))
