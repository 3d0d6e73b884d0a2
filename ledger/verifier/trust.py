"""Pinned ledgers: what this reader has decided to trust, kept small enough to compare with a newspaper.

    <trust folder>/<name>/policy         C2SP tlog-policy: the log's keys and the witnesses
                          founding       hex SHA-256 of entry 0's payload
                          location       where it was read from (absent for a policy that came as a file)
                          roster.jsonl   the roster chain as last seen
                          checkpoint     the newest checkpoint seen
                          evidence/      checkpoints that contradict each other, kept when a fork or a rollback shows

Everything is written atomically. A damaged file here is this machine's trouble (``trust-damaged``) and says nothing about
the log. The log may change its keys only by a roster event that the pinned founding's authority signed.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import (
    FetchError,
    FormatError,
    NewerFormatError,
    PolicyError,
    ProofError,
    UsageError,
    VerificationError,
)
from ledger.records.entry import parse_entry
from ledger.records.envelope import Envelope, dump_envelope
from ledger.records.roster import Roster, replay_roster
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.merkle import check_consistency
from ledger.tlog.policy import Policy, parse_policy, policy_founding
from ledger.verifier.client import MAX_POLICY, Source, fetch_checkpoint, fetch_policy, read_roster
from ledger.verifier.logkeys import in_force, log_keys_changed_by, open_by_roster
from ledger.verifier.pins import (
    FOUNDING,
    NAME,
    Pin,
    cannot_write,
    keep_evidence,
    load_pin,
    load_pins,
    origin_of,
    sync_folder,
    vkeys_of,
    write_file,
)
from ledger.verifier.reader import View, open_ledger
from ledger.verifier.weaker import weaker

__all__ = [
    "Pin",
    "Proposal",
    "add_pin",
    "changed_keys",
    "check_growth",
    "follow",
    "keep_evidence",
    "load_pin",
    "load_pins",
    "log_keys_changed_by",
    "origin_of",
    "propose_file",
    "propose_source",
    "read_policy_file",
]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody is asked to trust; ``view`` if it was held against a source."""

    policy_file: bytes
    policy: Policy
    founding: str
    view: View | None = None
    rosters: tuple[Roster, ...] = ()


def propose_source(source: Source, founding: str | None = None, policy_file: bytes | None = None) -> Proposal:
    """Return what ``source`` offers, after checking that it agrees with itself: checkpoint, entry 0, roster, keys.

    Raises:
        UsageError: no founding is known.
        VerificationError: it does not agree with itself, or not with ``founding``.
        FetchError: it could not be read.
    """
    data = fetch_policy(source) if policy_file is None else policy_file
    policy, named = parse_policy(data), _founding_in(data, founding)
    view = open_ledger(source, policy, named)
    rosters = view.rosters()
    if parse_entry(view.entry(0)).envelope.id != named:
        raise VerificationError("entry 0 is another founding", code="other-founding", expected=named[:16])
    if rosters[-1].origin != origin_of(policy) or not in_force(policy, rosters, view.size):
        raise PolicyError("the roster names other log keys than the policy", code="keys-not-in-roster", origin=origin_of(policy))
    return Proposal(data, policy, named, view, tuple(rosters))


def propose_file(data: bytes, founding: str | None = None) -> Proposal:
    """Return what a policy file with a founding comment offers; nothing of it can be checked without a source."""
    policy = parse_policy(data)
    origin_of(policy)
    return Proposal(data, policy, _founding_in(data, founding))


def add_pin(trust: Path, proposal: Proposal, *, name: str | None = None, accept_policy: bool = False) -> Pin:
    """Pin ``proposal`` below the folder ``trust``; a ledger of the same origin keeps its name and is followed.

    Raises:
        PolicyError: the origin is pinned with another founding, with keys whose change the authority did not sign, or
            (``policy-weaker``, unless ``accept_policy``) with witnesses that are gone or a quorum that asked for more.
        ProofError: the ledger no longer continues what was seen of it.
    """
    known = next((pin for pin in load_pins(trust) if pin.origin == origin_of(proposal.policy)), None)
    if known is None:
        return _new_pin(trust, proposal, name)
    if known.founding != proposal.founding:
        values = {"name": known.name, "origin": known.origin, "pinned": known.founding[:16], "offered": proposal.founding[:16]}
        raise PolicyError("pinned with another founding", code="pinned-other-founding", **values)
    if set(known.vkeys) != set(vkeys_of(proposal.policy)) and not _authorised(proposal):
        raise PolicyError("pinned with other keys", code="pinned-other-keys", name=known.name, origin=known.origin)
    if not accept_policy and weaker(known.policy, proposal.policy):
        raise PolicyError("a weaker policy", code="policy-weaker", name=known.name, origin=known.origin)
    if proposal.view is not None:
        follow(known, proposal.view)
    write_file(known.folder / "policy", proposal.policy_file)
    return load_pin(known.folder)


