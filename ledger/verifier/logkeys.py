"""The log's keys over time: which pair signs a checkpoint of a given size is what the roster says, not today's policy.

A reader pins one policy; the authority of the pinned founding may change the log's keys by a roster event (design, 3.4).
Trusted is only a roster chain that was replayed from the pinned founding and that names the policy's own keys: one that
does not know them is older than the pin and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ledger.errors import PolicyError
from ledger.records.roster import Roster
from ledger.tlog.checkpoint import parse_checkpoint
from ledger.tlog.note import format_vkey, parse_note, parse_vkey
from ledger.tlog.policy import LOG_PQ, Opened, Policy, Witness
from ledger.verifier.pins import vkeys_of

__all__ = ["ended_at", "in_force", "log_keys_changed_by", "names_keys_of", "open_by_roster", "size_of"]


def open_by_roster(policy: Policy, note: bytes, rosters: Sequence[Roster]) -> Opened:
    """Return the checkpoint in ``note`` if the log's keys at its size signed it; the policy's witnesses stay required.

    Raises:
        PolicyError: ``wrong-key``: the roster does not know the policy's keys, or names other keys for that size.
        FormatError, SignatureError, NewerFormatError: as ``Policy.check``.
    """
    size = size_of(note)
    if names_keys_of(policy, rosters):
        for keys in rosters[-1].log_keys_at(size):
            try:
                return _with_keys(policy, keys.vkeys).check(note)
            except PolicyError as error:
                if error.code != "wrong-key":
                    raise
    raise PolicyError("not signed by the log's keys at that size", code="wrong-key", origin=policy.logs[0].name)


def names_keys_of(policy: Policy, rosters: Sequence[Roster]) -> bool:
    """Tell whether the newest of ``rosters`` knows the policy's log keys, of whatever time."""
    mine = set(vkeys_of(policy))
    return bool(rosters) and any(mine <= set(keys.vkeys) for keys in rosters[-1].log_keys)


def in_force(policy: Policy, rosters: Sequence[Roster], size: int) -> bool:
    """Tell whether the newest of ``rosters`` names the policy's log keys for checkpoints of ``size``."""
    mine = set(vkeys_of(policy))
    return bool(rosters) and any(mine <= set(keys.vkeys) for keys in rosters[-1].log_keys_at(size))


def ended_at(opened: Opened, rosters: Sequence[Roster]) -> bool:
    """Tell whether ``opened`` was signed by a key that the roster knows, but not for that size."""
    if not rosters:
        return False
    vkey, newest = format_vkey(opened.log_key), rosters[-1]
    known = any(vkey in keys.vkeys for keys in newest.log_keys)
    return known and not any(vkey in keys.vkeys for keys in newest.log_keys_at(opened.checkpoint.size))


def log_keys_changed_by(policy: Policy, rosters: Sequence[Roster]) -> int | None:
    """Return ``n`` of the roster payload that replaced the policy's log keys; None if they are not a former pair."""
    mine = set(vkeys_of(policy))
    for before, after in pairwise(rosters):
        if mine <= set(before.log_keys[-1].vkeys) and not mine <= set(after.log_keys[-1].vkeys):
            return after.n
    return None


def size_of(note: bytes) -> int:
    """Return the size that a checkpoint's note claims; nobody's signature has been checked.

    Raises:
        FormatError: not a checkpoint.
    """
    return int(parse_checkpoint(parse_note(note).text).size)


def _with_keys(policy: Policy, vkeys: tuple[str, str]) -> Policy:
    """Return ``policy`` with another pair of log keys; one that asks for Ed25519 only goes on doing so."""
    ed25519, post_quantum = map(parse_vkey, vkeys)
    witnesses = dict(policy.witnesses)
    if LOG_PQ in witnesses:
        witnesses[LOG_PQ] = Witness(LOG_PQ, post_quantum, witnesses[LOG_PQ].url)
    return replace(policy, logs=(ed25519,), witnesses=witnesses)
