"""Who co-records that the ledger only grows, by the policy it publishes: which witnesses, and when they last did.

The log's own post-quantum key stands in the policy as a witness for other readers; it is never shown as one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import LedgerError
from ledger.records.entry import format_time
from ledger.tlog.cosignature import open_checkpoint
from ledger.tlog.note import parse_note
from ledger.tlog.organisations import co_recorded, organisations
from ledger.tlog.policy import LOG_PQ, Policy, parse_policy
from web.site import Reading

__all__ = ["CoRecorder", "co_recorders", "first_co_recorded"]

_MOST_HEADS = 64


@dataclass(frozen=True, slots=True)
class CoRecorder:
    """An organisation of the policy: its name there, its keys' name, and when (UTC) it co-recorded the newest state, or None."""

    name: str
    key_name: str
    time: str | None


def co_recorders(reading: Reading) -> list[CoRecorder]:
    """Return the organisations whose witnesses the published policy names; none yet is an empty list."""
    policy = _policy_of(reading)
    if policy is None:
        return []
    named, times = organisations(policy), _times(policy, reading.checkpoint)
    return [CoRecorder(name, _key_name(policy, members[0]), times.get(name)) for name, members in named.items()]


def first_co_recorded(reading: Reading, index: int) -> str | None:
    """Return when (UTC) a witness first co-recorded a state that holds entry ``index``; None: nobody has yet.

    Later states are looked through until the first that a witness has co-recorded.
    """
    policy = _policy_of(reading)
    if policy is None or policy.witnesses.keys() <= {LOG_PQ}:
        return None
    query = "SELECT size FROM published WHERE size > ? AND size <= ? ORDER BY size LIMIT ?"
    for (size,) in reading.store.connection.execute(query, (index, reading.size, _MOST_HEADS)).fetchall():
        times = _times(policy, reading.store.checkpoint_note(size))
        if times:
            return min(times.values())
    return None


def _times(policy: Policy, note: bytes) -> dict[str, str]:
    """Return when each organisation of ``policy`` has cosigned ``note``; a signature that does not hold counts for nobody."""
    keys = {one.key: name for name, one in policy.witnesses.items() if one.key is not None and name != LOG_PQ}
    try:
        opened = open_checkpoint(parse_note(note), keys)
    except LedgerError:
        return {}
    found = co_recorded(policy, {keys[key]: time for key, time in opened.items()})
    return {name: format_time(time) for name, time in found.items() if time is not None}


def _key_name(policy: Policy, name: str) -> str:
    key = policy.witnesses[name].key
    return key.name if key else ""


def _policy_of(reading: Reading) -> Policy | None:
    """Return the published policy; None where it cannot be read, which says nothing about anybody."""
    path = reading.home.public / "policy"
    try:
        stat = path.stat()
        return _parsed(path, stat.st_mtime_ns, stat.st_size)
    except (OSError, LedgerError):
        return None


@functools.lru_cache(maxsize=8)
def _parsed(path: Path, changed: int, size: int) -> Policy:
    return parse_policy(path.read_bytes())