def follow(pin: Pin, view: View) -> None:
    """Accept that ``view`` continues the newest checkpoint seen of the pinned ledger, and remember it as the newest.

    Raises:
        ProofError: ``ledger-rolled-back`` or ``ledger-forked``; both notes are kept as evidence.
        FetchError: the tiles for the comparison could not be read.
    """
    seen = pin.checkpoint
    if seen is not None and seen != view.checkpoint:
        try:
            check_growth(seen, view)
        except ProofError as error:
            if error.code in ("ledger-rolled-back", "ledger-forked"):
                keep_evidence(pin, view.note)
            raise
    with contextlib.suppress(FetchError, FormatError, NewerFormatError, VerificationError):
        view.rosters()
        _remember_roster(pin, view.envelopes())
    if seen != view.checkpoint:  # after the roster, which names the keys that sign it
        write_file(pin.folder / "checkpoint", view.note)


def check_growth(old: Checkpoint, view: View) -> None:
    """Accept that ``view`` continues ``old``, a checkpoint of the same log.

    Raises:
        ProofError: ``ledger-rolled-back`` (smaller) or ``ledger-forked`` (another history), naming both.
    """
    values = {"old_size": old.size, "old_root": old.root.hex()[:16], "size": view.size, "root": view.checkpoint.root.hex()[:16]}
    if old.size > view.size:
        raise ProofError(f"size {view.size} after {old.size} was seen", code="ledger-rolled-back", **values)
    proof = view.prove_growth(old.size)
    try:
        check_consistency(
            proof, old_size=old.size, new_size=view.size, old_root=old.root, new_root=view.checkpoint.root
        )
    except ProofError as error:
        raise ProofError(str(error), code="ledger-forked", **values) from None


def changed_keys(source: Source, policy: Policy, founding: str) -> tuple[tuple[Envelope, ...], int]:
    """Return the roster chain of a source that the policy's keys no longer sign, and ``n`` of the event that replaced them.

    Raises:
        LedgerError: there is no such event in a chain from ``founding``, or its new keys do not sign the checkpoint.
    """
    chain = read_roster(source)
    rosters = replay_roster(chain, founding=founding)
    open_by_roster(policy, fetch_checkpoint(source), rosters)
    changed = log_keys_changed_by(policy, rosters)
    if changed is None:
        raise PolicyError("no event replaced the policy's keys", code="wrong-key", origin=origin_of(policy))
    return tuple(chain), changed


def _authorised(proposal: Proposal) -> bool:
    """The roster chain, replayed from the founding, names the proposal's keys for the size that is served."""
    return proposal.view is not None and in_force(proposal.policy, proposal.rosters, proposal.view.size)


def _founding_in(policy_file: bytes, given: str | None) -> str:
    named = policy_founding(policy_file)
    founding = given or named
    if founding is None or not FOUNDING.fullmatch(founding):
        raise UsageError("no founding is known", code="founding-unknown")
    if named is not None and named != founding:
        raise PolicyError("the policy names another founding", code="founding-differs", given=founding[:16], named=named[:16])
    return founding


def _new_pin(trust: Path, proposal: Proposal, name: str | None) -> Pin:
    """Write a whole folder beside and rename it, so that a pin is there completely or not at all."""
    chosen = name or re.sub(r"[^a-z0-9.-]+", "-", origin_of(proposal.policy))[:64].strip("-.")
    if not NAME.fullmatch(chosen) or (trust / chosen).exists():
        raise UsageError(f"{chosen!r} cannot be the name of a pinned ledger", code="bad-pin-name", name=chosen)
    beside = trust / f".{chosen}.{secrets.token_hex(4)}"
    try:
        beside.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(beside, error) from None
    write_file(beside / "policy", proposal.policy_file)
    write_file(beside / "founding", proposal.founding.encode("ascii") + b"\n")
    if proposal.view is not None:
        location = proposal.view.source.location
        write_file(beside / "location", location.encode("utf-8") + b"\n")
        write_file(beside / "checkpoint", proposal.view.note)
        write_file(beside / "roster.jsonl", _lines(proposal.view.envelopes()))
    os.replace(beside, trust / chosen)
    sync_folder(trust)
    return load_pin(trust / chosen)


def _remember_roster(pin: Pin, envelopes: list[Envelope]) -> None:
    """Keep the chain as seen; one that does not continue what was seen is left to the checks that judge it."""
    if tuple(envelopes[: len(pin.roster)]) == pin.roster and len(envelopes) > len(pin.roster):
        write_file(pin.folder / "roster.jsonl", _lines(envelopes))


def _lines(envelopes: list[Envelope]) -> bytes:
    return b"".join(dump_envelope(one) + b"\n" for one in envelopes)


def read_policy_file(path: Path) -> bytes:
    """Return the bytes of a policy file.

    Raises:
        FetchError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read(MAX_POLICY + 1)
    except OSError as error:
        raise FetchError(f"{path}: {error}", code="fetch-missing", where=str(path), path="") from None
